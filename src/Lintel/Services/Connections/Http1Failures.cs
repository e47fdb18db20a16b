using Lintel.Errors;
using Lintel.Transport.Http1;

namespace Lintel.Services.Connections;

/// <summary>
/// Maps failures of the gateway's own HTTP/1.1 client to errors, for forwarded requests and calls. Its counterpart for .NET's handler is
/// <see cref="HandlerFailures"/>; the same event on the wire has the same kind in both.
/// </summary>
internal static class Http1Failures
{
    /// <summary>The error of an exchange on a connection.</summary>
    /// <param name="e">The exception of the connection.</param>
    /// <param name="connection">The connection, before it is returned.</param>
    /// <param name="expired">The kind of the expired time limit; <see langword="null"/> if only the idle timeout can expire.</param>
    public static GatewayError Of(Http1Exception e, Http1Connection connection, GatewayErrorKind? expired)
    {
        var kind = KindOf(e.Failure, connection.HasFinalHead ? AttemptPhase.Body : AttemptPhase.AwaitingHead, expired);
        return new GatewayError(kind, Cause: e)
        {
            EndedKeptConnection = kind == GatewayErrorKind.ConnectionTerminated && connection is { IsReused: true, HasAnswer: false },
        };
    }

    /// <summary>The error of a connection that could not be established, or of one that has become a tunnel.</summary>
    /// <param name="e">The exception.</param>
    /// <param name="phase">The phase of the attempt.</param>
    /// <param name="expired">The kind of the expired time limit, if any.</param>
    public static GatewayError Of(Exception e, AttemptPhase phase, GatewayErrorKind? expired) =>
        new(
            (e as Http1Exception ?? e.InnerException as Http1Exception, e) switch
            {
                ({ } http1, _) => KindOf(http1.Failure, phase, expired),
                (_, UpstreamConnectException connect) => connect.Kind,
                (_, OutOfMemoryException) => GatewayErrorKind.Overloaded,
                (_, OperationCanceledException) when expired is { } kind => kind,
                (_, OperationCanceledException or ObjectDisposedException or IOException) => KindOf(
                    Http1Failure.Incomplete,
                    phase,
                    expired
                ),
                _ => GatewayErrorKind.Internal,
            },
            Cause: e
        );

    /// <summary>The mapping.</summary>
    /// <param name="failure">The failure.</param>
    /// <param name="phase">The phase of the attempt.</param>
    /// <param name="expired">The kind of the expired time limit, if any: what a failed timer means.</param>
    public static GatewayErrorKind KindOf(Http1Failure failure, AttemptPhase phase, GatewayErrorKind? expired) =>
        (failure, phase) switch
        {
            (Http1Failure.TimedOut, _) => expired ?? GatewayErrorKind.IdleTimeout,
            (Http1Failure.Aborted, _) => GatewayErrorKind.ClientAborted, // cut off by the gateway: the response is no longer needed
            (Http1Failure.BadRequest, _) => GatewayErrorKind.Internal, // fields are validated earlier
            (Http1Failure.HeadTooLarge, _) => GatewayErrorKind.ResponseHeadTooLarge,
            (Http1Failure.Terminated or Http1Failure.Incomplete or Http1Failure.Malformed, AttemptPhase.Body) =>
                GatewayErrorKind.ResponseIncomplete,
            (Http1Failure.Terminated or Http1Failure.Incomplete, _) => GatewayErrorKind.ConnectionTerminated,
            (Http1Failure.Malformed, _) => GatewayErrorKind.ProtocolError,
            _ => GatewayErrorKind.Internal,
        };
}
