using System.Net.Sockets;
using Lintel.Errors;
using Lintel.Services.Connections;
using Lintel.Transport.Http1;

namespace Lintel.Forwarding;

/// <summary>What exceptions of .NET's HTTP handler say of an instance.</summary>
internal static class HandlerErrors
{
    public static GatewayErrorKind KindOf(Exception? cause)
    {
        if (Find<UpstreamConnectException>(cause) is { } connect)
            return connect.Kind;
        if (Find<OutOfMemoryException>(cause) is not null)
            return GatewayErrorKind.Overloaded;
        if (Find<Http1Exception>(cause) is { Failure: Http1Failure.Malformed })
            return GatewayErrorKind.ProtocolError;
        if (Find<UnsendableHostException>(cause) is not null)
            return GatewayErrorKind.BadTarget;
        if (IsConnectTimeout(cause))
            return GatewayErrorKind.ConnectionTimeout;
        return Find<HttpRequestException>(cause)?.HttpRequestError switch
        {
            HttpRequestError.ResponseEnded => GatewayErrorKind.ConnectionTerminated,
            HttpRequestError.InvalidResponse or HttpRequestError.HttpProtocolError or HttpRequestError.VersionNegotiationError =>
                GatewayErrorKind.ProtocolError,
            HttpRequestError.ExtendedConnectNotSupported => GatewayErrorKind.UpgradeFailed,
            HttpRequestError.ConfigurationLimitExceeded => GatewayErrorKind.ResponseHeadTooLarge,
            HttpRequestError.NameResolutionError => GatewayErrorKind.DnsError,
            HttpRequestError.SecureConnectionError => GatewayErrorKind.TlsError,
            HttpRequestError.ConnectionError => GatewayErrorKind.ConnectionRefused,
            _ when Find<SocketException>(cause) is not null || Find<IOException>(cause) is not null =>
                GatewayErrorKind.ConnectionTerminated,
            null when cause is OperationCanceledException => GatewayErrorKind.ResponseTimeout,
            _ => GatewayErrorKind.Internal,
        };
    }

    /// <summary>SocketsHttpHandler's ConnectTimeout cancels with a TimeoutException inside.</summary>
    public static bool IsConnectTimeout(Exception? cause) =>
        Find<TimeoutException>(cause) is not null && Find<OperationCanceledException>(cause) is not null;

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
}
