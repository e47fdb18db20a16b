using Lintel.Config;
using Lintel.Pipeline;
using Lintel.Routing;
using Lintel.Services;

namespace Lintel.Runtime;

/// <summary>The routes of a successful compilation, with their inputs: the next compilation recompiles only those that changed.</summary>
/// <remarks>
/// A reload of 10 000 routes of which one changed compiles one. The inputs of a route are its own configuration, the defaults, and what its
/// names refer to: services, clients, policies.
/// </remarks>
internal sealed class CompiledRoutes(
    GatewayConfig config,
    IReadOnlyDictionary<string, Service> services,
    IEnumerable<RouteEntry<Route>> entries
)
{
    private readonly Dictionary<string, RouteEntry<Route>> _entries = entries.ToDictionary(e => e.Name, StringComparer.Ordinal);

    /// <summary>
    /// Returns the route of this name if neither it nor anything that it refers to has changed; otherwise <see langword="null"/>.
    /// </summary>
    /// <remarks>
    /// Services and policies are compared by their running instances, not by their text: a service with changed certificates is a different
    /// one.
    /// </remarks>
    public RouteEntry<Route>? Find(string name, RouteConfig written, PolicySet policies, CompileScope scope)
    {
        if (!config.Routes.TryGetValue(name, out var before) || before != written || !_entries.TryGetValue(name, out var entry))
            return null;
        var isSame =
            config.Defaults.Timeouts == scope.Config.Defaults.Timeouts
            && config.Defaults.Priority == scope.Config.Defaults.Priority
            && entry.Route.Policies.All.SequenceEqual(policies.All)
            && RouteReferences
                .Services(written)
                .All(s => scope.Services.TryGetValue(s, out var now) && services.GetValueOrDefault(s) == now)
            && RouteReferences
                .Clients(written)
                .All(c => scope.Config.Clients.TryGetValue(c, out var now) && now.Equals(config.Clients.GetValueOrDefault(c)));
        return isSame ? entry : null;
    }
}
