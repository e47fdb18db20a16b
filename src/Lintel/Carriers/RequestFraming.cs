using Lintel.Errors;

namespace Lintel.Carriers;

/// <summary>
/// What the check of a connection's bytes found out about the request at hand. One for each HTTP/1.1 connection of our own listeners, and
/// one for each request of a later version that has a body.
/// </summary>
/// <remarks>Thread rule: an HTTP/1.1 connection reads one request after the other, and this holds the current one's.</remarks>
internal sealed class RequestFraming
{
    /// <summary>
    /// Why the bytes are no request. The request that the pipeline sees stands in for them, so that a refusal is answered, logged and
    /// counted like every other.
    /// </summary>
    public GatewayError? Refusal { get; set; }

    /// <summary>
    /// The <c>Connection</c> header as it was received, where it names more than <c>close</c>, <c>keep-alive</c> and <c>upgrade</c>:
    /// Kestrel (10.0) drops the other names when it finds one of these.
    /// </summary>
    public string? Connection { get; set; }

    /// <summary>
    /// The scheme that the target names (<c>:scheme</c>, or absolute-form), where it may be another than the connection's; else
    /// <see langword="null"/>.
    /// </summary>
    public string? ClaimedScheme { get; set; }

    /// <summary>What the head said that was refused; <see langword="null"/> for a head that was taken.</summary>
    public RefusedHead? Refused { get; set; }

    /// <summary>
    /// Ends the stream of a request that went wrong underway as malformed (RFC 9113 section 8.1.1); <see langword="null"/> for HTTP/1.1,
    /// whose connection closes.
    /// </summary>
    public Action? Reset { get; set; }
}

/// <summary>What could be read of a head that was refused, for the log: as it was sent, cut where it is long.</summary>
/// <param name="Method">The request line's first word.</param>
/// <param name="Target">Its second.</param>
/// <param name="Protocol">Its last.</param>
/// <param name="Host">The value of the first <c>Host</c>.</param>
internal sealed record RefusedHead(string Method, string Target, string Protocol, string Host);
