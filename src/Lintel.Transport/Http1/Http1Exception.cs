namespace Lintel.Transport.Http1;

/// <summary>What went wrong between the client and a server.</summary>
public enum Http1Failure
{
    /// <summary>The connection ended, or was reset, before a byte of the answer.</summary>
    Terminated,

    /// <summary>The answer is no HTTP, or may be read in two ways.</summary>
    Malformed,

    /// <summary>The response head is larger than <see cref="Http1Options.MaxHead"/>.</summary>
    HeadTooLarge,

    /// <summary>The connection ended within the answer.</summary>
    Incomplete,

    /// <summary>The time that was set with <see cref="Http1Connection.Limit"/> is over.</summary>
    TimedOut,

    /// <summary>Cut off here, by <see cref="Http1Connection.Abort"/>.</summary>
    Aborted,

    /// <summary>What was to be sent cannot stand in a request.</summary>
    BadRequest,
}

/// <summary>An exchange that failed.</summary>
/// <param name="failure">In which way.</param>
/// <param name="message">In words.</param>
/// <param name="inner">The reason below.</param>
public sealed class Http1Exception(Http1Failure failure, string message, Exception? inner = null) : IOException(message, inner)
{
    /// <summary>In which way it failed.</summary>
    public Http1Failure Failure { get; } = failure;
}
