using System.Net;
using System.Net.Sockets;
using Lintel.Config;
using Lintel.Errors;
using Lintel.Pipeline;
using Lintel.Services;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;
using Yarp.ReverseProxy.Forwarder;

namespace Lintel.Forwarding;

/// <summary>Carries one attempt by YARP's forwarder: bodies both ways with back-pressure, trailers, upgrades. All decisions about headers and targets were made before.</summary>
internal sealed class YarpForwarder(IHttpForwarder forwarder, TimeProvider time)
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
        Exchange exchange, Service service, Instance instance, UpstreamRequest request, HeaderChanges responseHeaders, Deadline deadline)
    {
        var context = exchange.Context;
        var attempt = new Attempt(exchange, service, instance, request, responseHeaders, deadline, time);
        context.Features.Set<IHttpResetFeature>(attempt);
        var config = new ForwarderRequestConfig
        {
            ActivityTimeout = service.IdleTimeout,
            Version = service.Config.Protocol == ServiceProtocol.Http2 ? HttpVersion.Version20 : HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        if (service.Config.Protocol == ServiceProtocol.Http1)
            Http1Exchange.Current.Value = attempt.Watch(context);
        var result = await forwarder.SendAsync(context, instance.Prefix, service.Invoker, config, attempt, deadline.Token).ConfigureAwait(false);
        if (request.Grpc?.Error is { } told)
            return told;
        if (result == ForwarderError.None)
            return attempt.HasResponse ? null : new GatewayError(GatewayErrorKind.BadUpgrade, "the Sec-WebSocket-Key is none"); // YARP found out, on the way to HTTP/2
        if (attempt.ClientLeft ?? context.RequestAborted.IsCancellationRequested)
            return new GatewayError(GatewayErrorKind.ClientAborted);

        // An answer that came whole before the request did is an answer: what became of the rest of the request is nobody's failure.
        return attempt.IsWhole ? null : Translate(result, context.Features.Get<IForwarderErrorFeature>()?.Exception, deadline);
    }

    /// <summary>
    /// Browsers that open a page: others make nothing of early hints, and some HTTP/1.1 clients take them for the answer (RFC 8297 section 3; nginx advises the same condition). Watching
    /// for them costs a fifth of a small request (measured 2026-11-23, decision 0009). A client that waits for 100 (Continue) gets that one from Kestrel, and two cannot write at once.
    /// </summary>
    private static bool MayBeTold(HttpRequest request) =>
        HttpProtocol.IsHttp11(request.Protocol) && request.Headers["Sec-Fetch-Mode"] is ["navigate"] && request.Headers.Expect.Count == 0;

    private static GatewayError Translate(ForwarderError error, Exception? cause, Deadline deadline)
    {
        if (deadline.IsOver)
            return new GatewayError(Find<UpstreamConnectException>(cause)?.Kind ?? deadline.Kind, Cause: cause);
        if (error is ForwarderError.RequestBodyClient or ForwarderError.RequestBodyCanceled && Find<BadHttpRequestException>(cause) is { } refused)
            return GatewayError.OfRequestBody(refused);
        var kind = error switch
        {
            ForwarderError.RequestBodyClient => GatewayErrorKind.BadRequestBody,
            ForwarderError.ResponseBodyCanceled or ForwarderError.UpgradeActivityTimeout => GatewayErrorKind.IdleTimeout,
            ForwarderError.ResponseBodyDestination => Find<OperationCanceledException>(cause) is null ? GatewayErrorKind.ResponseIncomplete : GatewayErrorKind.IdleTimeout,
            ForwarderError.ResponseBodyClient or ForwarderError.UpgradeRequestClient or ForwarderError.UpgradeResponseClient or ForwarderError.UpgradeRequestCanceled or ForwarderError.UpgradeResponseCanceled => GatewayErrorKind.ClientAborted,
            ForwarderError.UpgradeRequestDestination or ForwarderError.UpgradeResponseDestination => GatewayErrorKind.ResponseIncomplete,
            ForwarderError.RequestTimedOut => IsConnectTimeout(cause) ? GatewayErrorKind.ConnectionTimeout : GatewayErrorKind.IdleTimeout,
            ForwarderError.ResponseHeaders when Find<UpgradeException>(cause) is not null || cause is InvalidOperationException => GatewayErrorKind.UpgradeFailed,
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
            HttpRequestError.ExtendedConnectNotSupported => GatewayErrorKind.UpgradeFailed,
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
        Exchange exchange, Service service, Instance instance, UpstreamRequest request, HeaderChanges responseHeaders, Deadline deadline, TimeProvider time) : HttpTransformer, IHttpResetFeature
    {
        public bool HasResponse { get; private set; }

        /// <summary>Whether the response was passed on to its end.</summary>
        public bool IsWhole { get; private set; }

        /// <summary>Whether the client had left when the forwarder wanted to cut off its response; <see langword="null"/> where it did not want to.</summary>
        public bool? ClientLeft { get; private set; }

        /// <summary>Cutting off is the pipeline's: done here, it would look as if the client had left.</summary>
        public void Reset(int errorCode) => ClientLeft = exchange.Context.RequestAborted.IsCancellationRequested;

        public override ValueTask TransformRequestAsync(HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
        {
            UpstreamMessage.Fill(proxyRequest, service, instance, request, exchange.AttemptSpan);
            if (proxyRequest.Content is not null && exchange.Request.Headers.Expect is [{ } expect, ..] && expect.Equals("100-continue", StringComparison.OrdinalIgnoreCase))
                proxyRequest.Headers.ExpectContinue = true; // the service may refuse before the client sends the body
            return default;
        }

        public override ValueTask<bool> TransformResponseAsync(HttpContext httpContext, HttpResponseMessage? proxyResponse, CancellationToken cancellationToken)
        {
            if (proxyResponse is null)
                return new(false);
            HasResponse = true;
            deadline.HeadCame();
            if (Upgrade.Problem(httpContext, proxyResponse) is { } problem)
                throw new UpgradeException(problem);

            var headers = httpContext.Response.Headers;
            var nominated = proxyResponse.Headers.NonValidated.TryGetValues("Connection", out var connection) ? HeaderRules.Nominated(Values(connection)) : null;
            Copy(proxyResponse.Headers.NonValidated, headers, nominated);
            Copy(proxyResponse.Content.Headers.NonValidated, headers, nominated);
            foreach (var (name, template) in responseHeaders.Added)
            {
                if (template.RenderForHeader(exchange) is { Length: > 0 } value)
                    headers.Append(name, value);
            }

            if (exchange.Snapshot.ServerTiming && !responseHeaders.Removes(ServerTiming.HeaderName))
                headers.Append(ServerTiming.HeaderName, ServerTiming.Render(exchange.Upstream + time.GetElapsedTime(exchange.AttemptTimestamp), time.GetElapsedTime(exchange.StartTimestamp)));
            if (request.Grpc is { } call)
                call.Take(proxyResponse, deadline);
            else if (headers.ContentLength is null && proxyResponse.StatusCode is not (HttpStatusCode.SwitchingProtocols or HttpStatusCode.NoContent or HttpStatusCode.NotModified) && !Upgrade.IsAsked(httpContext))
                proxyResponse.Content = new HeadFirstContent(proxyResponse.Content, httpContext.Response);
            return new(true);
        }

        public override async ValueTask TransformResponseTrailersAsync(HttpContext httpContext, HttpResponseMessage proxyResponse, CancellationToken cancellationToken)
        {
            if (request.Grpc is null || !await request.Grpc.EndAsync(proxyResponse, n => HeaderRules.KeepsResponse(n) && !responseHeaders.Removes(n)).ConfigureAwait(false))
            {
                var trailers = httpContext.Features.Get<IHttpResponseTrailersFeature>()?.Trailers;
                if (trailers is { IsReadOnly: false })
                    Copy(proxyResponse.TrailingHeaders.NonValidated, trailers, null);
                else if (proxyResponse.TrailingHeaders.NonValidated.Count > 0)
                    SendTrailers(httpContext, proxyResponse);
            }

            // An answer before the end of the request: the client has it now, and may go on sending or not.
            if (!deadline.IsBodySent)
                await httpContext.Response.CompleteAsync().ConfigureAwait(false);
            IsWhole = true;
        }

        /// <summary>What the connection to an HTTP/1.1 instance has to know of this request; <see langword="null"/> for nothing.</summary>
        public Http1Exchange? Watch(HttpContext context)
        {
            var client = MayBeTold(context.Request) ? context.Features.Get<IInformationalResponseFeature>() : null;
            var mayHaveTrailers = context.Request.ContentLength is null && context.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: true };
            if (client is null && !mayHaveTrailers)
                return null;
            return new Http1Exchange(client is null ? null : (status, fields) => TellAsync(client, status, fields))
            {
                Trailers = mayHaveTrailers && context.Features.Get<IHttpRequestTrailersFeature>() is { } trailers ? () => Passing(trailers) : null,
            };
        }

        /// <summary>The request's trailers under the rules of its headers.</summary>
        private static IEnumerable<KeyValuePair<string, string>> Passing(IHttpRequestTrailersFeature feature)
        {
            if (!feature.Available)
                return [];
            return from trailer in feature.Trailers
                   where HeaderRules.OfRequest(trailer.Key) == HeaderFate.Keep
                   from value in trailer.Value.OfType<string>()
                   select KeyValuePair.Create(trailer.Key, value);
        }

        /// <summary>To a client of HTTP/1.1 that wants trailers.</summary>
        private void SendTrailers(HttpContext context, HttpResponseMessage response)
        {
            if (!HeaderRules.TakesTrailers(context.Request.Headers.TE) || context.Response.ContentLength is not null || context.Features.Get<ITrailerOutputFeature>() is not { } output)
                return;
            var trailers = new HeaderDictionary();
            Copy(response.TrailingHeaders.NonValidated, trailers, null);
            output.Send(trailers);
        }

        /// <summary>An interim response goes on to the client before the final one: 103 Early Hints above all.</summary>
        public async ValueTask TellAsync(IInformationalResponseFeature client, int status, List<KeyValuePair<string, string>> fields)
        {
            var headers = new HeaderDictionary();
            var nominated = HeaderRules.Nominated(fields.Where(f => f.Key.Equals("Connection", StringComparison.OrdinalIgnoreCase)).Select(f => f.Value).ToArray());
            foreach (var (name, value) in fields)
            {
                if (HeaderRules.KeepsResponse(name) && !responseHeaders.Removes(name) && (nominated is null || !nominated.Contains(name)))
                    headers.Append(name, value);
            }

            try
            {
                await client.SendAsync(status, headers).ConfigureAwait(false);
            }
            catch (Exception e) when (e is IOException or OperationCanceledException)
            {
                // The client left: the final response will find out.
            }
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
