using Lintel.Errors;
using Lintel.Transport.Http1;

namespace Lintel.Services.Connections;

/// <summary>
/// What failures of the gateway's own HTTP/1.1 client say of an instance: the one translation for forwarded requests and calls. Its
/// counterpart for .NET's handler is <see cref="HandlerFailures"/>; the same event on the wire has the same kind in both.
/// </summary>
internal static class Http1Failures
{
    /// <summary>The error of an exchange on a connection.</summary>
    /// <param name="e">What the connection threw.</param>
    /// <param name="connection">The connection, before it is given back.</param>
    /// <param name="expired">The kind of the time limit that is over; <see langword="null"/> where only the idle timeout can be.</param>
    public static GatewayError Of(Http1Exception e, Http1Connection connection, GatewayErrorKind? expired)
    {
        var kind = KindOf(e.Failure, connection.HasFinalHead ? AttemptPhase.Body : AttemptPhase.AwaitingHead, expired);
        return new GatewayError(kind, Cause: e)
        {
            EndedKeptConnection = kind == GatewayErrorKind.ConnectionTerminated && connection is { IsReused: true, HasAnswer: false },
        };
    }

    /// <summary>The error of a connection that was not made, or of one that has become a tunnel.</summary>
    /// <param name="e">What was thrown.</param>
    /// <param name="phase">How far the attempt was.</param>
    /// <param name="expired">The kind of the time limit that is over, if one is.</param>
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

    /// <summary>The table.</summary>
    /// <param name="failure">What failed.</param>
    /// <param name="phase">How far the attempt was.</param>
    /// <param name="expired">The kind of the time limit that is over, if one is: what a failed timer means.</param>
    public static GatewayErrorKind KindOf(Http1Failure failure, AttemptPhase phase, GatewayErrorKind? expired) =>
        (failure, phase) switch
        {
            (Http1Failure.TimedOut, _) => expired ?? GatewayErrorKind.IdleTimeout,
            (Http1Failure.Aborted, _) => GatewayErrorKind.ClientAborted, // cut off here: nobody waits for the answer
            (Http1Failure.BadRequest, _) => GatewayErrorKind.Internal, // fields are checked before they come here
            (Http1Failure.HeadTooLarge, _) => GatewayErrorKind.ResponseHeadTooLarge,
            (Http1Failure.Terminated or Http1Failure.Incomplete or Http1Failure.Malformed, AttemptPhase.Body) =>
                GatewayErrorKind.ResponseIncomplete,
            (Http1Failure.Terminated or Http1Failure.Incomplete, _) => GatewayErrorKind.ConnectionTerminated,
            (Http1Failure.Malformed, _) => GatewayErrorKind.ProtocolError,
            _ => GatewayErrorKind.Internal,
        };
}
