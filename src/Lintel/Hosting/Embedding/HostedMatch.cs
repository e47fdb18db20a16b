using Lintel.Pipeline;
using Lintel.Routing;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;

namespace Lintel.Hosting.Embedding;

/// <summary>What the gateway would do with a request of the application, before it does it.</summary>
internal static class HostedMatch
{
    /// <summary>The route that takes the request as it is now; <see langword="null"/> where the gateway refuses it.</summary>
    /// <param name="snapshots">What is being served.</param>
    /// <param name="context">The request.</param>
    /// <param name="values">The route's parameters, decoded.</param>
    public static string? Find(SnapshotHolder snapshots, HttpContext context, out RouteValueDictionary values)
    {
        values = [];
        if (snapshots.Enter() is not { } snapshot)
            return null;
        try
        {
            var request = context.Request;
            var raw = context.Features.Get<IHttpRequestFeature>()?.RawTarget ?? "";
            var isChanged = context.Features.Get<HostedRequest>()?.HasPathChanged(request) ?? true;
            if (!HostedTarget.TryRead(raw, request, isChanged, out var target, out _))
                return null;
            var method = context.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true } ? HttpMethods.Get : request.Method;
            var lookup = default(RouteLookup<Pipeline.Route>);
            snapshot.Routes.Find(request, target.Path, method, ref lookup);
            if (lookup is not { Outcome: RouteOutcome.Found, Candidate: { } candidate })
                return null;
            for (var i = 0; i < candidate.Parameters.Count; i++)
            {
                var slot = candidate.Slots[i];
                var value = slot < 0 ? candidate.Defaults[i] : target.Path.Substring(lookup.Captures[slot].Start, lookup.Captures[slot].Length);
                if (value is not null)
                    values[candidate.Parameters[i]] = Uri.UnescapeDataString(value);
            }

            return candidate.Route.Name;
        }
        finally
        {
            snapshot.Leave();
        }
    }
}
