using Lintel.Config;
using Lintel.Config.Grammars;

namespace Lintel.Runtime;

/// <summary>Warns of unused entries in a valid configuration: often the other end of a mistyped or forgotten line.</summary>
internal sealed class UnusedCheck(GatewayConfig config, ProblemSink problems)
{
    public void Check()
    {
        if (config.Routes.Count == 0)
        {
            problems.Warn(
                "no-routes",
                KeyPath.Root["routes"],
                "there are no routes: every request gets a 404",
                "add one: `routes: { all: { match: \"/{**rest}\", forward: SERVICE } }`"
            );
            return;
        }

        Check(
            "services",
            config.Services.Keys,
            config.Routes.Values.SelectMany(RouteReferences.Services),
            "service",
            "refer to it in a route, or remove it"
        );
        Check(
            "policies",
            config.Policies.Keys,
            config.Routes.Values.SelectMany(r => RouteReferences.Policies(r, config)),
            "policy",
            "refer to it in `policies` of a route, or remove it"
        );
        Check(
            "clients",
            config.Clients.Where(c => !c.Value.HasCredential).Select(c => c.Key),
            config.Routes.Values.SelectMany(RouteReferences.Clients),
            "client",
            "refer to it in `match.client` or `compose.variants`, or remove it"
        );
    }

    private void Check(string section, IEnumerable<string> names, IEnumerable<string> used, string noun, string hint)
    {
        var all = used.ToHashSet(StringComparer.Ordinal);
        foreach (var name in names.Where(n => !all.Contains(n)))
            problems.Warn("unused", KeyPath.Root[section][name], $"no route uses the {noun} `{name}`", hint);
    }
}
