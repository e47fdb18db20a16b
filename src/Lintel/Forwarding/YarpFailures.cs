using Lintel.Errors;
using Lintel.Services.Connections;
using Microsoft.AspNetCore.Http;
using Yarp.ReverseProxy.Forwarder;

namespace Lintel.Forwarding;

/// <summary>
/// Maps YARP's errors to the client's part and the progress of the attempt; <see cref="HandlerFailures"/> maps the service's part.
/// </summary>
internal static class YarpFailures
{
    /// <summary>Returns the error of an attempt.</summary>
    /// <param name="error">The stage at which YARP failed.</param>
    /// <param name="cause">The exception.</param>
    /// <param name="deadline">The request's deadline.</param>
    /// <param name="body">The client's body; <see langword="null"/> for none.</param>
    public static GatewayError Of(ForwarderError error, Exception? cause, Deadline deadline, DeadlineBody? body)
    {
        if (
            error is ForwarderError.RequestBodyClient or ForwarderError.RequestBodyCanceled
            && HandlerFailures.Find<BadHttpRequestException>(cause) is { } refused
        )
            return GatewayError.OfRequestBody(refused);
        GatewayErrorKind? expired =
            deadline.Expired is { } passed ? passed
            : IsIdleTimeout(error, cause) ? GatewayErrorKind.IdleTimeout
            : null;
        return error switch
        {
            ForwarderError.RequestBodyClient when body is { HasFailed: true } => Failure(GatewayErrorKind.BadRequestBody),
            ForwarderError.ResponseBodyClient
            or ForwarderError.UpgradeRequestClient
            or ForwarderError.UpgradeResponseClient
            or ForwarderError.UpgradeRequestCanceled
            or ForwarderError.UpgradeResponseCanceled => Failure(expired ?? GatewayErrorKind.ClientAborted),
            ForwarderError.Request when body is not null && HandlerFailures.Find<InvalidOperationException>(cause) is not null => Failure(
                expired ?? GatewayErrorKind.ConnectionTerminated
            ), // refused, and the body is consumed
            ForwarderError.ResponseHeaders
                when HandlerFailures.Find<UpgradeException>(cause) is not null || cause is InvalidOperationException => Failure(
                expired ?? GatewayErrorKind.UpgradeFailed
            ),
            _ => HandlerFailures.Of(cause, PhaseOf(error), expired),
        };

        GatewayError Failure(GatewayErrorKind kind) => new(kind, Cause: cause);
    }

    /// <summary>Whether YARP's own idle limit has passed, which ends the exchange in several ways.</summary>
    private static bool IsIdleTimeout(ForwarderError error, Exception? cause) =>
        error is ForwarderError.RequestTimedOut or ForwarderError.ResponseBodyCanceled or ForwarderError.UpgradeActivityTimeout
        || (error == ForwarderError.ResponseBodyDestination && HandlerFailures.Find<OperationCanceledException>(cause) is not null);

    private static AttemptPhase PhaseOf(ForwarderError error) =>
        error switch
        {
            ForwarderError.RequestCreation => AttemptPhase.Connecting,
            ForwarderError.RequestBodyClient or ForwarderError.RequestBodyCanceled or ForwarderError.RequestBodyDestination =>
                AttemptPhase.Sending,
            ForwarderError.ResponseBodyCanceled
            or ForwarderError.ResponseBodyDestination
            or ForwarderError.UpgradeRequestDestination
            or ForwarderError.UpgradeResponseDestination
            or ForwarderError.UpgradeActivityTimeout => AttemptPhase.Body,
            _ => AttemptPhase.AwaitingHead,
        };
}
