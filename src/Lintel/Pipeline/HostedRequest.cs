using Lintel.Carriers;
using Lintel.Routing;
using Microsoft.AspNetCore.Http;

namespace Lintel.Pipeline;

/// <summary>A request that comes through another host's middleware: what that may have replaced, and what the gateway tells it.</summary>
/// <param name="context">The request before any middleware could change it.</param>
/// <param name="isFirst">Whether it is: nothing is known of what came before otherwise.</param>
internal sealed class HostedRequest(HttpContext context, bool isFirst)
{
    private readonly PathString _pathBase = context.Request.PathBase;
    private readonly PathString _path = context.Request.Path;
    private Exchange? _exchange;
    private (string? Route, string? Service, string? Instance) _outcome;

    /// <summary>Canceled when the client leaves, and by nobody else: the server's own token.</summary>
    public CancellationToken ClientAborted { get; } = context.RequestAborted;

    /// <summary>What is known of the request so far, or was at its end.</summary>
    public (string? Route, string? Service, string? Instance) Outcome =>
        _exchange is { } exchange ? (exchange.Route?.Name, exchange.Service, exchange.Instance) : _outcome;

    /// <summary>Whether the application lets the request through to a route.</summary>
    public Func<HttpContext, string, bool> Permits { get; private set; } = static (_, _) => true;

    /// <summary>The request that the first middleware has made out, or one whose host has none.</summary>
    public static HostedRequest Of(HttpContext context, Func<HttpContext, string, bool> permits)
    {
        var hosted = context.Features.Get<HostedRequest>();
        if (hosted is null)
            context.Features.Set(hosted = new HostedRequest(context, isFirst: false));
        hosted.Permits = permits;
        return hosted;
    }

    /// <summary>Reads the target that the application's middleware has left of the request.</summary>
    /// <param name="request">The request.</param>
    /// <param name="target">The normalised target.</param>
    /// <param name="problem">Why it is refused, in words fit for the client.</param>
    public bool TryReadTarget(ClientRequest request, out RequestTarget target, out string? problem)
    {
        var last = request.AsHttpContext().Request;
        var seen = new HostedPath(last.PathBase.Value ?? "", last.Path.Value ?? "", last.QueryString.Value ?? "");
        return HostedTarget.TryRead(request.RawTarget, seen, HasPathChanged(last), out target, out problem);
    }

    /// <summary>Whether the application may have made another path of it; moving a part of it to the base makes no other.</summary>
    private bool HasPathChanged(HttpRequest last)
    {
        if (!isFirst)
            return true;
        return !(last.Path.Equals(_path, StringComparison.Ordinal) && last.PathBase.Equals(_pathBase, StringComparison.Ordinal))
            && last.PathBase.Value + last.Path.Value != _pathBase.Value + _path.Value;
    }

    public void Begin(Exchange exchange) => _exchange = exchange;

    /// <summary>The exchange becomes another request's; what is worth knowing of it stays.</summary>
    public void End()
    {
        _outcome = Outcome;
        _exchange = null;
    }
}
