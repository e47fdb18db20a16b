using Lintel.Errors;

namespace Lintel.Carriers;

/// <summary>
/// Framing information about the current request, from the check of a connection's bytes. One for each HTTP/1.1 connection of the gateway's
/// own listeners, and one for each request of a later version that has a body.
/// </summary>
/// <remarks>Thread rule: an HTTP/1.1 connection reads one request after the other; the information is that of the current one.</remarks>
internal sealed class RequestFraming
{
    /// <summary>
    /// Why the bytes are not a valid request. The pipeline receives a placeholder request instead, so that a refusal is answered, logged
    /// and counted like every other.
    /// </summary>
    public GatewayError? Refusal { get; set; }

    /// <summary>
    /// The <c>Connection</c> header as it was received, if it lists more than <c>close</c>, <c>keep-alive</c> and <c>upgrade</c>: Kestrel
    /// (10.0) drops the other names when it finds one of these.
    /// </summary>
    public string? Connection { get; set; }

    /// <summary>
    /// The scheme in the target (<c>:scheme</c>, or absolute-form), if it may differ from that of the connection; otherwise
    /// <see langword="null"/>.
    /// </summary>
    public string? ClaimedScheme { get; set; }

    /// <summary>The content of a refused head; <see langword="null"/> for an accepted one.</summary>
    public RefusedHead? Refused { get; set; }

    /// <summary>
    /// Resets the stream of a request that turned out to be malformed (RFC 9113 section 8.1.1); <see langword="null"/> for HTTP/1.1, where
    /// the connection closes.
    /// </summary>
    public Action? Reset { get; set; }
}

/// <summary>The readable parts of a refused head, for the log: as sent, and truncated if long.</summary>
/// <param name="Method">The first word of the request line.</param>
/// <param name="Target">The second word.</param>
/// <param name="Protocol">The last word.</param>
/// <param name="Host">The value of the first <c>Host</c>.</param>
internal sealed record RefusedHead(string Method, string Target, string Protocol, string Host);
