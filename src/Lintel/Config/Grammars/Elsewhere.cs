namespace Lintel.Config.Grammars;

/// <summary>
/// Keys that people look for in a record where they do not stand: other gateways' names for them, and places where one would guess them.
/// </summary>
internal static class Elsewhere
{
    private static readonly string[] OfServices =
    [
        "instances",
        "balancing",
        "affinity",
        "slowStart",
        "zone",
        "panic",
        "health",
        "breaker",
        "hedge",
        "retry",
        "timeouts",
        "protocol",
        "grpcWeb",
        "tls",
        "discover",
    ];

    private static readonly string[] OfMatch = ["hosts", "path", "paths", "methods", "headers", "query", "cookies", "client"];

    private static readonly string[] OfListeners = ["certificates", "clientCertificates", "protocols", "proxyProtocol", "transport"];

    private static readonly string[] OfTransforms = ["setHeaders", "addHeaders", "removeHeaders"];

    private static readonly string[] OfObservability = ["accessLog", "metrics", "tracing", "serverTiming", "errorLog"];

    /// <summary>By record: what is written there, and what to say.</summary>
    private static readonly Dictionary<Type, Dictionary<string, string>> Hints = new()
    {
        [typeof(GatewayConfig)] = Table(
            Several(PolicyConfig.Kinds, k => $"`{k}` belongs in `policies.NAME`"),
            Several(OfServices, k =>
                k == "timeouts" ? "`timeouts` belongs in `services.NAME` or `defaults`" : $"`{k}` belongs in `services.NAME`"
            ),
            Several(OfListeners, k => $"`{k}` belongs in `listeners.NAME`"),
            Several(OfObservability, k => $"`{k}` belongs in `observability`"),
            Meant("listeners", "listen", "bind", "server", "servers", "port", "ports", "entryPoints"),
            Meant("services", "upstreams", "upstream", "clusters", "backends", "backend", "targets"),
            Meant("routes", "paths", "endpoints", "locations", "reRoutes", "rules"),
            Meant("policies", "middlewares", "plugins", "filters"),
            Meant("clients", "consumers", "variants"),
            Meant("observability", "log", "logs", "logging", "telemetry"),
            Meant("drainTimeout", "shutdownTimeout", "gracePeriod", "terminationGracePeriod")
        ),
        [typeof(RouteConfig)] = Table(
            Several(PolicyConfig.Kinds, k => $"`{k}` belongs in `policies.NAME`; the route refers to it with `policies: [NAME]`"),
            Several(OfServices.Except(["timeouts", "retry"]), k =>
                $"`{k}` belongs in `services.NAME`, the service that the route forwards to"
            ),
            Several(OfMatch, k => $"`{k}` belongs in `match`"),
            Several(OfTransforms, k => $"`{k}` belongs in `transform.request` or `transform.response`"),
            Meant("match.hosts", "host", "domain", "domains"),
            Meant("match.methods", "method"),
            Meant("forward", "service", "services", "upstream", "backend", "backends", "proxy", "proxyTo", "to", "target", "cluster"),
            Meant("policies", "policy", "auth", "authentication", "middlewares", "plugins", "filters"),
            Meant("services.NAME.timeouts", "timeout", "requestTimeout"),
            Meant("services.NAME.retry", "retries"),
            Meant("forward: SERVICE/path/{rest}", "rewrite", "stripPrefix", "pathRewrite", "prefixRewrite"),
            Several(["split", "mirror", "sticky"], k => $"`{k}` belongs in `forward`"),
            Several(["calls", "variants", "stream", "deadline", "forwardHeaders", "conflict"], k => $"`{k}` belongs in `compose`"),
            Several(["status", "body"], k => $"`{k}` belongs in `respond`")
        ),
        [typeof(ServiceConfig)] = Table(
            Several(PolicyConfig.Kinds.Except(["identity"]), k => $"`{k}` belongs in `policies.NAME`, which routes refer to"),
            Meant("health", "healthCheck", "healthChecks", "healthcheck", "check", "probe"),
            Meant(
                "instances",
                "address",
                "addresses",
                "url",
                "urls",
                "endpoint",
                "endpoints",
                "hosts",
                "targets",
                "servers",
                "nodes",
                "upstreams",
                "destinations"
            ),
            Meant("balancing", "balancer", "loadBalancing", "loadBalancer", "lb", "lbPolicy", "strategy", "algorithm"),
            Meant("breaker", "circuitBreaker", "outlierDetection"),
            Meant("retry", "retries", "retryPolicy"),
            Meant("affinity", "sticky", "sessionAffinity"),
            Meant("timeouts", "timeout", "connectTimeout", "requestTimeout", "idleTimeout"),
            Several(["connect", "request", "idle"], k => $"`{k}` belongs in `timeouts`"),
            Several(["weight", "priority"], k => $"`{k}` belongs in `instances[]`"),
            Several(["authorities", "serverName", "certificate", "keyPath"], k => $"`{k}` belongs in `tls`"),
            Several(["active", "passive"], k => $"`{k}` belongs in `health`"),
            Several(["ewma", "consistentHash", "decay", "boundedLoad"], k => $"`{k}` belongs in `balancing`"),
            Meant("slowStart", "warmUp", "warmup", "slow_start"),
            Several([.. OfTransforms, "path"], k => $"`{k}` belongs to routes: `transform`, `forward: SERVICE/path`")
        ),
        [typeof(MatchConfig)] = Table(
            Meant("path: /prefix/{**rest}", "prefix", "pathPrefix", "startsWith"),
            Meant("paths", "pathRegex", "uri", "uris", "urls"),
            Meant("headers.NAME.regex", "regex"),
            Meant("listeners", "port", "listener")
        ),
        [typeof(ListenerConfig)] = Table(
            Meant("address", "port", "host", "url", "bind", "listen"),
            Meant("certificates", "certificate", "cert", "certs", "keyPath", "ssl"),
            Meant("clientCertificates", "mtls", "clientAuth", "clientCa"),
            Meant("protocols", "protocol", "http2", "http3", "alpn"),
            Several(["timeouts", "timeout", "connections", "body", "requestLine"], k =>
                k.StartsWith("timeout", StringComparison.Ordinal) ? "timeouts belong in `limits`" : $"`{k}` belongs in `limits`"
            )
        ),
        [typeof(PolicyConfig)] = Table(
            Meant("jwt", "oidc", "bearer", "openIdConnect"),
            Meant("session", "oauth2", "login"),
            Meant("clientCertificate", "mtls", "clientCertificates"),
            Meant("access", "ip", "ipAllow", "ipFilter", "allow", "deny"),
            Meant("rateLimit", "rateLimits", "throttle", "limit", "limits"),
            Meant("basic", "basicAuth"),
            Meant("apiKey", "apiKeys", "keyAuth"),
            Meant("compress", "compression", "gzip"),
            Several(["timeouts", "retry", "breaker"], k => $"`{k}` belongs in `services.NAME`")
        ),
        [typeof(ObservabilityConfig)] = Table(
            Meant("accessLog", "log", "logs", "logging", "access"),
            Meant("errorLog", "errors", "error", "diagnostics"),
            Meant("errorLog.level", "logLevel", "level", "verbosity"),
            Meant("tracing", "traces", "trace"),
            Meant("metrics", "prometheus"),
            Several(["otlp"], k => $"`{k}` belongs in `metrics` or `tracing`")
        ),
        [typeof(DefaultsConfig)] = Table(
            Meant("timeouts", "timeout"),
            Several(PolicyConfig.Kinds, k => $"`{k}` belongs in `policies.NAME`, which `defaults.policies` refers to"),
            Several(OfServices.Except(["timeouts"]), k => $"`{k}` belongs in `services.NAME`")
        ),
        [typeof(CallConfig)] = Table(
            Meant("request", "service", "url", "path", "method", "forward"),
            Meant("optional", "required"),
            Meant("after", "dependsOn", "needs"),
            Meant("if", "when", "condition"),
            Meant("services.NAME.retry", "retry", "retries"),
            Several(["into", "on"], k => $"`{k}` belongs in `join`")
        ),
    };

    /// <summary>Where this key of this record stands; <see langword="null"/> where that is not known.</summary>
    public static string? For(Type record, string key) => Hints.GetValueOrDefault(record)?.GetValueOrDefault(key);

    private static Dictionary<string, string> Table(params ReadOnlySpan<IEnumerable<KeyValuePair<string, string>>> parts)
    {
        // The first word on a key counts.
        var table = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var part in parts)
        {
            foreach (var (key, hint) in part)
                table.TryAdd(key, hint);
        }

        return table;
    }

    private static IEnumerable<KeyValuePair<string, string>> Several(IEnumerable<string> keys, Func<string, string> hint) =>
        keys.Select(k => KeyValuePair.Create(k, hint(k)));

    private static IEnumerable<KeyValuePair<string, string>> Meant(string name, params IEnumerable<string> keys) =>
        keys.Select(k => KeyValuePair.Create(k, $"did you mean `{name}`?"));
}
