using Lintel.Config;
using Lintel.Pipeline;
using Lintel.Routing;
using Lintel.Services;

namespace Lintel.Runtime;

/// <summary>
/// The routes of a compilation that succeeded, with what they were made from: the next one makes those anew that changed.
/// </summary>
/// <remarks>
/// A reload of 10 000 routes of which one changed compiles one. What a route is made from is its own configuration, the defaults, and what
/// its names refer to: services, clients, policies.
/// </remarks>
internal sealed class CompiledRoutes(
    GatewayConfig config,
    IReadOnlyDictionary<string, Service> services,
    IEnumerable<RouteEntry<Route>> entries
)
{
    private readonly Dictionary<string, RouteEntry<Route>> _entries = entries.ToDictionary(e => e.Name, StringComparer.Ordinal);

    /// <summary>
    /// The route of this name, where it and everything that it refers to is what it was then; otherwise <see langword="null"/>.
    /// </summary>
    /// <remarks>
    /// Services and policies are compared by what runs, not by how it is written: a service whose certificates changed is another one.
    /// </remarks>
    public RouteEntry<Route>? Find(string name, RouteConfig written, PolicySet policies, CompileScope scope)
    {
        if (!config.Routes.TryGetValue(name, out var before) || before != written || !_entries.TryGetValue(name, out var entry))
            return null;
        var isSame =
            config.Defaults.Timeouts == scope.Config.Defaults.Timeouts
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
