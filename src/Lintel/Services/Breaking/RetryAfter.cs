using System.Globalization;

namespace Lintel.Services.Breaking;

/// <summary>The <c>Retry-After</c> field (RFC 9110 section 10.2.3).</summary>
internal static class RetryAfter
{
    /// <summary>Returns the field for a time, rounded up to whole seconds, at least one.</summary>
    public static KeyValuePair<string, string> Field(TimeSpan time) =>
        KeyValuePair.Create("Retry-After", Math.Max(1, (long)Math.Ceiling(time.TotalSeconds)).ToString(CultureInfo.InvariantCulture));

    /// <summary>Parses a value: seconds, or a date.</summary>
    /// <returns>The time from now, not negative; <see langword="null"/> if the value is absent or malformed.</returns>
    public static TimeSpan? Parse(string? value, DateTimeOffset now)
    {
        if (value is null)
            return null;
        if (int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds))
            return TimeSpan.FromSeconds(seconds);
        if (!DateTimeOffset.TryParseExact(value, "r", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var date))
            return null;
        return date > now ? date - now : TimeSpan.Zero;
    }
}
