using Lintel.Carriers;
using Lintel.Pipeline;
using Lintel.Routing;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Lintel.Hosting.Embedding;

/// <summary>Determines what the gateway would do with a request of the application.</summary>
internal static class HostedMatch
{
    /// <summary>Returns the route that matches the request as it is now; <see langword="null"/> if the gateway refuses it.</summary>
    /// <param name="snapshots">The live snapshot.</param>
    /// <param name="context">The request.</param>
    /// <param name="values">The route's parameters, decoded.</param>
    public static string? Find(SnapshotHolder snapshots, HttpContext context, out RouteValueDictionary values)
    {
        values = [];
        if (snapshots.Enter() is not { } snapshot)
            return null;
        var exchange = Spares<Exchange>.Take() ?? new Exchange();
        try
        {
            exchange.Begin(new ClientRequest(context), snapshot, timestamp: 0);
            var hosted = context.Features.Get<HostedRequest>() ?? new HostedRequest(context, isFirst: false);
            if (!hosted.TryReadTarget(exchange.Request, out var target, out _))
                return null;
            exchange.RequestTarget = target;
            var method = exchange.Request.ConnectProtocol is null ? context.Request.Method : HttpMethods.Get;
            var lookup = default(RouteLookup<Pipeline.Route>);
            if (RouteMatch.Find(exchange, method, ref lookup) is not null || !HostedTarget.IsKept(exchange.RequestTarget, out _))
                return null;
            for (var i = 0; i < lookup.Candidate!.Parameters.Count; i++)
            {
                if (exchange.Parameter(i) is { } value)
                    values[lookup.Candidate.Parameters[i]] = Uri.UnescapeDataString(value);
            }

            return exchange.Route!.Name;
        }
        finally
        {
            exchange.End();
            Spares<Exchange>.Keep(exchange);
            snapshot.Exit();
        }
    }
}
