using Lintel.Composition.Calls;
using Lintel.Transport.Memory;
using Microsoft.Extensions.Caching.Memory;

namespace Lintel.Composition.Answers;

/// <summary>A successful answer as JSON text, with what is needed to revalidate it and to compute its freshness.</summary>
internal sealed record StoredAnswer(int Status, byte[] Text, string? ETag, string? LastModified, string? CacheControl, string? Vary)
{
    /// <summary>Until when it may replace an answer that is unavailable; <see langword="null"/> for never.</summary>
    public DateTimeOffset? StaleUntil { get; init; }

    public CallAnswer Restore()
    {
        // Its age headers applied when it was fresh: a stored answer has no freshness left.
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
/// Stores the last successful answers of calls: the fallback of <c>stale</c>, and what a service need not send again while its <c>ETag</c>
/// is unchanged (RFC 9110 section 13.1.2).
/// </summary>
/// <remarks>
/// Keyed by <see cref="CallKey"/>: everything that an answer may depend on. Its memory is part of the budget; when the budget is exhausted,
/// nothing is stored.
/// </remarks>
internal sealed class AnswerStore(MemoryBudget budget) : IDisposable
{
    /// <summary>The maximum total size, enough for thousands of usual answers; the least recently used is evicted first.</summary>
    private const long MaxBytes = 64 << 20;

    /// <summary>How long an answer is kept without being requested.</summary>
    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(1);

    /// <summary>The largest answer that is stored; larger ones would evict the others.</summary>
    private const int MaxAnswer = 4 << 20;

    /// <summary>The approximate memory of an entry in addition to its text and key.</summary>
    private const int Overhead = 200;

    private readonly MemoryCache _answers = new(new MemoryCacheOptions { SizeLimit = MaxBytes });

    public StoredAnswer? Find(string key) => _answers.Get<StoredAnswer>(key);

    /// <summary>Stores an answer in place of the previous one, or removes that one if this one must not be stored.</summary>
    /// <param name="key">The request's key.</param>
    /// <param name="answer">The answer, with its body as JSON text.</param>
    /// <param name="rules">What its service permits.</param>
    public void Keep(string key, CallAnswer answer, AnswerRules rules)
    {
        if (answer.Body.Length > MaxAnswer || !rules.MayBeKept)
        {
            Drop(key);
            return;
        }

        // The same answer again: its metadata may be new, its text is not.
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

    /// <summary>Removes an answer that is no longer valid.</summary>
    public void Drop(string key) => _answers.Remove(key);

    public void Dispose() => _answers.Dispose();

    /// <summary>
    /// An entry's share of the budget. The cache reports the end of each entry once, whether it is evicted, replaced or not accepted at
    /// all.
    /// </summary>
    private sealed class Taken(MemoryBudget budget, long size)
    {
        public void Give() => budget.Give(BufferUse.Store, size);
    }
}
