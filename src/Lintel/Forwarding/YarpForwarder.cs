using System.Net;
using System.Net.Sockets;
using Lintel.Config;
using Lintel.Errors;
using Lintel.Pipeline;
using Lintel.Services;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Yarp.ReverseProxy.Forwarder;

namespace Lintel.Forwarding;

/// <summary>Carries one attempt by YARP's forwarder: bodies both ways with back-pressure, trailers, upgrades. All decisions about headers and targets were made before.</summary>
internal sealed class YarpForwarder(IHttpForwarder forwarder)
{
    /// <summary>Sends the request to an instance and its answer to the client.</summary>
    /// <param name="exchange">The request at hand.</param>
    /// <param name="service">Whose connections carry it.</param>
    /// <param name="instance">Where it goes.</param>
    /// <param name="request">What is sent.</param>
    /// <param name="responseHeaders">The route's changes of the response.</param>
    /// <param name="deadline">Canceled when the response's head is due; disarmed when it comes.</param>
    /// <returns><see langword="null"/> for an answer of whatever status that was passed on whole.</returns>
    public async ValueTask<GatewayError?> SendAsync(
        Exchange exchange, Service service, Instance instance, UpstreamRequest request, HeaderChanges responseHeaders, CancellationTokenSource deadline)
    {
        var context = exchange.Context;
        var attempt = new Attempt(exchange, service, instance, request, responseHeaders, deadline);
        var config = new ForwarderRequestConfig
        {
            ActivityTimeout = service.IdleTimeout,
            Version = service.Config.Protocol == ServiceProtocol.Http2 ? HttpVersion.Version20 : HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        var result = await forwarder.SendAsync(context, instance.Prefix, service.Invoker, config, attempt, deadline.Token).ConfigureAwait(false);
        if (result == ForwarderError.None)
            return null;
        if (context.RequestAborted.IsCancellationRequested)
            return new GatewayError(GatewayErrorKind.ClientAborted);
        return Translate(result, context.Features.Get<IForwarderErrorFeature>()?.Exception, deadline.IsCancellationRequested, attempt.HasResponse);
    }

    private static GatewayError Translate(ForwarderError error, Exception? cause, bool isOverdue, bool hasResponse)
    {
        if (isOverdue && !hasResponse)
            return new GatewayError(Find<UpstreamConnectException>(cause)?.Kind ?? GatewayErrorKind.ResponseTimeout, Cause: cause);
        var kind = error switch
        {
            ForwarderError.RequestBodyClient or ForwarderError.RequestBodyCanceled when !hasResponse && Find<BadHttpRequestException>(cause) is not null => GatewayErrorKind.BadRequestBody,
            ForwarderError.RequestBodyClient => GatewayErrorKind.BadRequestBody,
            ForwarderError.ResponseBodyCanceled or ForwarderError.UpgradeActivityTimeout => GatewayErrorKind.IdleTimeout,
            ForwarderError.ResponseBodyDestination => Find<OperationCanceledException>(cause) is null ? GatewayErrorKind.ResponseIncomplete : GatewayErrorKind.IdleTimeout,
            ForwarderError.ResponseBodyClient or ForwarderError.UpgradeRequestClient or ForwarderError.UpgradeResponseClient or ForwarderError.UpgradeRequestCanceled or ForwarderError.UpgradeResponseCanceled => GatewayErrorKind.ClientAborted,
            ForwarderError.UpgradeRequestDestination or ForwarderError.UpgradeResponseDestination => GatewayErrorKind.ResponseIncomplete,
            ForwarderError.RequestTimedOut => IsConnectTimeout(cause) ? GatewayErrorKind.ConnectionTimeout : GatewayErrorKind.IdleTimeout,
            ForwarderError.RequestCreation => GatewayErrorKind.Internal,
            _ => OfException(cause),
        };
        return new GatewayError(kind, Cause: cause);
    }

    /// <summary>What the HTTP handler's exception says of the instance.</summary>
    private static GatewayErrorKind OfException(Exception? cause)
    {
        if (Find<UpstreamConnectException>(cause) is { } connect)
            return connect.Kind;
        if (IsConnectTimeout(cause))
            return GatewayErrorKind.ConnectionTimeout;
        return Find<HttpRequestException>(cause)?.HttpRequestError switch
        {
            HttpRequestError.ResponseEnded => GatewayErrorKind.ConnectionTerminated,
            HttpRequestError.InvalidResponse or HttpRequestError.HttpProtocolError or HttpRequestError.VersionNegotiationError => GatewayErrorKind.ProtocolError,
            HttpRequestError.ConfigurationLimitExceeded => GatewayErrorKind.ResponseHeadTooLarge,
            HttpRequestError.NameResolutionError => GatewayErrorKind.DnsError,
            HttpRequestError.SecureConnectionError => GatewayErrorKind.TlsError,
            HttpRequestError.ConnectionError => GatewayErrorKind.ConnectionRefused,
            _ when Find<SocketException>(cause) is not null || Find<IOException>(cause) is not null => GatewayErrorKind.ConnectionTerminated,
            null when cause is OperationCanceledException => GatewayErrorKind.ResponseTimeout,
            _ => GatewayErrorKind.Internal,
        };
    }

    /// <summary>SocketsHttpHandler's ConnectTimeout cancels with a TimeoutException inside.</summary>
    private static bool IsConnectTimeout(Exception? cause) => Find<TimeoutException>(cause) is not null && Find<OperationCanceledException>(cause) is not null;

    private static T? Find<T>(Exception? exception)
        where T : Exception
    {
        for (; exception is not null; exception = exception.InnerException)
        {
            if (exception is T found)
                return found;
        }

        return null;
    }

    /// <summary>Hands the prepared request to YARP, and the response's headers to the client.</summary>
    private sealed class Attempt(
        Exchange exchange, Service service, Instance instance, UpstreamRequest request, HeaderChanges responseHeaders, CancellationTokenSource deadline) : HttpTransformer
    {
        public bool HasResponse { get; private set; }

        public override ValueTask TransformRequestAsync(HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
        {
            UpstreamMessage.Fill(proxyRequest, service, instance, request);
            return default;
        }

        public override ValueTask<bool> TransformResponseAsync(HttpContext httpContext, HttpResponseMessage? proxyResponse, CancellationToken cancellationToken)
        {
            if (proxyResponse is null)
                return new(false);
            HasResponse = true;
            deadline.CancelAfter(Timeout.InfiniteTimeSpan); // the body has the idle timeout

            var headers = httpContext.Response.Headers;
            var nominated = proxyResponse.Headers.NonValidated.TryGetValues("Connection", out var connection) ? HeaderRules.Nominated(Values(connection)) : null;
            Copy(proxyResponse.Headers.NonValidated, headers, nominated);
            Copy(proxyResponse.Content.Headers.NonValidated, headers, nominated);
            foreach (var (name, template) in responseHeaders.Added)
            {
                if (template.RenderForHeader(exchange) is { Length: > 0 } value)
                    headers.Append(name, value);
            }

            return new(true);
        }

        public override ValueTask TransformResponseTrailersAsync(HttpContext httpContext, HttpResponseMessage proxyResponse, CancellationToken cancellationToken)
        {
            var trailers = httpContext.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpResponseTrailersFeature>()?.Trailers;
            if (trailers is { IsReadOnly: false })
                Copy(proxyResponse.TrailingHeaders.NonValidated, trailers, null);
            return default;
        }

        private void Copy(System.Net.Http.Headers.HttpHeadersNonValidated from, IHeaderDictionary to, HashSet<string>? nominated)
        {
            foreach (var (name, values) in from)
            {
                if (HeaderRules.KeepsResponse(name) && !responseHeaders.Removes(name) && (nominated is null || !nominated.Contains(name)))
                    to.Append(name, Values(values));
            }
        }

        private static StringValues Values(System.Net.Http.Headers.HeaderStringValues values) => values.Count == 1 ? values.ToString() : values.ToArray();
    }
}
