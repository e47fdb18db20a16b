using System.Globalization;

namespace Lintel.Composition.Answers;

/// <summary>The <c>Retry-After</c> of a service (RFC 9110 section 10.2.3), before it becomes the composed answer's.</summary>
internal static class RetryAfter
{
    /// <summary>A day: who is told to stay away for longer may as well ask again.</summary>
    private const int MaxSeconds = 24 * 60 * 60;

    /// <summary>The value as it was received; a longer wait than a day becomes one.</summary>
    /// <returns><see langword="null"/> where it is neither seconds nor a date.</returns>
    public static string? Limit(string? value, DateTimeOffset now)
    {
        if (string.IsNullOrEmpty(value))
            return null;
        if (!value.AsSpan().ContainsAnyExceptInRange('0', '9'))
            return value.Length <= 5 && int.Parse(value, CultureInfo.InvariantCulture) <= MaxSeconds
                ? value
                : MaxSeconds.ToString(CultureInfo.InvariantCulture);
        if (!DateTimeOffset.TryParseExact(value, "r", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var date))
            return null;
        return date - now > TimeSpan.FromSeconds(MaxSeconds) ? MaxSeconds.ToString(CultureInfo.InvariantCulture) : value;
    }
}
