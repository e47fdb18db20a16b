using System.Net.Sockets;
using Lintel.Errors;
using Lintel.Transport.Http1;

namespace Lintel.Services.Connections;

/// <summary>
/// Maps exceptions of .NET's HTTP handler to errors, for forwarded requests, calls and mirrored copies. Its counterpart for the gateway's
/// own HTTP/1.1 client is <see cref="Http1Failures"/>.
/// </summary>
internal static class HandlerFailures
{
    /// <summary>RFC 9113 section 7.</summary>
    private const long RefusedStream = 7;

    /// <summary>The error of an attempt.</summary>
    /// <param name="cause">The exception of the handler.</param>
    /// <param name="phase">The phase of the attempt.</param>
    /// <param name="expired">The kind of the expired time limit, if any. The handler fails in many ways when its token is canceled; only an
    /// exception that identifies the failure exactly takes precedence.</param>
    public static GatewayError Of(Exception? cause, AttemptPhase phase, GatewayErrorKind? expired) =>
        new(KindOf(cause, phase, expired), Cause: cause)
        {
            IsNotProcessed = Find<HttpProtocolException>(cause) is { ErrorCode: RefusedStream },
        };

    /// <summary>
    /// The mapping, in order of precedence: failures that are identified exactly, an expired limit, events on the connection.
    /// </summary>
    public static GatewayErrorKind KindOf(Exception? cause, AttemptPhase phase, GatewayErrorKind? expired)
    {
        if (Find<UpstreamConnectException>(cause) is { } connect)
            return connect.Kind;
        if (IsConnectTimeout(cause))
            return GatewayErrorKind.ConnectionTimeout;
        if (Find<OutOfMemoryException>(cause) is not null)
            return GatewayErrorKind.Overloaded;
        if (Find<UnsendableHostException>(cause) is not null)
            return GatewayErrorKind.BadTarget;
        if (expired is { } kind)
            return kind;
        return ErrorOf(cause) switch
        {
            HttpRequestError.NameResolutionError => GatewayErrorKind.DnsError,
            HttpRequestError.SecureConnectionError => GatewayErrorKind.TlsError,
            HttpRequestError.ConnectionError => GatewayErrorKind.ConnectionRefused,
            HttpRequestError.ExtendedConnectNotSupported => GatewayErrorKind.UpgradeFailed,
            _ => FailureOf(cause) is { } failure ? Http1Failures.KindOf(failure, phase, expired: null)
            // If a service closes while the body is being sent, sending can fail in many ways.
            : phase == AttemptPhase.Sending ? GatewayErrorKind.ConnectionTerminated
            : GatewayErrorKind.Internal,
        };
    }

    /// <summary>The exception itself, or the first inner one, of a type.</summary>
    public static T? Find<T>(Exception? exception)
        where T : Exception
    {
        for (; exception is not null; exception = exception.InnerException)
        {
            if (exception is T found)
                return found;
            if (exception is AggregateException { InnerExceptions: { Count: > 1 } several })
                return several.Select(Find<T>).FirstOrDefault(f => f is not null);
        }

        return null;
    }

    /// <summary>Whether the handler's connect timeout expired: it cancels with an inner <see cref="TimeoutException"/>.</summary>
    private static bool IsConnectTimeout(Exception? cause) =>
        Find<TimeoutException>(cause) is not null && Find<OperationCanceledException>(cause) is not null;

    /// <summary>The error that the handler reports; bodies throw their own exception type.</summary>
    private static HttpRequestError? ErrorOf(Exception? cause) =>
        Find<HttpRequestException>(cause)?.HttpRequestError ?? Find<HttpIOException>(cause)?.HttpRequestError;

    /// <summary>The event on the connection or stream, as in <see cref="Http1Failures"/>; <see langword="null"/> for none.</summary>
    private static Http1Failure? FailureOf(Exception? cause) =>
        ErrorOf(cause) switch
        {
            _ when Find<Http1Exception>(cause) is { } http1 => http1.Failure,
            HttpRequestError.InvalidResponse or HttpRequestError.HttpProtocolError or HttpRequestError.VersionNegotiationError =>
                Http1Failure.Malformed,
            HttpRequestError.ConfigurationLimitExceeded => Http1Failure.HeadTooLarge,
            HttpRequestError.ResponseEnded => Http1Failure.Incomplete,
            _ when Find<IOException>(cause) is not null || Find<SocketException>(cause) is not null => Http1Failure.Incomplete,
            _ when Find<OperationCanceledException>(cause) is not null => Http1Failure.Incomplete, // canceled, but not by the gateway
            _ => null,
        };
}
