using Lintel.Errors;
using Lintel.Observability;
using Lintel.Routing;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.ObjectPool;

namespace Lintel.Pipeline;

/// <summary>The spine: a request's life from its arrival to its line in the access log, top to bottom.</summary>
internal sealed class RoutePipeline(SnapshotHolder snapshots, AccessLogSlot accessLog, GatewayMetrics metrics, TimeProvider time, ILogger<RoutePipeline> logger)
{
    private static readonly GatewayIdentity Nobody = new("lintel", "lintel");

    private readonly ObjectPool<Exchange> _exchanges = new DefaultObjectPool<Exchange>(new DefaultPooledObjectPolicy<Exchange>(), 1024);

    /// <summary>Serves one request. Never throws.</summary>
    public async Task RunAsync(HttpContext context)
    {
        var started = time.GetTimestamp();
        if (snapshots.Enter() is not { } snapshot)
        {
            await ProblemWriter.WriteAsync(context.Response, new GatewayError(GatewayErrorKind.Unavailable), Nobody.Name, "").ConfigureAwait(false);
            return;
        }

        var exchange = _exchanges.Get();
        exchange.Begin(context, snapshot, started);
        metrics.RequestStarted();
        GatewayError? error;
        try
        {
            error = Match(exchange) ?? CheckLoop(exchange);
            if (error is null)
                error = await exchange.Route!.Target.RunAsync(exchange).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            error = new GatewayError(GatewayErrorKind.ClientAborted);
        }
        catch (BadHttpRequestException e)
        {
            error = new GatewayError(GatewayErrorKind.BadRequestBody, Cause: e);
        }
        catch (Exception e)
        {
            error = new GatewayError(GatewayErrorKind.Internal, Cause: e);
        }

        if (error is not null)
            await AnswerAsync(exchange, error).ConfigureAwait(false);
        Complete(exchange, error);
        exchange.End();
        _exchanges.Return(exchange);
        snapshot.Leave();
    }

    /// <summary>Normalises the target and finds the route.</summary>
    private static GatewayError? Match(Exchange exchange)
    {
        var context = exchange.Context;
        var raw = context.Features.Get<IHttpRequestFeature>()!.RawTarget;
        if (!RequestTarget.TryParse(raw.Length > 0 ? raw : context.Request.PathBase + context.Request.Path + context.Request.QueryString, out var target, out var problem))
            return new GatewayError(GatewayErrorKind.BadTarget, problem);
        exchange.RequestTarget = target;

        var lookup = default(RouteLookup<Route>);
        exchange.Snapshot.Routes.Find(context.Request, target.Path, ref lookup);
        switch (lookup.Outcome)
        {
            case RouteOutcome.NotFound:
                return new GatewayError(GatewayErrorKind.RouteNotFound);
            case RouteOutcome.MethodNotAllowed:
                context.Response.Headers.Allow = string.Join(", ", lookup.Allowed!);
                return new GatewayError(GatewayErrorKind.MethodNotAllowed);
        }

        exchange.Matched(ref lookup);
        var refused = target.Traits & ~exchange.Route!.Allowed;
        if (refused == PathTraits.None)
            return null;
        return new GatewayError(GatewayErrorKind.BadTarget, refused.HasFlag(PathTraits.EncodedSlash) ? "encoded slashes are not allowed in this path" : "semicolons are not allowed in this path");
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
        if (error.Kind == GatewayErrorKind.ClientAborted || context.RequestAborted.IsCancellationRequested)
            return;
        if (context.Response.HasStarted)
        {
            // The client must see that the answer is not whole: HTTP/1.1 loses its connection, HTTP/2 its stream.
            context.Abort();
            return;
        }

        try
        {
            await ProblemWriter.WriteAsync(context.Response, error, exchange.Snapshot.Identity.Name, exchange.TraceId).ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The client left while it was being told.
        }
    }

    /// <summary>Metrics, error log and access log: always, whatever happened before.</summary>
    private void Complete(Exchange exchange, GatewayError? error)
    {
        var context = exchange.Context;
        var request = context.Request;
        var duration = time.GetElapsedTime(exchange.StartTimestamp);
        var status = error is { Kind: GatewayErrorKind.ClientAborted } ? error.Rule.Status : context.Response.StatusCode;
        metrics.RequestEnded(request.Method, request.Scheme, ProtocolVersion(request.Protocol), status, exchange.Route?.Template, error?.Rule.Slug, duration);
        if (error is not null)
            PipelineLog.RequestFailed(logger, error.Rule.Level, error.Rule.Slug, exchange.Route?.Name ?? "-", exchange.Service ?? "-", exchange.Instance ?? "-", exchange.TraceId, error.Detail ?? Summary(error.Cause), LoggedCause(error));

        var log = accessLog.Current;
        if (!log.IsEnabled)
            return;
        log.Write(new AccessRecord
        {
            Time = time.GetUtcNow(),
            TraceId = exchange.TraceId,
            Method = request.Method,
            Path = exchange.RequestTarget.Path ?? "",
            Host = request.Host.Value ?? "",
            Protocol = request.Protocol,
            Client = exchange.ClientAddress?.ToString() ?? "-",
            Status = status,
            Duration = duration,
            Route = exchange.Route?.Name,
            Service = exchange.Service,
            Instance = exchange.Instance,
            Upstream = exchange.Upstream,
            Attempts = exchange.Attempts,
            Error = error?.Rule.Slug,
            UserAgent = request.Headers.UserAgent is [{ } agent, ..] ? agent : null,
        });
    }

    /// <summary>A defect needs its stack; a service that is down needs a sentence, not forty lines a request.</summary>
    private static Exception? LoggedCause(GatewayError error) => error.Kind == GatewayErrorKind.Internal ? error.Cause : null;

    private static string Summary(Exception? cause) => cause is null ? "" : cause.GetBaseException().Message;

    private static string ProtocolVersion(string protocol) => protocol switch
    {
        "HTTP/1.1" => "1.1",
        "HTTP/2" => "2",
        "HTTP/3" => "3",
        _ => "1.0",
    };
}

/// <summary>Log lines of the pipeline: event ids 1000 to 1099.</summary>
internal static partial class PipelineLog
{
    [LoggerMessage(EventId = 1000, Message = "{Error}: route {Route}, service {Service}, instance {Instance}, trace {TraceId}: {Detail}")]
    public static partial void RequestFailed(ILogger logger, LogLevel level, string error, string route, string service, string instance, string traceId, string detail, Exception? cause);
}
