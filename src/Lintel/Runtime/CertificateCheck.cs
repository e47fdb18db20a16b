using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Policies.ClientCertificate;

namespace Lintel.Runtime;

/// <summary>Checks that routes which need client certificates are served where clients are asked for them.</summary>
internal sealed class CertificateCheck(GatewayConfig config, ProblemSink problems)
{
    private readonly HashSet<string> _asking = config
        .EffectiveListeners.Where(l => l.Value.ClientCertificates is not null)
        .Select(l => l.Key)
        .ToHashSet(StringComparer.Ordinal);

    /// <summary>Reports routes with <c>clientCertificate</c> that no listener with <c>clientCertificates</c> serves.</summary>
    public void CheckPolicies()
    {
        foreach (var (name, route) in config.Routes)
        {
            var uses = route.Policies ?? config.Defaults.Policies;
            if (Array.TrueForAll([.. uses], u => !RouteReferences.Written(u, config).Any(p => p is ClientCertificateConfig)))
                continue;
            var serving = route.Match.Listeners.Count > 0 ? route.Match.Listeners : [.. config.EffectiveListeners.Keys];
            if (serving.Any(_asking.Contains))
                continue;
            var path = KeyPath.Root["routes"][name];
            problems.Add(
                "conflict",
                route.Policies is null ? path : path["policies"],
                $"the route `{name}` needs client certificates, and no listener that serves it asks for them",
                "add `clientCertificates: { mode: optional, authorities: … }` to its listener"
            );
        }
    }

    /// <summary>Warns of a route that requires a client certificate on one listener, and is reachable without one on another.</summary>
    public void CheckListeners()
    {
        var open = config
            .Listeners.Where(l => l.Value.ClientCertificates?.Mode != ClientCertificateMode.Required)
            .Select(l => l.Key)
            .ToHashSet(StringComparer.Ordinal);
        foreach (var (guarded, listener) in config.Listeners.Where(l => !open.Contains(l.Key)))
        {
            var routes = config.Routes.Where(r => open.Count > 0 && r.Value.Match.Listeners.Count == 0).Select(r => r.Key).ToList();
            if (routes.Count == 0)
                continue;
            var some = string.Join(", ", routes.Take(5).Select(r => $"`{r}`")) + (routes.Count > 5 ? $" and {routes.Count - 5} more" : "");
            problems.Warn(
                "unguarded",
                KeyPath.Root["listeners"][guarded]["clientCertificates"],
                $"requests that require a client certificate at `{guarded}` are served without one by "
                    + $"{string.Join(", ", open.Select(o => $"`{o}`"))}: {some}",
                $"add `match.listeners: [{guarded}]` to routes that need it, and list all listeners where that is intended"
            );
        }
    }
}
