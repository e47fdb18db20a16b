using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Matching;

namespace Lintel.Hosting.Embedding;

/// <summary>
/// Where the application's own endpoints leave a request to the gateway, puts the endpoint of the gateway's route in the place of the one
/// that takes every request.
/// </summary>
/// <param name="gateway">Whose router decides.</param>
internal sealed class GatewayMatcherPolicy(Gateway gateway) : MatcherPolicy, IEndpointSelectorPolicy
{
    /// <summary>After all others: what they rule out must not count.</summary>
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
                break; // an endpoint of the application takes it
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
