namespace Lintel.Transport.Memory;

/// <summary>What buffered bytes are kept for; the label of the budget's metrics.</summary>
internal enum BufferUse
{
    /// <summary>A client's request body that is kept whole: for a composed call, or to be sent again.</summary>
    RequestBody,

    /// <summary>A service's response to a composed call, and the data composed from it until it is written.</summary>
    Answer,

    /// <summary>Response bytes that the client has not read yet.</summary>
    Output,

    /// <summary>The copy of a request body for a mirror.</summary>
    Mirror,

    /// <summary>Stored responses: for <c>fallback: stale</c>, <c>keep</c> and caches.</summary>
    Store,
}
