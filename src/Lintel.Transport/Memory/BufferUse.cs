namespace Lintel.Transport.Memory;

/// <summary>What buffered bytes are kept for; the label of the budget's metrics.</summary>
internal enum BufferUse
{
    /// <summary>A client's request body that is kept whole: for a composed call, or to be sent again.</summary>
    RequestBody,

    /// <summary>A service's answer to a composed call, and what is made of it until it is written.</summary>
    Answer,

    /// <summary>Bytes of an answer that the client has not read yet.</summary>
    Output,

    /// <summary>The copy of a request body for a mirror.</summary>
    Mirror,

    /// <summary>Answers that outlive their request: for <c>fallback: stale</c>, <c>keep</c> and caches.</summary>
    Store,
}
