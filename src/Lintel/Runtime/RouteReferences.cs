using Lintel.Config;

namespace Lintel.Runtime;

/// <summary>The names that a route refers to.</summary>
internal static class RouteReferences
{
    /// <summary>Services that requests go to, or copies of them.</summary>
    public static IEnumerable<string> Services(RouteConfig route)
    {
        string?[] named =
        [
            route.Forward?.Service,
            route.Forward?.Mirror?.Service,
            .. route.Forward?.Split.Keys ?? [],
            .. route.Compose?.Calls.Values.SelectMany(c => (string?[])[c.Request.Service, c.Compensate?.Request.Service]) ?? [],
        ];
        return named.OfType<string>();
    }

    /// <summary>Clients that a route is for, or has variants for.</summary>
    public static IEnumerable<string> Clients(RouteConfig route)
    {
        string?[] named = [route.Match.Client, .. route.Compose?.Variants.Keys ?? []];
        return named.OfType<string>();
    }

    /// <summary>Policies that a route names, or that the defaults name for it.</summary>
    public static IEnumerable<string> Policies(RouteConfig route, GatewayConfig config) =>
        (route.Policies ?? config.Defaults.Policies).Select(u => u.Name).OfType<string>();
}
