using System.Diagnostics;
using System.Globalization;
using System.Net;
using Lintel.Carriers;
using Lintel.Config;
using Lintel.Errors;
using Lintel.Pipeline;
using Lintel.Services;
using Lintel.Services.Attempts;
using Lintel.Services.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;
using Yarp.ReverseProxy.Forwarder;

namespace Lintel.Forwarding;

/// <summary>
/// Forwards one attempt with YARP's forwarder: bodies in both directions with backpressure, trailers, upgrades. All decisions about headers
/// and targets were made before.
/// </summary>
internal sealed class YarpForwarder(IHttpForwarder forwarder) : IForwarder
{
    public ValueTask<GatewayError?> SendAsync(Exchange exchange, in ForwardAttempt attempt) =>
        attempt.Race is { IsHedge: true } hedge ? HedgeAsync(exchange, attempt, hedge) : SendAsync(new Attempt(exchange, attempt));

    /// <summary>Sends a hedge. If it wins, the first attempt passes its response on.</summary>
    private static async ValueTask<GatewayError?> HedgeAsync(Exchange exchange, ForwardAttempt attempt, HedgedAttempt hedge)
    {
        using var message = new HttpRequestMessage(new HttpMethod(attempt.Request.Method), (Uri?)null)
        {
            Version = VersionOf(attempt.Service),
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        UpstreamMessage.Fill(message, attempt.Service, attempt.Instance, attempt.Request, attempt.Span);
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(attempt.Deadline.Token, exchange.Aborted, hedge.CutOffToken);
        try
        {
            var response = await attempt.Service.Invoker.SendAsync(message, ends.Token).ConfigureAwait(false);
            if (hedge.TryWin((int)response.StatusCode))
            {
                hedge.Race.Handoff.SetResult(response);
                return await hedge.Race.FirstEnd.ConfigureAwait(false);
            }

            response.Dispose();
            return HedgeRace.Lost;
        }
        catch (Exception e)
        {
            return hedge.IsCutOff ? HedgeRace.Lost
                : exchange.IsAborted ? new GatewayError(GatewayErrorKind.ClientAborted)
                : HandlerFailures.Of(e, AttemptPhase.AwaitingHead, attempt.Deadline.Expired);
        }
    }

    private static Version VersionOf(Service service) =>
        service.Config.Protocol == ServiceProtocol.Http2 ? HttpVersion.Version20 : HttpVersion.Version11;

    private async ValueTask<GatewayError?> SendAsync(Attempt attempt)
    {
        var (exchange, _, _, _, deadline) = attempt.Parts;
        // What the loops' forwarder does itself is done here by wrapping what YARP reads and writes.
        var context = exchange.Request.AsHttpContext();
        var answer = ResponseBody.CountFor(context);
        var body = exchange.HasBody ? new DeadlineBody(exchange.Request, deadline) : null;
        using var tunnel = CountedTunnel.CountFor(context, deadline);
        try
        {
            return await ForwardAsync(attempt, body, tunnel).ConfigureAwait(false);
        }
        finally
        {
            body?.Stop();
            answer.Stop();
            exchange.RequestBytes += (body?.Count ?? 0) + (tunnel?.Received ?? 0);
            exchange.ResponseBytes += answer.Count + (tunnel?.Sent ?? 0);
        }
    }

    private async ValueTask<GatewayError?> ForwardAsync(Attempt attempt, DeadlineBody? body, CountedTunnel? tunnel)
    {
        var (exchange, service, instance, request, deadline) = attempt.Parts;
        var context = exchange.Request.AsHttpContext();
        context.Features.Set<IHttpResetFeature>(attempt);
        if (context.Request.Headers.Upgrade.Count > 0)
            context.Request.Headers.Upgrade = exchange.Upgrade is null or UpgradeSet.WebSocket
                ? exchange.Upgrade
                : UpgradeAsSent.KnownToYarp;
        var config = new ForwarderRequestConfig
        {
            ActivityTimeout = service.IdleTimeout,
            Version = VersionOf(service),
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        if (service.Config.Protocol == ServiceProtocol.Http1)
            Http1Exchange.Current.Value = attempt.Watch();
        var result = await forwarder
            .SendAsync(context, instance.Prefix, attempt.Invoker, config, attempt, tunnel?.Token ?? deadline.Token)
            .ConfigureAwait(false);
        if (attempt.GivenUp is { } givenUp)
            return givenUp;
        if (request.Grpc?.Error is { } error)
            return error;
        if (result == ForwarderError.None)
            // detected by YARP when converting to HTTP/2
            return attempt.HasResponse ? null : new GatewayError(GatewayErrorKind.BadUpgrade, "Sec-WebSocket-Key is not valid");
        if (tunnel is { HasEnded: true })
            return null;
        if (attempt.ClientLeft ?? context.RequestAborted.IsCancellationRequested)
            return new GatewayError(GatewayErrorKind.ClientAborted);

        // A complete response before the end of the request is a response: an error in the rest of the request is not a failure.
        return attempt.IsWhole ? null : YarpFailures.Of(result, context.Features.Get<IForwarderErrorFeature>()?.Exception, deadline, body);
    }

    /// <summary>Passes the prepared request to YARP, and the response headers to the client.</summary>
    private sealed class Attempt(Exchange exchange, in ForwardAttempt attempt) : HttpTransformer, IHttpResetFeature
    {
        private readonly Service _service = attempt.Service;
        private readonly Instance _instance = attempt.Instance;
        private readonly UpstreamRequest _request = attempt.Request;
        private readonly Deadline _deadline = attempt.Deadline;
        private readonly Activity? _span = attempt.Span;
        private readonly HedgedAttempt? _race = attempt.Race;
        private readonly RetryOffer? _offer = attempt.Offer;

        public (Exchange Exchange, Service Service, Instance Instance, UpstreamRequest Request, Deadline Deadline) Parts =>
            (exchange, _service, _instance, _request, _deadline);

        public HttpMessageInvoker Invoker => _race is null ? _service.Invoker : new RacingInvoker(_service.Invoker, _race);

        public bool HasResponse { get; private set; }

        /// <summary>The error in place of a response that was given up: for another attempt, or because it came too late.</summary>
        public GatewayError? GivenUp { get; private set; }

        /// <summary>Whether the response was passed on completely.</summary>
        public bool IsWhole { get; private set; }

        /// <summary>
        /// Whether the client had disconnected when the forwarder wanted to abort its response; <see langword="null"/> if it did not want
        /// to.
        /// </summary>
        public bool? ClientLeft { get; private set; }

        /// <summary>Leaves the reset to the pipeline: a reset here would look like a client disconnect.</summary>
        public void Reset(int errorCode) => ClientLeft = exchange.IsAborted;

        public override ValueTask TransformRequestAsync(
            HttpContext httpContext,
            HttpRequestMessage proxyRequest,
            string destinationPrefix,
            CancellationToken cancellationToken
        )
        {
            UpstreamMessage.Fill(proxyRequest, _service, _instance, _request, _span);
            if (proxyRequest.Content is not null && exchange.ExpectsContinue)
                proxyRequest.Headers.ExpectContinue = true; // the service may refuse before the client sends the body
            if (exchange.Upgrade is { } upgrade and not UpgradeSet.WebSocket)
                proxyRequest.Options.Set(UpgradeAsSent.Key, upgrade);
            return default;
        }

        public override ValueTask<bool> TransformResponseAsync(
            HttpContext httpContext,
            HttpResponseMessage? proxyResponse,
            CancellationToken cancellationToken
        )
        {
            if (proxyResponse is null)
                return new(false);
            HasResponse = true;
            if (_offer is not null)
            {
                var fields = proxyResponse.Headers.NonValidated;
                var grpcStatus =
                    _request.Grpc is not null
                    && fields.TryGetValues(GrpcAnswer.Status, out var status)
                    && int.TryParse(status.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                        ? number
                        : (int?)null;
                var retryAfter = fields.TryGetValues("Retry-After", out var value) ? value.ToString() : null;
                GivenUp = _offer.Take((int)proxyResponse.StatusCode, grpcStatus, retryAfter);
                if (GivenUp is not null)
                    return new(false);
            }

            if (!_deadline.HeadCame())
            {
                // The token is canceled: the response could not be passed on, but another attempt may follow.
                GivenUp = new GatewayError(_deadline.Expired ?? GatewayErrorKind.ResponseTimeout);
                return new(false);
            }

            if (Upgrade.Problem(exchange, proxyResponse) is { } problem)
                throw new UpgradeException(problem);

            var headers = httpContext.Response.Headers;
            var nominated = proxyResponse.Headers.NonValidated.TryGetValues("Connection", out var connection)
                ? HeaderRules.Nominated(Values(connection))
                : null;
            Copy(proxyResponse.Headers.NonValidated, headers, nominated);
            Copy(proxyResponse.Content.Headers.NonValidated, headers, nominated);
            _request.Grpc?.Take(proxyResponse, _deadline);
            var mayHaveContent = ResponsePhase.Enter(exchange);
            if (_request.Grpc is not null)
                return new(true);
            if (!mayHaveContent && proxyResponse.StatusCode == HttpStatusCode.ResetContent)
                Discard(proxyResponse);
            else if (mayHaveContent && headers.ContentLength is null && !exchange.WantsUpgrade)
                proxyResponse.Content = new HeadFirstContent(proxyResponse.Content, exchange.Response);
            return new(true);
        }

        public override async ValueTask TransformResponseTrailersAsync(
            HttpContext httpContext,
            HttpResponseMessage proxyResponse,
            CancellationToken cancellationToken
        )
        {
            if (
                _request.Grpc is null
                || !await _request
                    .Grpc.EndAsync(proxyResponse, n => HeaderRules.KeepsTrailer(n) && !exchange.Route!.ResponseHeaders.Removes(n))
                    .ConfigureAwait(false)
            )
            {
                if (proxyResponse.TrailingHeaders.NonValidated.Count > 0)
                    Trailers.Send(
                        exchange,
                        proxyResponse.TrailingHeaders.NonValidated.SelectMany(t => t.Value.Select(v => KeyValuePair.Create(t.Key, v)))
                    );
            }

            // A response before the end of the request: the client has received it, and may continue sending or not.
            if (!_deadline.IsBodySent)
                await httpContext.Response.CompleteAsync().ConfigureAwait(false);
            IsWhole = true;
        }

        /// <summary>
        /// Returns the state that the connection to an HTTP/1.1 instance needs of this request; <see langword="null"/> for none.
        /// </summary>
        public Http1Exchange? Watch()
        {
            var client = Interim.To(exchange.Request);
            var mayHaveTrailers = exchange.HasBody && exchange.Request.ContentLength is null;
            if (client is null && !mayHaveTrailers)
                return null;
            return new Http1Exchange(
                client is null ? null : (status, fields) => Interim.SendAsync(client, status, fields, exchange.Route!.ResponseHeaders)
            )
            {
                Trailers = mayHaveTrailers ? () => Trailers.OfRequest(exchange) : null,
            };
        }

        private void Copy(System.Net.Http.Headers.HttpHeadersNonValidated from, IHeaderDictionary to, HashSet<string>? nominated)
        {
            foreach (var (name, values) in from)
            {
                var value = Values(values);
                if (FieldSyntax.Problem(name, value) is { } problem)
                    throw new HttpRequestException(HttpRequestError.InvalidResponse, "The response is malformed: " + problem);
                if (HeaderRules.KeepsResponse(name) && (nominated is null || !nominated.Contains(name)))
                    to[name] = value; // each name occurs once; the application's own value is replaced
                else if (HeaderRules.IsRequiredUpgrade(name, exchange.Response.StatusCode) && exchange.Request.IsHttp11)
                    (to.Connection, to.Upgrade) = ("Upgrade", value);
            }
        }

        /// <summary>
        /// Discards content that the status does not allow, and the connection with it if the handler cannot drain it quickly.
        /// </summary>
        private static void Discard(HttpResponseMessage response)
        {
            response.Content.Dispose();
            response.Content = new ByteArrayContent([]);
        }

        private static StringValues Values(System.Net.Http.Headers.HeaderStringValues values) =>
            values.Count == 1 ? values.ToString() : values.ToArray();
    }
}
