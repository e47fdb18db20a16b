using Lintel.Carriers;
using Lintel.Routing;
using Microsoft.AspNetCore.Http;

namespace Lintel.Pipeline;

/// <summary>
/// A request that arrives through another host's middleware: what the middleware may have replaced, and what the gateway reports to it.
/// </summary>
/// <param name="context">The request before any middleware could change it.</param>
/// <param name="isFirst">Whether it is; otherwise earlier changes are unknown.</param>
internal sealed class HostedRequest(HttpContext context, bool isFirst)
{
    private readonly PathString _pathBase = context.Request.PathBase;
    private readonly PathString _path = context.Request.Path;
    private Exchange? _exchange;
    private (string? Route, string? Service, string? Instance) _outcome;

    /// <summary>The server's own token, canceled only when the client disconnects.</summary>
    public CancellationToken ClientAborted { get; } = context.RequestAborted;

    /// <summary>The route, service and instance known so far, or at the end of the request.</summary>
    public (string? Route, string? Service, string? Instance) Outcome =>
        _exchange is { } exchange ? (exchange.Route?.Name, exchange.Service, exchange.Instance) : _outcome;

    /// <summary>Whether the application allows the request for a route.</summary>
    public Func<HttpContext, string, bool> Permits { get; private set; } = static (_, _) => true;

    /// <summary>The hosted request that the first middleware created, or a new one where the host has no such middleware.</summary>
    public static HostedRequest Of(HttpContext context, Func<HttpContext, string, bool> permits)
    {
        var hosted = context.Features.Get<HostedRequest>();
        if (hosted is null)
            context.Features.Set(hosted = new HostedRequest(context, isFirst: false));
        hosted.Permits = permits;
        return hosted;
    }

    /// <summary>Reads the target as the application's middleware has left it.</summary>
    /// <param name="request">The request.</param>
    /// <param name="target">The normalized target.</param>
    /// <param name="problem">Why it is refused, in words fit for the client.</param>
    public bool TryReadTarget(ClientRequest request, out RequestTarget target, out string? problem)
    {
        var last = request.AsHttpContext().Request;
        var seen = new HostedPath(last.PathBase.Value ?? "", last.Path.Value ?? "", last.QueryString.Value ?? "");
        return HostedTarget.TryRead(request.RawTarget, seen, HasPathChanged(last), out target, out problem);
    }

    /// <summary>Whether the application may have changed the path. Moving a part of it to the base path is not a change.</summary>
    private bool HasPathChanged(HttpRequest last)
    {
        if (!isFirst)
            return true;
        return !(last.Path.Equals(_path, StringComparison.Ordinal) && last.PathBase.Equals(_pathBase, StringComparison.Ordinal))
            && last.PathBase.Value + last.Path.Value != _pathBase.Value + _path.Value;
    }

    public void Begin(Exchange exchange) => _exchange = exchange;

    /// <summary>Detaches the exchange, which is about to serve another request, and keeps the outcome.</summary>
    public void End()
    {
        _outcome = Outcome;
        _exchange = null;
    }
}
