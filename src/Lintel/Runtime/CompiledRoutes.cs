using Lintel.Config;
using Lintel.Pipeline;
using Lintel.Routing;
using Lintel.Services;

namespace Lintel.Runtime;

/// <summary>The routes of a compilation that succeeded, with what they were made from: the next one makes those anew that changed.</summary>
/// <remarks>A reload of 10 000 routes of which one changed compiles one. What a route is made from is its own configuration and what its names refer to: services, clients, policies, defaults.</remarks>
internal sealed class CompiledRoutes(GatewayConfig config, IReadOnlyDictionary<string, Service> services, IEnumerable<RouteEntry<Route>> entries)
{
    private readonly Dictionary<string, RouteEntry<Route>> _entries = entries.ToDictionary(e => e.Name, StringComparer.Ordinal);

    /// <summary>Whether names refer to the same things as then. Services are compared by what they are, not by how they are written: one whose certificates changed is another one.</summary>
    public bool MayServe(CompileScope scope) =>
        config.Clients.Equals(scope.Config.Clients) && config.Policies.Equals(scope.Config.Policies) && config.Defaults == scope.Config.Defaults
        && services.Count == scope.Services.Count && services.All(s => scope.Services.GetValueOrDefault(s.Key) == s.Value);

    /// <summary>The route of this name; <see langword="null"/> where it was another one, or none.</summary>
    public RouteEntry<Route>? Find(string name, RouteConfig written) =>
        config.Routes.TryGetValue(name, out var before) && before == written ? _entries.GetValueOrDefault(name) : null;
}
