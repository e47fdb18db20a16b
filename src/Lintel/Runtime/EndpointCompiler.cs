using Lintel.Config.Grammars;
using Lintel.Pipeline;
using Lintel.Routing;

namespace Lintel.Runtime;

/// <summary>Adds the routes of policies that serve paths of their own, such as the callback of a login.</summary>
/// <param name="policies">The policies that are in use.</param>
internal sealed class EndpointCompiler(IReadOnlyList<UsedPolicy> policies)
{
    private readonly Dictionary<string, KeyPath> _places = new(StringComparer.Ordinal);

    /// <summary>Returns the routes.</summary>
    /// <param name="routes">The routes of the configuration, which decide on which hosts the endpoints are.</param>
    public List<RouteEntry<Route>> Compile(IReadOnlyList<RouteEntry<Route>> routes)
    {
        var result = new List<RouteEntry<Route>>();
        foreach (var used in policies)
        {
            if (used.Policy is not IServingEndpoints serving)
                continue;
            var hosts = serving.Hosts.Count > 0 ? serving.Hosts : HostsOf(used.Policy, routes);
            foreach (var endpoint in serving.Endpoints)
            {
                var name = used.Place + PolicyEndpoint.Separator + endpoint.Name;
                _places[name] = used.Path;
                var route = new Route(name, endpoint.Path, PathTraits.None, endpoint.BodyLimit, endpoint.Target);
                var template = PathTemplate.Parse(endpoint.Path, out _, out _)!;
                result.Add(new RouteEntry<Route>(name, route, hosts, [template], [], endpoint.Methods, []));
            }
        }

        return result;
    }

    /// <summary>Where a route of this name is written, if it is an endpoint's.</summary>
    public KeyPath? PlaceOf(string name) => _places.GetValueOrDefault(name);

    /// <summary>
    /// The hosts of the routes that use a policy, and any other: a route with a host hides those without, whatever their paths are.
    /// </summary>
    private List<string> HostsOf(Policy policy, IReadOnlyList<RouteEntry<Route>> routes)
    {
        var users = policies.Where(p => p.Policy == policy || p.Members.Contains(policy)).Select(p => p.Policy).ToHashSet();
        var hosts = routes.Where(r => r.Route.Policies.All.Any(users.Contains)).SelectMany(r => r.Hosts);
        return [.. hosts.Append("").Distinct(StringComparer.OrdinalIgnoreCase)];
    }
}
