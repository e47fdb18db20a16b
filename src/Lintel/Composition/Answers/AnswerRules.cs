using System.Globalization;
using System.Net.Http.Headers;
using Lintel.Composition.Calls;
using Lintel.Composition.Merge;
using Lintel.Services;

namespace Lintel.Composition.Answers;

/// <summary>What a service permits with its answer, as a cache between clients has to read it (RFC 9111 section 3).</summary>
/// <param name="MayBeKept">Whether it may be kept for, or shared with, another request of the same key: not what is <c>private</c> or
/// <c>no-store</c>, and not what varies by more than the key says.</param>
/// <param name="StaleUntil">Until when it may stand in for an answer that cannot be had; <see langword="null"/> for never.</param>
internal readonly record struct AnswerRules(bool MayBeKept, DateTimeOffset? StaleUntil)
{
    private const string StaleIfError = "stale-if-error";

    private static readonly AnswerRules Nothing = new(false, null);

    /// <summary>Reads the fields of a success.</summary>
    /// <param name="answer">What was answered.</param>
    /// <param name="service">By whom.</param>
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
            return Nothing; // what cannot be read may have forbidden it
        if (control is null)
            return new AnswerRules(true, DateTimeOffset.MaxValue);
        if (control.NoStore || control.Private)
            return Nothing;

        // RFC 9111 section 4.2.4: these forbid to use it once it is stale; `s-maxage` does so for a cache between clients (section
        // 5.2.2.10).
        var insists = control.NoCache || control.MustRevalidate || control.ProxyRevalidate || control.SharedMaxAge is not null;
        return new AnswerRules(true, insists ? null : StaleLimit(answer, control, now));
    }

    /// <summary>
    /// RFC 5861 section 4: how long after it is stale; without it the configuration's word, which is `stale`, has no limit of time.
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
