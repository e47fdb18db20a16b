using Lintel.Config;
using Lintel.Policies;

namespace Lintel.Runtime;

/// <summary>The names that a route refers to.</summary>
internal static class RouteReferences
{
    /// <summary>The services that requests, or copies of them, are sent to.</summary>
    public static IEnumerable<string> Services(RouteConfig route)
    {
        if (route.Forward is { } forward)
        {
            if (forward.Service is { } single)
                yield return single;
            if (forward.Mirror is { } mirror)
                yield return mirror.Service;
            foreach (var (name, _) in forward.Split)
                yield return name;
        }

        if (route.Compose is not { } compose)
            yield break;
        foreach (var (_, call) in compose.Calls)
        {
            yield return call.Request.Service;
            if (call.Compensate is { } compensation)
                yield return compensation.Request.Service;
        }
    }

    /// <summary>The clients that a route matches, or has variants for.</summary>
    public static IEnumerable<string> Clients(RouteConfig route)
    {
        if (route.Match.Client is { } client)
            yield return client;
        foreach (var name in route.Compose?.Variants.Keys ?? [])
            yield return name;
    }

    /// <summary>The policies of a route, its own or those of the defaults.</summary>
    public static IEnumerable<string> Policies(RouteConfig route, GatewayConfig config) =>
        from use in route.Policies ?? config.Defaults.Policies
        from name in Names(use, config)
        select name;

    /// <summary>A policy of a list as it is written, followed by those that it refers to; none if its name is unknown.</summary>
    public static IEnumerable<PolicyConfig> Written(PolicyUse use, GatewayConfig config)
    {
        if ((use.Policy ?? config.Policies.GetValueOrDefault(use.Name!)) is not { } policy)
            yield break;
        yield return policy;
        foreach (var member in PolicyCatalog.Of(policy).Kind.MembersOf(policy))
        {
            if ((member.Policy ?? config.Policies.GetValueOrDefault(member.Name!)) is { } inner)
                yield return inner;
        }
    }

    private static IEnumerable<string> Names(PolicyUse use, GatewayConfig config)
    {
        if (use.Name is { } name)
            yield return name;
        if ((use.Policy ?? config.Policies.GetValueOrDefault(use.Name!)) is not { } policy)
            yield break;
        foreach (var member in PolicyCatalog.Of(policy).Kind.MembersOf(policy))
        {
            if (member.Name is { } inner)
                yield return inner;
        }
    }
}
