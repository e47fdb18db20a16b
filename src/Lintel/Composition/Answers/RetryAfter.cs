using System.Globalization;

namespace Lintel.Composition.Answers;

/// <summary>Limits the <c>Retry-After</c> of a service (RFC 9110 section 10.2.3) before it becomes that of the composed answer.</summary>
internal static class RetryAfter
{
    /// <summary>The maximum, one day: a client told to wait longer may as well retry then.</summary>
    private const int MaxSeconds = 24 * 60 * 60;

    /// <summary>Returns the value as received; a wait longer than a day becomes one day.</summary>
    /// <returns><see langword="null"/> if it is neither seconds nor a date.</returns>
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
