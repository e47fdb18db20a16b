using Lintel.Errors;
using Lintel.Transport.Loop;
using Microsoft.AspNetCore.Connections;

namespace Lintel.Listeners;

/// <summary>What an abort of a client's connection means to the requests on it.</summary>
/// <remarks>
/// Kestrel (10.0) tells its reasons apart by their words alone. Where words change, the request is told as a client that left, with
/// Kestrel's words as the detail.
/// </remarks>
internal static class AbortReasons
{
    /// <summary>What Kestrel says when the other side has ended the connection: that is no reason of this side.</summary>
    public const string ByClient = "The client closed the connection.";

    /// <summary>How the reason begins when a client takes its answer more slowly than <c>limits.minResponseRate</c>.</summary>
    public const string SlowReader = "The connection was timed out by the server because the response was not read";

    /// <summary>How the reason begins when an HTTP/2 client sends its body more slowly than <c>limits.minRequestRate</c>.</summary>
    public const string SlowSender = "Reading the request body timed out";

    /// <summary>What an abort says that was given no reason: it follows the end of the connection.</summary>
    private static readonly string Unsaid = new ConnectionAbortedException().Message;

    /// <returns><see langword="null"/> where it was not aborted from this side.</returns>
    public static GatewayError? Of(ConnectionAbortedException? abort) =>
        abort switch
        {
            null or { Message: ByClient } => null,
            _ when abort.Message == Unsaid => null,
            UnreadOutputException => new GatewayError(GatewayErrorKind.SlowReader, abort.Message),
            { Message: var words } when words.StartsWith(SlowReader, StringComparison.Ordinal) => new GatewayError(
                GatewayErrorKind.SlowReader,
                "slower than `minResponseRate`"
            ),
            { Message: var words } when words.StartsWith(SlowSender, StringComparison.Ordinal) => new GatewayError(
                GatewayErrorKind.RequestTimeout,
                "slower than `minRequestRate`"
            ),
            _ => new GatewayError(GatewayErrorKind.ClientAborted, abort.Message),
        };
}
