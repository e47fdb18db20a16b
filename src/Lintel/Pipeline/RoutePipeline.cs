using Lintel.Errors;
using Lintel.Observability;
using Lintel.Routing;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Lintel.Pipeline;

/// <summary>The spine: a request's life from its arrival to its line in the access log, top to bottom.</summary>
internal sealed class RoutePipeline(SnapshotHolder snapshots, AccessLogSlot accessLog, ErrorLog errors, GatewayMetrics metrics, TimeProvider time)
{
    private const string Unasked = "the request was changed after the application's routing, so that what the application demands of this route was not asked: "
        + "call app.UseRouting() after the middleware that changes it";

    private static readonly GatewayIdentity Nobody = new("lintel", "lintel");

    /// <summary>Serves one request. Never throws.</summary>
    /// <param name="context">The request.</param>
    /// <param name="origin">What brought it.</param>
    public async Task RunAsync(HttpContext context, RequestOrigin origin)
    {
        var started = time.GetTimestamp();
        if (snapshots.Enter() is not { } snapshot)
        {
            var unavailable = new GatewayError(GatewayErrorKind.Unavailable);
            errors.Record(unavailable, route: null, service: null, instance: null, traceId: "");
            await ProblemWriter.WriteAsync(context.Response, unavailable, Nobody.Name, "").ConfigureAwait(false);
            return;
        }

        var exchange = Spares<Exchange>.Take() ?? new Exchange();
        exchange.Begin(context, snapshot, started, origin);
        metrics.RequestStarted(context.Request.Method, context.Request.Scheme);
        RequestSpan.Start(exchange);
        GatewayError? error;
        try
        {
            error = exchange.Framing?.Refusal ?? HeadLimits.Check(exchange) ?? Match(exchange) ?? CheckLoop(exchange) ?? CheckBody(exchange);
            if (error is null)
                error = await exchange.Route!.Target.RunAsync(exchange).ConfigureAwait(false);
            if (error is not null && exchange.Framing?.Refusal is { } refusal)
                error = refusal; // whatever the target made of it: the body went wrong underway
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            error = new GatewayError(GatewayErrorKind.ClientAborted);
        }
        catch (BadHttpRequestException e)
        {
            error = GatewayError.OfRequestBody(e);
        }
        catch (Exception e)
        {
            error = GatewayError.OfDefect(e);
        }

        if (error is { Kind: GatewayErrorKind.ClientAborted } && exchange.IsCanceledByHost)
            error = new GatewayError(GatewayErrorKind.CanceledByHost, Cause: error.Cause);
        if (error is not null)
            await AnswerAsync(exchange, error).ConfigureAwait(false);
        Complete(exchange, error);
        exchange.Span?.Stop();
        exchange.End();
        Spares<Exchange>.Keep(exchange);
        snapshot.Leave();
    }

    /// <summary>Normalises the target and finds the route.</summary>
    private static GatewayError? Match(Exchange exchange)
    {
        var context = exchange.Context;
        string? problem;
        var isRead = exchange.Hosted is not { } hosted
            ? RequestTarget.TryParse(exchange.RawTarget, out var target, out problem)
            : HostedTarget.TryRead(exchange.RawTarget, context.Request, hosted.HasPathChanged(context.Request), out target, out problem);
        if (!isRead)
            return new GatewayError(GatewayErrorKind.BadTarget, problem);
        exchange.RequestTarget = target;

        var lookup = default(RouteLookup<Route>);
        var method = context.Request.Method;
        if (HttpMethods.IsConnect(method) && context.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true } connect)
        {
            if (!"websocket".Equals(connect.Protocol, StringComparison.OrdinalIgnoreCase))
                return new GatewayError(GatewayErrorKind.BadUpgrade, "of extended CONNECT only the protocol `websocket` is served");
            exchange.IsExtendedConnect = true;
            method = HttpMethods.Get; // what the same handshake is in HTTP/1.1 (RFC 8441 section 5)
        }

        var error = RouteMatch.Find(exchange, method, ref lookup);
        if (lookup.Outcome == RouteOutcome.MethodNotAllowed)
            context.Response.Headers.Allow = string.Join(", ", lookup.Allowed!);
        if (exchange.Hosted is not { } application || exchange.Route is not { } route)
            return error;
        if (!HostedTarget.IsKept(exchange.RequestTarget, out problem))
            return new GatewayError(GatewayErrorKind.BadTarget, problem);
        return application.Permits(context, route.Name) ? error : new GatewayError(GatewayErrorKind.Internal, Cause: new InvalidOperationException(Unasked));
    }

    private static GatewayError? CheckLoop(Exchange exchange)
    {
        foreach (var via in exchange.Request.Headers.Via)
        {
            if (via is not null && via.Contains(exchange.Snapshot.Identity.Via, StringComparison.OrdinalIgnoreCase) && NamesUs(via, exchange.Snapshot.Identity.Via))
                return new GatewayError(GatewayErrorKind.LoopDetected);
        }

        return null;
    }

    /// <summary>A body that says how long it is need not be begun when that is too long.</summary>
    private static GatewayError? CheckBody(Exchange exchange)
    {
        if (!exchange.HasBody || exchange.Context.Features.Get<IHttpMaxRequestBodySizeFeature>() is not { } limit)
            return null;
        if (exchange.Route!.BodyLimit is { } own && !limit.IsReadOnly)
            limit.MaxRequestBodySize = own;
        return exchange.Request.ContentLength > limit.MaxRequestBodySize ? new GatewayError(GatewayErrorKind.BodyTooLarge, $"at most {limit.MaxRequestBodySize} bytes are taken here") : null;
    }

    /// <summary>RFC 9110 section 7.6.3: items of protocol, name and optional comment.</summary>
    private static bool NamesUs(string via, string name)
    {
        foreach (var item in via.Split(','))
        {
            var words = item.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words.Length > 1 && words[1].Equals(name, StringComparison.OrdinalIgnoreCase))
                return true;
        }

        return false;
    }

    private static async ValueTask AnswerAsync(Exchange exchange, GatewayError error)
    {
        var context = exchange.Context;
        if (exchange.IsErrorTold || error.Kind == GatewayErrorKind.ClientAborted)
            return;
        if (context.Response.HasStarted)
        {
            // The client must see that the answer is not whole: HTTP/1.1 loses its connection, HTTP/2 its stream.
            context.Abort();
            return;
        }

        if (exchange.IsCanceledByHost)
            context.RequestAborted = exchange.Hosted!.ClientAborted; // the answer still goes out

        try
        {
            exchange.ResponseBytes += await ProblemWriter.WriteAsync(context.Response, error, exchange.Snapshot.Identity.Name, exchange.TraceId, Closes(exchange, error)).ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The client has left. The status is set, for the logs: an error with 200 would be nonsense.
        }
    }

    /// <summary>Whether what follows on the connection cannot be told apart, or would have to be read to its end first.</summary>
    private static bool Closes(Exchange exchange, GatewayError error) =>
        exchange.Framing is { } framing && (framing.Refusal is not null || error.Kind is GatewayErrorKind.BodyTooLarge or GatewayErrorKind.RequestTimeout);

    /// <summary>Metrics, error log and access log: always, whatever happened before.</summary>
    private void Complete(Exchange exchange, GatewayError? error)
    {
        var context = exchange.Context;
        var request = context.Request;
        var duration = time.GetElapsedTime(exchange.StartTimestamp);
        var status = error is { Kind: GatewayErrorKind.ClientAborted } ? error.Rule.Status : context.Response.StatusCode;
        var protocol = ProtocolVersion(request.Protocol);
        var outcome = new RequestOutcome(request.Method, request.Scheme, protocol, status, exchange.Route?.Template, exchange.Service, error?.Rule) { RouteName = exchange.Route?.Name };
        metrics.RequestEnded(outcome, duration, exchange.Upstream, exchange.Route?.Labels);
        if (exchange.Span is { } span)
            RequestSpan.Describe(span, exchange, status, protocol, error);
        if (error is not null)
            errors.Record(error, exchange.Route?.Name, exchange.Service, exchange.Instance, exchange.TraceId);
        WriteAccessLine(exchange, status, duration, error);
    }

    private void WriteAccessLine(Exchange exchange, int status, TimeSpan duration, GatewayError? error)
    {
        AccessLog log;
        do
        {
            log = accessLog.Current;
            if (!log.IsEnabled || !log.Keeps(status, error is not null, exchange.TraceId))
                return;
        }
        while (!log.TryWrite(Record(exchange, log.Headers, status, duration, error))); // a reload came between: the next log takes it
    }

    private AccessRecord Record(Exchange exchange, string[] headers, int status, TimeSpan duration, GatewayError? error)
    {
        var request = exchange.Request;
        return new AccessRecord
        {
            Time = time.GetUtcNow(),
            TraceId = exchange.TraceId,
            Method = request.Method,
            Path = exchange.RequestTarget.Path ?? RefusedPath(exchange),
            Query = exchange.RequestTarget.Query ?? "",
            Host = request.Headers.Host.ToString(),
            Protocol = request.Protocol,
            Client = exchange.ClientAddress,
            Status = status,
            Duration = duration,
            Route = exchange.Route?.Name,
            Service = exchange.Service,
            Instance = exchange.Instance,
            Upstream = exchange.Upstream,
            Attempts = exchange.Attempts,
            RequestBytes = exchange.RequestBytes,
            ResponseBytes = exchange.ResponseBytes,
            Error = error?.Rule.Slug,
            UserAgent = request.Headers.UserAgent is [{ } agent, ..] ? agent : null,
            Headers = headers.Length == 0 ? null : Array.ConvertAll(headers, name => request.Headers[name]),
        };
    }

    /// <summary>What could not be normalised, without what may be a query.</summary>
    private static string RefusedPath(Exchange exchange)
    {
        var raw = exchange.RawTarget;
        var end = raw.AsSpan().IndexOfAny('?', '#');
        return end < 0 ? raw : raw[..end];
    }

    private static string ProtocolVersion(string protocol) => protocol switch
    {
        "HTTP/1.1" => "1.1",
        "HTTP/2" => "2",
        "HTTP/3" => "3",
        _ => "1.0",
    };
}
