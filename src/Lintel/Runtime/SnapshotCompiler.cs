using System.Security.Cryptography;
using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;
using Lintel.Pipeline;
using Lintel.Policies;
using Lintel.Routing;
using Lintel.Services;
using Lintel.Services.Discovery;
using Lintel.State;

namespace Lintel.Runtime;

/// <summary>Compiles a configuration to a snapshot: every name becomes a reference, every template and condition a program.</summary>
internal sealed class SnapshotCompiler(ServiceRegistry registry, RouteParts parts)
{
    /// <summary>A unique name per process: two gateways in a row without a configured name are not a loop.</summary>
    private readonly string _processName = "lintel-" + RandomNumberGenerator.GetHexString(8, lowercase: true);

    private readonly PolicyRegistry _policies = new(
        new PolicyParts(parts.Forwarding.Time, parts.Random, parts.Forwarding.Metrics)
        {
            Log = parts.PolicyLog,
            Memory = parts.Forwarding.Memory,
            State = parts.State ?? new ExpiringStore(parts.Forwarding.Time),
            Protection = parts.Protection,
        }
    );

    // Reused by the next compilation. Explaining a request compiles too, on any thread.
    private volatile CompiledRoutes? _last;

    /// <summary>Compiles a configuration. Problems are added to the report; with any, no state is left behind.</summary>
    /// <param name="config">The configuration; entries that could not be read are missing.</param>
    /// <param name="source">The tree that it was read from, for positions.</param>
    /// <param name="report">The problems so far; a snapshot is made only if there are none at the end.</param>
    public Snapshot? Compile(GatewayConfig config, MapNode source, ConfigReport report)
    {
        var problems = new ProblemSink(source, report);
        var acquired = Acquire(config, problems);
        CheckListeners(config, problems);
        new CodeCheck(problems).Check(config);
        var certificates = new CertificateCheck(config, problems);
        certificates.CheckListeners();
        if (parts.OwnsListeners)
            certificates.CheckPolicies();
        var scope = new CompileScope(config, acquired, problems);
        var policies = new PolicyCompiler(_policies, parts.Application, scope);
        policies.CompileUnused();
        var clients = ClientDirectory.Of(config.Clients, new ConditionCompiler(scope).CompileClaims);
        var routes = new RouteCompiler(scope, parts);
        var kept = _last;
        var entries = config.Routes.Select(r => Compile(r.Key, r.Value)).OfType<RouteEntry<Route>>().ToList();
        var endpoints = new EndpointCompiler(policies.Used);
        var conflicts = new List<RouteConflict>();
        var table = RouteTableBuilder.Build([.. entries, .. endpoints.Compile(entries)], conflicts);
        foreach (var (first, second) in conflicts.Distinct())
        {
            if ((endpoints.PlaceOf(second) ?? endpoints.PlaceOf(first)) is { } place)
                ReportConflict(first, second, place, problems);
            else
                ReportConflict(first, second, problems);
        }

        if (report.IsValid)
        {
            new UnusedCheck(config, problems).Check();
            _last = new CompiledRoutes(config, acquired, entries);
            var discoveries = acquired.Values.Select(s => s.Discovery).OfType<InstanceDiscovery>().ToList();
            return new Snapshot(
                table,
                new GatewayIdentity(config.Name ?? "lintel", config.Name ?? _processName),
                new TrustedProxies(config.TrustedProxies),
                () => Release(acquired, policies)
            )
            {
                Clients = clients,
                PublicKeys = policies.PublicKeys,
                AnswersPreflights = policies.AnswersPreflights,
                OwnCookies = [.. policies.Used.Select(u => u.Policy).OfType<IOwningCookies>().SelectMany(p => p.Cookies).Distinct()],
                Tracing = config.Observability.Tracing,
                ServerTiming = config.Observability.ServerTiming ? new ServerTiming(parts.Forwarding.Time) : null,
                Start = () => Start(acquired.Values, discoveries, policies),
                Ready = () => Task.WhenAll(discoveries.Select(d => d.FirstAnswer)),
            };
        }

        Release(acquired, policies);
        return null;

        RouteEntry<Route>? Compile(string name, RouteConfig route)
        {
            var set = policies.Compile(name, route);
            return kept?.Find(name, route, set, scope) ?? SnapshotCompiler.Compile(routes, name, route, set, problems);
        }
    }

    /// <summary>
    /// Compiles a route. A defect of the compiler itself is reported as a problem with a place, too: the author of the configuration can
    /// work around it, and report it.
    /// </summary>
    private static RouteEntry<Route>? Compile(
        RouteCompiler routes,
        string name,
        RouteConfig config,
        PolicySet policies,
        ProblemSink problems
    )
    {
        try
        {
            return routes.Compile(name, config, policies);
        }
        catch (Exception e)
        {
            problems.Add(
                "internal",
                KeyPath.Root["routes"][name],
                $"the route could not be compiled: {e.GetType().Name}: {e.Message}",
                "this is a bug in Lintel: please report it together with the route's configuration"
            );
            return null;
        }
    }

    private static void ReportConflict(string first, string second, ProblemSink problems)
    {
        if (first == second)
            problems.Add(
                "indistinguishable",
                KeyPath.Root["routes"][first]["match"],
                $"the route `{first}` has a duplicate path",
                "remove one of them"
            );
        else
            problems.Add(
                "indistinguishable",
                KeyPath.Root["routes"][second]["match"],
                $"the routes `{first}` and `{second}` are ambiguous: a request can match both equally well",
                "give one of them another path, method or host, or an additional condition"
            );
    }

    /// <summary>Reports an endpoint of a policy that cannot be told apart from another route.</summary>
    private static void ReportConflict(string first, string second, KeyPath policy, ProblemSink problems) =>
        problems.Add(
            "indistinguishable",
            policy,
            $"`{first}` and `{second}` are ambiguous: an endpoint of the policy and another route can match a request equally well",
            "give the policy another `path`; a policy that several routes use is written once, under `policies`"
        );

    private Dictionary<string, Service> Acquire(GatewayConfig config, ProblemSink problems)
    {
        var acquired = new Dictionary<string, Service>(StringComparer.Ordinal);
        foreach (var (name, service) in config.Services)
        {
            var path = KeyPath.Root["services"][name];
            if (service.Discover is null ? service.Instances.Count == 0 : service.Discover.Sources != 1)
                continue;
            if (service.Instances.Select(i => i.Address.Scheme).Distinct().Count() > 1)
            {
                problems.Add(
                    "conflict",
                    path["instances"],
                    "the instances mix `http` and `https`",
                    "use one scheme for all of them, or configure two services"
                );
                continue;
            }

            if (service.Instances.GroupBy(i => i.Address).FirstOrDefault(g => g.Count() > 1) is { } twice)
                problems.Add(
                    "conflict",
                    path["instances"],
                    $"the instance `{twice.Key}` is listed twice",
                    "use `weight` to increase its share"
                );
            if (service.Instances.Any(i => i.Weight is < 1 or > 1000))
                problems.Add("out-of-range", path["instances"], "a weight is not from 1 to 1000");
            try
            {
                acquired.Add(name, registry.Acquire(name, service, config.Defaults.Timeouts));
            }
            catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
            {
                problems.Add(
                    "file",
                    path["tls"],
                    $"the certificates cannot be used: {e.Message}",
                    "they are PEM files; the key must belong to the certificate"
                );
            }
        }

        return acquired;
    }

    private static void Start(IEnumerable<Service> services, List<InstanceDiscovery> discoveries, PolicyCompiler policies)
    {
        policies.Start();
        foreach (var service in services)
            service.Start();
        discoveries.ForEach(d => d.Start());
    }

    private void Release(Dictionary<string, Service> services, PolicyCompiler policies)
    {
        policies.Release();
        foreach (var service in services.Values)
            registry.Release(service);
    }

    private static void CheckListeners(GatewayConfig config, ProblemSink problems)
    {
        var taken = new List<(string Name, ListenerAddress Address)>();
        var all =
            config.Listeners.Count == 0
                ? [(Name: "the default listener", ListenerConfig.Default.Address, Path: KeyPath.Root["listeners"])]
                : config.Listeners.Select(l => (Name: "listeners." + l.Key, l.Value.Address, Path: KeyPath.Root["listeners"][l.Key]));
        if (config.Admin.Enabled)
            all = all.Append((Name: "admin", config.Admin.Address, Path: KeyPath.Root["admin"]["address"]));
        foreach (var (name, address, path) in all)
        {
            var other = taken.Find(t => Overlap(t.Address, address));
            if (other.Name is not null)
                problems.Add(
                    "port-taken",
                    path,
                    $"{Quote(name)} and {Quote(other.Name)} both listen on {(address.IsUnix ? address.Host : $"port {address.Port}")}",
                    "give one of them another address"
                );
            taken.Add((name, address));
        }
    }

    private static string Quote(string name) => name.Contains(' ') ? name : $"`{name}`";

    private static bool Overlap(ListenerAddress a, ListenerAddress b) =>
        a.IsUnix || b.IsUnix
            ? a.Host == b.Host
            : a.Port == b.Port
                && a.Port != 0
                && (
                    a.Host == b.Host
                    || IsAny(a.Host)
                    || IsAny(b.Host)
                    || (a.IsLoopback && b.IsLoopback && (a.Host == "localhost" || b.Host == "localhost"))
                );

    private static bool IsAny(string host) => host is "*" or "0.0.0.0" or "::";
}

/// <summary>Collects problems of the compilation and finds their place in the source.</summary>
internal sealed class ProblemSink(MapNode source, ConfigReport report)
{
    /// <summary>The number of problems.</summary>
    public int Count => report.Count;

    public void Add(string code, KeyPath path, string message, string? hint = null)
    {
        var node = path.Locate(source, out var found);

        // In a short form the value is in place of the map; what is in no file (a default, code) keeps its full path.
        report.Add(code, node, node is ScalarNode ? found : path, message, hint);
    }

    /// <summary>Reports a valid setting that is probably not intended.</summary>
    public void Warn(string code, KeyPath path, string message, string? hint = null)
    {
        var node = path.Locate(source, out var found);
        report.Warn(code, node, node is ScalarNode ? found : path, message, hint);
    }

    /// <summary>Whether the source has a value at exactly this path.</summary>
    public bool IsWritten(KeyPath path)
    {
        path.Locate(source, out var found);
        return found == path;
    }

    /// <summary>Whether the source has such an entry, valid or not: an entry with an error of its own is not also unknown.</summary>
    public bool IsWritten(string section, string name) =>
        source.Find(section)?.Value switch
        {
            MapNode map => map.Find(name) is not null,
            ScalarNode { IsNull: true } or null => false,
            _ => true, // the section as a whole could not be read
        };
}

/// <summary>Everything that routes may refer to.</summary>
internal sealed record CompileScope(GatewayConfig Config, IReadOnlyDictionary<string, Service> Services, ProblemSink Problems);
