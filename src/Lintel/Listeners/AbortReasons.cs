using Lintel.Errors;
using Lintel.Transport.Loop;
using Microsoft.AspNetCore.Connections;

namespace Lintel.Listeners;

/// <summary>What an abort of a client's connection means to the requests on it.</summary>
/// <remarks>
/// Kestrel (10.0) distinguishes reasons only by their text. If the text changes, the request is logged as aborted by the client, with
/// Kestrel's text as the detail.
/// </remarks>
internal static class AbortReasons
{
    /// <summary>Kestrel's reason if the peer has closed the connection: not an abort by this side.</summary>
    public const string ByClient = "The client closed the connection.";

    /// <summary>The prefix of the reason if a client reads its response more slowly than <c>limits.minResponseRate</c>.</summary>
    public const string SlowReader = "The connection was timed out by the server because the response was not read";

    /// <summary>How the reason begins when an HTTP/2 client sends its body more slowly than <c>limits.minRequestRate</c>.</summary>
    public const string SlowSender = "Reading the request body timed out";

    /// <summary>The reason of an abort without one: it follows the end of the connection.</summary>
    private static readonly string DefaultMessage = new ConnectionAbortedException().Message;

    /// <returns><see langword="null"/> if it was not aborted by this side.</returns>
    public static GatewayError? Of(ConnectionAbortedException? abort) =>
        abort switch
        {
            null or { Message: ByClient } => null,
            _ when abort.Message == DefaultMessage => null,
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
