using Lintel.Config.Grammars;
using Lintel.Config.Reading;

namespace Lintel.Config;

/// <summary>The configuration of a gateway, as written by the user, with no references resolved.</summary>
public sealed record GatewayConfig
{
    /// <summary>
    /// The gateway's name in <c>Via</c> and <c>Proxy-Status</c>. Use the same name on all nodes of one gateway. Default: <c>lintel</c>, and
    /// in <c>Via</c> a random name per process, so that two gateways in a row do not detect each other as a loop.
    /// </summary>
    public string? Name { get; init; }

    /// <summary>The addresses on which clients connect. Default: one listener, <c>http://127.0.0.1:8080</c>.</summary>
    public ValueMap<ListenerConfig> Listeners { get; init; } = [];

    /// <summary>
    /// The proxies whose forwarding headers are trusted: a list of addresses or CIDR ranges, or a map that also lists the headers. Default:
    /// none, so such headers are dropped.
    /// </summary>
    public TrustedProxiesConfig TrustedProxies { get; init; } = new();

    /// <summary>The microservices behind the gateway, each a pool of instances.</summary>
    public ValueMap<ServiceConfig> Services { get; init; } = [];

    /// <summary>Policies, defined once and used by routes.</summary>
    public ValueMap<PolicyConfig> Policies { get; init; } = [];

    /// <summary>The routes: the requests that are served, and their actions.</summary>
    public ValueMap<RouteConfig> Routes { get; init; } = [];

    /// <summary>Clients: named kinds of frontends.</summary>
    public ValueMap<ClientConfig> Clients { get; init; } = [];

    /// <summary>Defaults for routes and services.</summary>
    public DefaultsConfig Defaults { get; init; } = new();

    /// <summary>Logs, metrics and traces.</summary>
    public ObservabilityConfig Observability { get; init; } = new();

    /// <summary>The admin address: health, readiness, metrics, and the admin API.</summary>
    public AdminConfig Admin { get; init; } = new();

    /// <summary>The store of limits, quotas and sessions: <c>memory</c> (default).</summary>
    public StateKind State { get; init; }

    /// <summary>
    /// How long a stopping gateway waits for requests in flight before it aborts them. Default 30 s (Kubernetes' default grace period), 0 s
    /// to 1 h.
    /// </summary>
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long a stopping gateway with its own listeners keeps accepting connections while <c>/health/ready</c> already returns 503, so
    /// that load balancers can react. Every response in that time closes its connection. Default 0 s, up to 10 min.
    /// </summary>
    public TimeSpan DrainDelay { get; init; }

    /// <summary>Limits of the gateway as a whole.</summary>
    public GatewayLimitsConfig Limits { get; init; } = new();

    /// <summary>
    /// The limits beyond which the gateway sheds requests to protect itself, or <c>off</c>. Default:
    /// <c>{ memory: 85%, loopDelay: 50ms }</c>.
    /// </summary>
    public OverloadConfig Overload { get; init; } = new();

    /// <summary>The listeners that are opened: the default listener if none is configured.</summary>
    internal ValueMap<ListenerConfig> EffectiveListeners => Listeners is { Count: > 0 } named ? named : DefaultListeners;

    private static ValueMap<ListenerConfig> DefaultListeners { get; } = new() { ["default"] = ListenerConfig.Default };

    /// <summary>Files whose content is part of the configuration: a change of one of them is a change of the configuration.</summary>
    internal IEnumerable<string> Files =>
        [
            .. from listener in Listeners from file in listener.Value.Files select file,
            .. from service in Services
            from file in new[] { service.Value.Tls.Authorities, service.Value.Tls.Certificate, service.Value.Tls.KeyPath }
            where file is not null
            select file,
            .. from policy in AllPolicies from file in policy.Files select file,
        ];

    /// <summary>All policies: those with a name, and those that are written where they are used.</summary>
    internal IEnumerable<PolicyConfig> AllPolicies =>
        Policies
            .Values.Concat(Defaults.Policies.Select(u => u.Policy))
            .Concat(Routes.Values.SelectMany(r => r.Policies ?? []).Select(u => u.Policy))
            .OfType<PolicyConfig>();

    private static Grammar<StateKind> StateGrammar { get; } = new StateKindGrammar();

    /// <summary>The grammar of a whole configuration.</summary>
    /// <param name="policies">Reads a policy: the kinds are a catalogue's, above the configuration.</param>
    internal static Grammar<GatewayConfig> CreateGrammar(Grammar<PolicyConfig> policies)
    {
        var uses = new ListGrammar<PolicyUse>(new PolicyUseGrammar(policies));
        var routes = RouteConfig.CreateGrammar(uses);
        var defaults = DefaultsConfig.CreateGrammar(uses);
        return new RecordGrammar<GatewayConfig>(f => Read(f, policies, routes, defaults));
    }

    private static GatewayConfig Read(
        RecordFields f,
        Grammar<PolicyConfig> policies,
        Grammar<RouteConfig> routes,
        Grammar<DefaultsConfig> defaults
    )
    {
        f.NotYet("include"); // resolved while files are read; left over only where the source is no file
        return new GatewayConfig
        {
            Name = f.Find("name", ServiceConfig.HostGrammar),
            Listeners = f.Map("listeners", ListenerConfig.Grammar, Scalars.Name),
            TrustedProxies = f.Get("trustedProxies", TrustedProxiesConfig.Grammar, new()),
            Services = f.Map("services", ServiceConfig.Grammar, Scalars.Name),
            Policies = f.Map("policies", policies, Scalars.Name),
            Routes = f.Map("routes", routes, Scalars.Name),
            Clients = f.Map("clients", ClientConfig.Grammar, Scalars.Name),
            Defaults = f.Get("defaults", defaults, new()),
            Observability = f.Get("observability", ObservabilityConfig.Grammar, new()),
            Admin = f.Get("admin", AdminConfig.Grammar, new()),
            State = f.Get("state", StateGrammar, StateKind.Memory),
            Limits = f.Get("limits", GatewayLimitsConfig.Grammar, new()),
            Overload = f.Get("overload", OverloadConfig.Grammar, new()),
            DrainDelay = f.Get("drainDelay", Scalars.Duration(TimeSpan.Zero, TimeSpan.FromMinutes(10)), TimeSpan.Zero),
            DrainTimeout = f.Get("drainTimeout", Scalars.Duration(TimeSpan.Zero, TimeSpan.FromHours(1)), TimeSpan.FromSeconds(30)),
        };
    }

    /// <summary><c>memory</c>, or a map that names a store.</summary>
    private sealed class StateKindGrammar : Grammar<StateKind>
    {
        private static readonly Grammar<StateKind> Word = Scalars.Choice([("memory", StateKind.Memory)]);

        public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out StateKind value)
        {
            value = default;
            if (node is MapNode map && map.Find("redis") is not null)
            {
                report.Add("not-available", node, path, "shared state in Redis is not available yet", "write `state: memory`");
                return false;
            }

            return Word.TryRead(node, path, report, out value);
        }

        public override System.Text.Json.Nodes.JsonObject Describe(SchemaDefinitions definitions) => Word.Describe(definitions);
    }
}

/// <summary>The store of shared state.</summary>
public enum StateKind
{
    /// <summary>The memory of the process: each node has its own state.</summary>
    Memory,
}

/// <summary>Defaults for routes and services.</summary>
public sealed record DefaultsConfig
{
    /// <summary>Policies of routes that have no <c>policies</c>: names, or inline policies.</summary>
    public ValueList<PolicyUse> Policies { get; init; } = [];

    /// <summary>Timeouts of services without their own.</summary>
    public TimeoutsConfig Timeouts { get; init; } = new();

    /// <summary>The priority of routes without their own. Default <c>normal</c>.</summary>
    public RoutePriority Priority { get; init; } = RoutePriority.Normal;

    internal static Grammar<DefaultsConfig> CreateGrammar(ListGrammar<PolicyUse> policies) =>
        new RecordGrammar<DefaultsConfig>(f => new DefaultsConfig
        {
            Policies = f.Get("policies", policies, []),
            Timeouts = f.Get("timeouts", TimeoutsConfig.Grammar, new()),
            Priority = f.Get("priority", RouteConfig.PriorityGrammar, RoutePriority.Normal),
        });
}
