using System.Net.Sockets;
using Lintel.Errors;
using Lintel.Transport.Http1;

namespace Lintel.Services.Connections;

/// <summary>
/// What exceptions of .NET's HTTP handler say of an instance: the one translation for forwarded requests, calls and mirrored copies. Its
/// counterpart for the gateway's own HTTP/1.1 client is <see cref="Http1Failures"/>.
/// </summary>
internal static class HandlerFailures
{
    /// <summary>The error of an attempt.</summary>
    /// <param name="cause">What the handler threw.</param>
    /// <param name="phase">How far the attempt was.</param>
    /// <param name="expired">
    /// The kind of the time limit that is over, if one is. The handler ends in many ways where its token is canceled; only what says
    /// exactly what failed goes before it.
    /// </param>
    public static GatewayError Of(Exception? cause, AttemptPhase phase, GatewayErrorKind? expired) =>
        new(KindOf(cause, phase, expired), Cause: cause);

    /// <summary>The table: what says exactly what failed, the limit that is over, and what is an event on the connection.</summary>
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
            // A service that breaks off while the body is sent ends the reading of it in ways of all kinds.
            : phase == AttemptPhase.Sending ? GatewayErrorKind.ConnectionTerminated
            : GatewayErrorKind.Internal,
        };
    }

    /// <summary>The exception itself, or the first one inside it, of a type.</summary>
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

    /// <summary>The handler's own limit for connecting cancels with a <see cref="TimeoutException"/> inside.</summary>
    private static bool IsConnectTimeout(Exception? cause) =>
        Find<TimeoutException>(cause) is not null && Find<OperationCanceledException>(cause) is not null;

    /// <summary>What the handler says itself; bodies throw an exception of their own kind.</summary>
    private static HttpRequestError? ErrorOf(Exception? cause) =>
        Find<HttpRequestException>(cause)?.HttpRequestError ?? Find<HttpIOException>(cause)?.HttpRequestError;

    /// <summary>
    /// The event on the connection, or the stream on it, as <see cref="Http1Failures"/> has it; <see langword="null"/> for none.
    /// </summary>
    private static Http1Failure? FailureOf(Exception? cause) =>
        ErrorOf(cause) switch
        {
            _ when Find<Http1Exception>(cause) is { } http1 => http1.Failure,
            HttpRequestError.InvalidResponse or HttpRequestError.HttpProtocolError or HttpRequestError.VersionNegotiationError =>
                Http1Failure.Malformed,
            HttpRequestError.ConfigurationLimitExceeded => Http1Failure.HeadTooLarge,
            HttpRequestError.ResponseEnded => Http1Failure.Incomplete,
            _ when Find<IOException>(cause) is not null || Find<SocketException>(cause) is not null => Http1Failure.Incomplete,
            _ when Find<OperationCanceledException>(cause) is not null => Http1Failure.Incomplete, // canceled, and not here
            _ => null,
        };
}
