using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Matching;

namespace Lintel.Hosting.Embedding;

/// <summary>
/// Replaces the endpoint that accepts every request with that of the gateway's route, if the application's own endpoints leave the request
/// to the gateway.
/// </summary>
/// <param name="gateway">The gateway, whose router decides.</param>
internal sealed class GatewayMatcherPolicy(Gateway gateway) : MatcherPolicy, IEndpointSelectorPolicy
{
    /// <summary>Runs after all others: candidates that they rule out must not count.</summary>
    public override int Order => int.MaxValue;

    public bool AppliesToEndpoints(IReadOnlyList<Endpoint> endpoints) =>
        endpoints.Any(e => e.Metadata.GetMetadata<GatewayEndpoints>() is not null);

    public Task ApplyAsync(HttpContext httpContext, CandidateSet candidates)
    {
        for (var i = 0; i < candidates.Count; i++)
        {
            if (!candidates.IsValidCandidate(i))
                continue;
            if (candidates[i].Endpoint.Metadata.GetMetadata<GatewayEndpoints>() is not { } endpoints)
                break; // an endpoint of the application matches
            if (
                HostedMatch.Find(gateway.Snapshots, httpContext, out var values) is { } name
                && endpoints.Find(httpContext, name) is { } found
            )
                candidates.ReplaceEndpoint(i, found, values);
            break;
        }

        return Task.CompletedTask;
    }
}
