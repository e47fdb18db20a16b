using Microsoft.Extensions.Caching.Memory;

namespace Lintel.Composition;

/// <summary>An answer that was good, as JSON text, with what is needed to ask for it again and to tell how long it holds.</summary>
internal sealed record StoredAnswer(int Status, byte[] Text, string? ETag, string? LastModified, string? CacheControl, string? Vary)
{
    public CallAnswer Restore()
    {
        // Whatever is said of its age was said when it was fresh: a kept answer has no freshness left.
        var answer = new CallAnswer { Status = Status, ContentType = "application/json", ETag = ETag, LastModified = LastModified, CacheControl = CacheControl, Vary = Vary, IsNormalized = true };
        answer.Body.Replace(Text);
        return answer;
    }
}

/// <summary>The last good answers of calls: what <c>stale</c> falls back to, and what a service need not send again while its <c>ETag</c> stands (RFC 9110 section 13.1.2).</summary>
/// <remarks>Keyed by everything that an answer may depend on: service, target, and all fields that the gateway passes on, credentials included.</remarks>
internal sealed class AnswerStore : IDisposable
{
    /// <summary>Enough for thousands of usual answers; what is used least goes first.</summary>
    private const long MaxBytes = 64 << 20;

    /// <summary>An answer that nobody asked for this long says nothing any more.</summary>
    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(1);

    /// <summary>Larger ones would push out the others.</summary>
    private const int MaxAnswer = 4 << 20;

    private readonly MemoryCache _answers = new(new MemoryCacheOptions { SizeLimit = MaxBytes });

    public StoredAnswer? Find(string key) => _answers.Get<StoredAnswer>(key);

    /// <summary>Keeps an answer, unless it says that it must not be.</summary>
    /// <param name="key">What was asked.</param>
    /// <param name="answer">With its body as JSON text.</param>
    public void Keep(string key, CallAnswer answer)
    {
        if (answer.Body.Length > MaxAnswer || answer.CacheControl?.Contains("no-store", StringComparison.OrdinalIgnoreCase) == true)
            return;
        if (answer.ETag is { } tag && Find(key) is { } known && known.ETag == tag)
            return;
        var kept = new StoredAnswer(answer.Status, answer.Body.Span.ToArray(), answer.ETag, answer.LastModified, answer.CacheControl, answer.Vary);
        _answers.Set(key, kept, new MemoryCacheEntryOptions { Size = kept.Text.Length + (key.Length * 2) + 200, AbsoluteExpirationRelativeToNow = Lifetime });
    }

    public void Dispose() => _answers.Dispose();
}
