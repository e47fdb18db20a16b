namespace Lintel.Transport.Http1;

/// <summary>What went wrong between the client and a server.</summary>
public enum Http1Failure
{
    /// <summary>The connection was closed or reset before a byte of the response.</summary>
    Terminated,

    /// <summary>The response is not valid HTTP, or is ambiguous.</summary>
    Malformed,

    /// <summary>The response head is larger than <see cref="Http1Options.MaxHead"/>.</summary>
    HeadTooLarge,

    /// <summary>The connection was closed before the response was complete.</summary>
    Incomplete,

    /// <summary>The time that was set with <see cref="Http1Connection.Limit"/> is over.</summary>
    TimedOut,

    /// <summary>Cut off here, by <see cref="Http1Connection.Abort"/>.</summary>
    Aborted,

    /// <summary>The request contains data that cannot be sent.</summary>
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
