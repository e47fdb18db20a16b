using System.Globalization;
using System.Net.Http.Headers;
using Lintel.Composition.Calls;
using Lintel.Composition.Merge;
using Lintel.Services;

namespace Lintel.Composition.Answers;

/// <summary>What a service permits for its answer, as a shared cache has to read it (RFC 9111 section 3).</summary>
/// <param name="MayBeKept">Whether it may be stored for, or shared with, another request of the same key: not if it is <c>private</c> or
/// <c>no-store</c>, and not if it varies by more than the key covers.</param>
/// <param name="StaleUntil">Until when it may replace an answer that is unavailable; <see langword="null"/> for never.</param>
internal readonly record struct AnswerRules(bool MayBeKept, DateTimeOffset? StaleUntil)
{
    private const string StaleIfError = "stale-if-error";

    private static readonly AnswerRules Nothing = new(false, null);

    /// <summary>Reads the fields of a successful answer.</summary>
    /// <param name="answer">The answer.</param>
    /// <param name="service">The service that sent it.</param>
    /// <param name="now">The time of the answer.</param>
    public static AnswerRules Of(CallAnswer answer, Service service, DateTimeOffset now)
    {
        var rules = OfOne(answer, service, now);
        for (var before = answer.RedirectedBy; before is not null && rules.MayBeKept; before = before.RedirectedBy)
        {
            var other = OfOne(before, service, now);
            rules = new AnswerRules(
                other.MayBeKept,
                rules.StaleUntil < other.StaleUntil ? rules.StaleUntil
                    : rules.StaleUntil is null ? null
                    : other.StaleUntil
            );
        }

        return rules;
    }

    private static AnswerRules OfOne(CallAnswer answer, Service service, DateTimeOffset now)
    {
        if (!CallKey.Covers(answer.Vary, service) || !CacheControlHeaderValue.TryParse(answer.CacheControl ?? "", out var control))
            return Nothing; // an invalid field may have forbidden it
        if (control is null)
            return new AnswerRules(true, DateTimeOffset.MaxValue);
        if (control.NoStore || control.Private)
            return Nothing;

        // RFC 9111 section 4.2.4: these forbid the use of a stale answer; `s-maxage` does so for a shared cache (section 5.2.2.10).
        var insists = control.NoCache || control.MustRevalidate || control.ProxyRevalidate || control.SharedMaxAge is not null;
        return new AnswerRules(true, insists ? null : StaleLimit(answer, control, now));
    }

    /// <summary>
    /// RFC 5861 section 4: how long it may be used once stale; without it the configuration's `stale` applies, which has no time limit.
    /// </summary>
    private static DateTimeOffset? StaleLimit(CallAnswer answer, CacheControlHeaderValue control, DateTimeOffset now)
    {
        foreach (var extension in control.Extensions)
        {
            if (!extension.Name.Equals(StaleIfError, StringComparison.OrdinalIgnoreCase))
                continue;
            return int.TryParse(extension.Value?.Trim('"'), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
                ? now + CompositeCaching.Freshness(answer, control, now) + TimeSpan.FromSeconds(seconds)
                : null;
        }

        return DateTimeOffset.MaxValue;
    }
}
