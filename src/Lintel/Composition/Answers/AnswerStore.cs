using Lintel.Composition.Calls;
using Lintel.Transport.Memory;
using Microsoft.Extensions.Caching.Memory;

namespace Lintel.Composition.Answers;

/// <summary>An answer that was good, as JSON text, with what is needed to ask for it again and to tell how long it holds.</summary>
internal sealed record StoredAnswer(int Status, byte[] Text, string? ETag, string? LastModified, string? CacheControl, string? Vary)
{
    /// <summary>Until when it may stand in for an answer that cannot be had; <see langword="null"/> for never.</summary>
    public DateTimeOffset? StaleUntil { get; init; }

    public CallAnswer Restore()
    {
        // Whatever is said of its age was said when it was fresh: a kept answer has no freshness left.
        var answer = new CallAnswer
        {
            Status = Status,
            ContentType = "application/json",
            ETag = ETag,
            LastModified = LastModified,
            CacheControl = CacheControl,
            Vary = Vary,
            IsNormalized = true,
        };
        answer.Body.Replace(Text);
        return answer;
    }
}

/// <summary>
/// The last good answers of calls: what <c>stale</c> falls back to, and what a service need not send again while its <c>ETag</c> stands
/// (RFC 9110 section 13.1.2).
/// </summary>
/// <remarks>
/// Keyed by <see cref="CallKey"/>: everything that an answer may depend on. Its memory is a part of the budget; where that has no more,
/// nothing is kept.
/// </remarks>
internal sealed class AnswerStore(MemoryBudget budget) : IDisposable
{
    /// <summary>Enough for thousands of usual answers; what is used least goes first.</summary>
    private const long MaxBytes = 64 << 20;

    /// <summary>An answer that nobody asked for this long says nothing any more.</summary>
    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(1);

    /// <summary>Larger ones would push out the others.</summary>
    private const int MaxAnswer = 4 << 20;

    /// <summary>What an entry takes beside its text and key, about.</summary>
    private const int Overhead = 200;

    private readonly MemoryCache _answers = new(new MemoryCacheOptions { SizeLimit = MaxBytes });

    public StoredAnswer? Find(string key) => _answers.Get<StoredAnswer>(key);

    /// <summary>Keeps an answer in the place of the one before, or of none where it must not be kept.</summary>
    /// <param name="key">What was asked.</param>
    /// <param name="answer">With its body as JSON text.</param>
    /// <param name="rules">What its service permits.</param>
    public void Keep(string key, CallAnswer answer, AnswerRules rules)
    {
        if (answer.Body.Length > MaxAnswer || !rules.MayBeKept)
        {
            Drop(key);
            return;
        }

        // The same answer once more: what is said of it may be new, and its text is not.
        var known = answer is { ETag: { } tag, RedirectedBy: null } && Find(key) is { } before && before.ETag == tag ? before : null;
        if (
            known is not null
            && known.CacheControl == answer.CacheControl
            && known.Vary == answer.Vary
            && known.StaleUntil == rules.StaleUntil
        )
            return;
        var kept = new StoredAnswer(
            answer.Status,
            known?.Text ?? answer.Body.Span.ToArray(),
            answer.RedirectedBy is null ? answer.ETag : null,
            answer.LastModified,
            answer.CacheControl,
            answer.Vary
        )
        {
            StaleUntil = rules.StaleUntil,
        };
        var size = kept.Text.Length + (key.Length * 2) + Overhead;
        if (!budget.TryTake(BufferUse.Store, size))
        {
            Drop(key);
            return;
        }

        var options = new MemoryCacheEntryOptions { Size = size, AbsoluteExpirationRelativeToNow = Lifetime };
        options.RegisterPostEvictionCallback(static (_, _, _, taken) => ((Taken)taken!).Give(), new Taken(budget, size));
        _answers.Set(key, kept, options);
    }

    /// <summary>What was kept no longer holds.</summary>
    public void Drop(string key) => _answers.Remove(key);

    public void Dispose() => _answers.Dispose();

    /// <summary>
    /// What an entry has of the budget. The cache tells of each entry's end once, be it put out, replaced or not taken at all.
    /// </summary>
    private sealed class Taken(MemoryBudget budget, long size)
    {
        public void Give() => budget.Give(BufferUse.Store, size);
    }
}
