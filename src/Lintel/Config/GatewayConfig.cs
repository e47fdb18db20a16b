namespace Lintel.Config;

/// <summary>A whole gateway: what the user wrote, with nothing looked up or resolved.</summary>
public sealed record GatewayConfig
{
    /// <summary>The gateway's name in <c>Via</c> and <c>Proxy-Status</c>. Give all nodes of one gateway the same name. Default: <c>lintel</c>, and in <c>Via</c> a random name for each process, so that two gateways in a row do not take each other for a loop.</summary>
    public string? Name { get; init; }

    /// <summary>Where clients connect. Default: one listener, <c>http://127.0.0.1:8080</c>.</summary>
    public ValueMap<ListenerConfig> Listeners { get; init; } = [];

    /// <summary>The proxies whose <c>Forwarded</c> and <c>X-Forwarded-*</c> headers are believed, as addresses or CIDR ranges. Default: none, so that such headers are dropped.</summary>
    public ValueList<string> TrustedProxies { get; init; } = [];

    /// <summary>The microservices behind the gateway, each a pool of instances.</summary>
    public ValueMap<ServiceConfig> Services { get; init; } = [];

    /// <summary>Policies, named once and used by routes.</summary>
    public ValueMap<PolicyConfig> Policies { get; init; } = [];

    /// <summary>What is reachable, and where it goes.</summary>
    public ValueMap<RouteConfig> Routes { get; init; } = [];

    /// <summary>Who calls: named kinds of frontends.</summary>
    public ValueMap<ClientConfig> Clients { get; init; } = [];

    /// <summary>What routes and services use unless they say otherwise.</summary>
    public DefaultsConfig Defaults { get; init; } = new();

    /// <summary>Access log and metrics.</summary>
    public ObservabilityConfig Observability { get; init; } = new();

    /// <summary>The operators' address: health, readiness and metrics.</summary>
    public AdminConfig Admin { get; init; } = new();

    /// <summary>Where limits, quotas and sessions are kept: <c>memory</c> (default).</summary>
    public StateKind State { get; init; }

    /// <summary>How long a stopping gateway waits for requests in flight before it cuts them off. Default 30 s (Kubernetes' own grace period), 0 s to 1 h.</summary>
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(30);

    private static Grammar<StateKind> StateGrammar { get; } = new StateKindGrammar();

    internal static Grammar<GatewayConfig> Grammar { get; } = new RecordGrammar<GatewayConfig>(static f =>
    {
        f.NotYet("include"); // resolved while files are read; left over only where the source is no file
        return new GatewayConfig
        {
            Name = f.Find("name", ServiceConfig.HostGrammar),
            Listeners = f.Map("listeners", ListenerConfig.Grammar, Scalars.Name),
            TrustedProxies = f.List("trustedProxies", ListenerConfig.NetworkGrammar),
            Services = f.Map("services", ServiceConfig.Grammar, Scalars.Name),
            Policies = f.Map("policies", PolicyConfig.Grammar, Scalars.Name),
            Routes = f.Map("routes", RouteConfig.Grammar, Scalars.Name),
            Clients = f.Map("clients", ClientConfig.Grammar, Scalars.Name),
            Defaults = f.Get("defaults", DefaultsConfig.Grammar, new()),
            Observability = f.Get("observability", ObservabilityConfig.Grammar, new()),
            Admin = f.Get("admin", AdminConfig.Grammar, new()),
            State = f.Get("state", StateGrammar, StateKind.Memory),
            DrainTimeout = f.Get("drainTimeout", Scalars.Duration(TimeSpan.Zero, TimeSpan.FromHours(1)), TimeSpan.FromSeconds(30)),
        };
    });

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

/// <summary>Where shared state is kept.</summary>
public enum StateKind
{
    /// <summary>In the process's memory: each node by itself.</summary>
    Memory,
}

/// <summary>A policy that routes use by name. No kind of policy is available yet.</summary>
public sealed record PolicyConfig
{
    internal static Grammar<PolicyConfig> Grammar { get; } = new RecordGrammar<PolicyConfig>(static f =>
    {
        f.NotYet("jwt", "apiKey", "introspection", "oidc", "basic", "mtls", "authorize", "rateLimit", "quota", "cache", "cors", "ip", "validate", "limits", "csrf");
        return new PolicyConfig();
    });
}

/// <summary>What routes and services use unless they say otherwise.</summary>
public sealed record DefaultsConfig
{
    /// <summary>Policies of routes that have no <c>policies</c>.</summary>
    public ValueList<string> Policies { get; init; } = [];

    /// <summary>Timeouts of services that do not set theirs.</summary>
    public TimeoutsConfig Timeouts { get; init; } = new();

    internal static Grammar<DefaultsConfig> Grammar { get; } = new RecordGrammar<DefaultsConfig>(static f => new DefaultsConfig
    {
        Policies = f.List("policies", Scalars.Name),
        Timeouts = f.Get("timeouts", TimeoutsConfig.Grammar, new()),
    });
}

/// <summary>Access log and metrics.</summary>
public sealed record ObservabilityConfig
{
    /// <summary>One line for each request.</summary>
    public AccessLogConfig AccessLog { get; init; } = new();

    /// <summary>Counters and histograms.</summary>
    public MetricsConfig Metrics { get; init; } = new();

    internal static Grammar<ObservabilityConfig> Grammar { get; } = new RecordGrammar<ObservabilityConfig>(static f =>
    {
        f.NotYet("tracing");
        return new ObservabilityConfig
        {
            AccessLog = f.Get("accessLog", AccessLogConfig.Grammar, new()),
            Metrics = f.Get("metrics", MetricsConfig.Grammar, new()),
        };
    });
}

/// <summary>The format of access-log lines.</summary>
public enum AccessLogFormat
{
    /// <summary>A JSON object a line.</summary>
    Json,
}

/// <summary>One line for each request.</summary>
public sealed record AccessLogConfig
{
    /// <summary>The lines' format: <c>json</c> (default).</summary>
    public AccessLogFormat Format { get; init; }

    /// <summary><c>stdout</c> (default), <c>stderr</c>, <c>none</c>, or a file's path, to which lines are appended.</summary>
    public string To { get; init; } = "stdout";

    internal static Grammar<AccessLogConfig> Grammar { get; } = new RecordGrammar<AccessLogConfig>(static f =>
    {
        f.NotYet("sample", "rotate", "redact");
        return new AccessLogConfig
        {
            Format = f.Get("format", Scalars.Choice([("json", AccessLogFormat.Json)], "text", "template"), AccessLogFormat.Json),
            To = f.Get("to", Scalars.Text, "stdout"),
        };
    });
}

/// <summary>Counters and histograms.</summary>
public sealed record MetricsConfig
{
    /// <summary>Whether <c>/metrics</c> on the admin address answers in Prometheus' text format. Default true.</summary>
    public bool Prometheus { get; init; } = true;

    internal static Grammar<MetricsConfig> Grammar { get; } = new RecordGrammar<MetricsConfig>(static f =>
    {
        f.NotYet("otlp");
        return new MetricsConfig { Prometheus = f.Get("prometheus", Scalars.Boolean, true) };
    });
}

/// <summary>The operators' address: health, readiness and metrics.</summary>
public sealed record AdminConfig
{
    /// <summary>Whether the admin address is opened. Default true.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>Where it listens. Default <c>http://127.0.0.1:9901</c>. An address other than loopback needs a token.</summary>
    public ListenerAddress Address { get; init; } = new("127.0.0.1", 9901);

    /// <summary>The bearer token that everything but <c>/health/…</c> asks for. Default: none, allowed on loopback only.</summary>
    public string Token { get; init; } = "";

    /// <summary><c>"${TOKEN:-}"</c> may well become nothing.</summary>
    private static Grammar<string> OptionalText { get; } = new OptionalTextGrammar();

    internal static Grammar<AdminConfig> Grammar { get; } = new RecordGrammar<AdminConfig>(static f =>
    {
        var admin = new AdminConfig
        {
            Enabled = f.Get("enabled", Scalars.Boolean, true),
            Address = f.Get("address", ListenerAddress.Grammar, new("127.0.0.1", 9901)),
            Token = f.Get("token", OptionalText, ""),
        };
        if (f.Get("console", Scalars.Boolean, false))
            f.Report("not-available", "console", "the console is not available yet", "write `console: false`, or remove it");
        if (f.IsReading && !f.HasFailed("token") && !admin.Address.IsLoopback && admin.Token.Length == 0)
            f.Report("insecure", "address", $"the admin address {admin.Address} can be reached from outside and has no token", "set `admin.token`, or listen on 127.0.0.1");
        return admin;
    });

    /// <summary>Whether the web console is served. Not available yet: only <see langword="false"/> is taken.</summary>
    public bool Console { get; init; }

    private sealed class OptionalTextGrammar : Grammar<string>
    {
        public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out string value)
        {
            value = (node as ScalarNode)?.Text ?? "";
            if (node is ScalarNode)
                return true;
            report.Add("wrong-type", node, path, $"text is expected, not {node.Kind}");
            return false;
        }

        public override System.Text.Json.Nodes.JsonObject Describe(SchemaDefinitions definitions) => Scalars.Text.Describe(definitions);
    }
}
