using Lintel.Config.Grammars;
using Lintel.Config.Reading;

namespace Lintel.Config;

/// <summary>The HTTP version towards a service.</summary>
public enum ServiceProtocol
{
    /// <summary>HTTP/1.1.</summary>
    Http1,

    /// <summary>HTTP/2; over <c>http://</c> with prior knowledge (h2c).</summary>
    Http2,
}

/// <summary>Protocol errors in a service's responses that are tolerated.</summary>
public enum Leniency
{
    /// <summary>Lines that end with a bare LF (RFC 9112 section 2.2).</summary>
    BareLf,

    /// <summary>Several equal <c>Content-Length</c> values, as several fields or as a list (RFC 9110 section 8.6).</summary>
    EqualLengths,
}

/// <summary>A microservice: a pool of equivalent instances that differ only in weight.</summary>
public sealed record ServiceConfig
{
    /// <summary>The instances; at least one, unless <see cref="Discover"/> is set.</summary>
    public ValueList<InstanceConfig> Instances { get; init; } = [];

    /// <summary>Where the instances are looked up while the gateway runs, in place of <see cref="Instances"/>. Default: nowhere.</summary>
    public DiscoverConfig? Discover { get; init; }

    /// <summary>The HTTP version towards the instances: <c>http1</c> (default) or <c>http2</c>.</summary>
    public ServiceProtocol Protocol { get; init; }

    /// <summary>
    /// Whether calls of gRPC-Web clients (browsers) are translated to gRPC. Default, and possible, only if <see cref="Protocol"/> is
    /// <c>http2</c>: <c>true</c>; otherwise they are forwarded unchanged.
    /// </summary>
    public bool? GrpcWeb { get; init; }

    /// <summary>
    /// The load-balancing algorithm: <c>leastRequests</c> (default), <c>roundRobin</c>, <c>random</c>, <c>ewma</c> or
    /// <c>consistentHash</c>.
    /// </summary>
    public BalancingConfig Balancing { get; init; } = new();

    /// <summary>
    /// The time in which the weight of an instance that joins, or becomes available again, grows linearly from 10 % to all of it, in ten
    /// steps. Default: none; 1s to 1h. Does not apply to the instances that a service starts with.
    /// </summary>
    public TimeSpan? SlowStart { get; init; }

    /// <summary>Prefers the instances of the gateway's own zone. Default: zones have no effect.</summary>
    public ZoneConfig? Zone { get; init; }

    /// <summary>Keeps clients on the instance that answered them first, by a cookie. Default: none.</summary>
    public AffinityConfig? Affinity { get; init; }

    /// <summary>How the health of the instances is determined. Default: not at all; all of them receive requests.</summary>
    public HealthConfig? Health { get; init; }

    /// <summary>
    /// The share of available instances below which all are used, regardless of their health: it is more likely that the checks are wrong,
    /// and the remaining ones would break under the load of all. In percent, default 50 (Envoy's), 0 to 100; 0 for never.
    /// </summary>
    public double Panic { get; init; } = 50;

    /// <summary>
    /// When a failed attempt is followed by another one. Default: up to 3 attempts while no connection can be established, each to another
    /// instance.
    /// </summary>
    public RetryConfig? Retry { get; init; }

    /// <summary>
    /// Hedging: a request that has no response head in time is also sent to another instance, and the first good response is used. Only
    /// requests without a body that may be sent twice (see <see cref="RetryConfig.On"/>); <c>perTryTimeout</c> limits a request and its
    /// hedges together. Default: none.
    /// </summary>
    public HedgeConfig? Hedge { get; init; }

    /// <summary>The circuit breaker. Default: none.</summary>
    public BreakerConfig? Breaker { get; init; }

    /// <summary>The limit of requests in flight. Default: none.</summary>
    public ServiceLimitsConfig? Limits { get; init; }

    /// <summary>
    /// The <c>Host</c> sent to instances: <c>request</c> (default) keeps the client's, <c>instance</c> sends the address of the instance,
    /// any other value is sent as written.
    /// </summary>
    public string Host { get; init; } = "request";

    /// <summary>Timeouts of this service; absent ones are taken from <c>defaults.timeouts</c>.</summary>
    public TimeoutsConfig Timeouts { get; init; } = new();

    /// <summary>The connection pool of the instances.</summary>
    public ConnectionsConfig Connections { get; init; } = new();

    /// <summary>
    /// Protocol errors in responses that are tolerated: <c>bareLf</c> (lines that end with a bare LF) and <c>equalLengths</c> (several
    /// equal <c>Content-Length</c> values; one is forwarded). Default none: such a response is 502 <c>protocol-error</c>. Only if the
    /// gateway reads responses itself: <c>protocol: http1</c>, on event loops (Linux).
    /// </summary>
    public ValueList<Leniency> Lenient { get; init; } = [];

    /// <summary>How instances at <c>https://</c> are verified and addressed.</summary>
    public ServiceTlsConfig Tls { get; init; } = new();

    /// <summary>
    /// Creates the handler that carries the requests to all instances instead of the gateway's connections; it is called once per
    /// configuration, and the handler is disposed with it. For tests: <c>() => testServer.CreateHandler()</c>. Default
    /// <see langword="null"/>; not available in files.
    /// </summary>
    public Func<HttpMessageHandler>? Handler { get; init; }

    internal static Grammar<string> HostGrammar { get; } =
        new ScalarGrammar<string>(
            "a host name",
            null,
            static (string text, out string value) =>
            {
                value = System.Text.Ascii.IsValid(text) ? text : HostNames.ToAscii(text);
                return value.Length is > 0 and <= 255
                    && char.IsAsciiLetterOrDigit(value[0])
                    && value.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_' or ':');
            },
            "use letters, digits, `.`, `-`, `_`, and optionally `:` and a port"
        );

    internal static Grammar<ServiceConfig> Grammar { get; } =
        new ShortFormGrammar<ServiceConfig>(
            static (ScalarNode scalar, KeyPath path, ConfigReport report, out ServiceConfig value) =>
            {
                var read = InstanceConfig.AddressGrammar.TryRead(scalar, path, report, out var address);
                value = read ? new ServiceConfig { Instances = [new InstanceConfig { Address = address }] } : null!;
                return read;
            },
            "The address of its only instance, such as http://127.0.0.1:5101",
            new RecordGrammar<ServiceConfig>(static f =>
            {
                var service = new ServiceConfig
                {
                    Instances = f.Get("instances", new ListGrammar<InstanceConfig>(InstanceConfig.Grammar, minimum: 1), []),
                    Discover = f.Find("discover", DiscoverConfig.Grammar),
                    Protocol = f.Get(
                        "protocol",
                        Scalars.Choice([("http1", ServiceProtocol.Http1), ("http2", ServiceProtocol.Http2)], "http3", "auto"),
                        ServiceProtocol.Http1
                    ),
                    GrpcWeb = f.FindValue("grpcWeb", Scalars.Boolean),
                    Balancing = f.Get("balancing", BalancingConfig.Grammar, new()),
                    SlowStart = f.FindValue("slowStart", Scalars.Duration(TimeSpan.FromSeconds(1), TimeSpan.FromHours(1))),
                    Zone = f.Find("zone", ZoneConfig.Grammar),
                    Affinity = f.Find("affinity", AffinityConfig.Grammar),
                    Health = f.Find("health", HealthConfig.Grammar),
                    Panic = f.Get("panic", Scalars.Percent, 50),
                    Retry = f.Find("retry", RetryConfig.Grammar),
                    Hedge = f.Find("hedge", HedgeConfig.Grammar),
                    Breaker = f.Find("breaker", BreakerConfig.Grammar),
                    Limits = f.Find("limits", ServiceLimitsConfig.Grammar),
                    Host = f.Get("host", HostGrammar, "request"),
                    Timeouts = f.Get("timeouts", TimeoutsConfig.Grammar, new()),
                    Connections = f.Get("connections", ConnectionsConfig.Grammar, new()),
                    Lenient = f.List("lenient", Scalars.Choice([("bareLf", Leniency.BareLf), ("equalLengths", Leniency.EqualLengths)])),
                    Tls = f.Get("tls", ServiceTlsConfig.Grammar, new()),
                };
                if (f.Has("instances") && f.Has("discover"))
                    f.Report("conflict", "discover", "a service has either `instances` or `discover`", "remove one of them");
                if (!f.Has("instances") && !f.Has("discover"))
                    f.Report("missing-key", null, "`instances` is missing", "add `instances: [http://HOST:PORT]`, or `discover`");
                if (service is { Protocol: ServiceProtocol.Http2, Connections.Max: not null } && !f.HasFailed("protocol"))
                    f.Report(
                        "bad-value",
                        "connections",
                        "HTTP/2 opens connections as streams require them and does not support `max`",
                        "remove `max`"
                    );
                if (service is { Protocol: ServiceProtocol.Http1, Connections.KeepAlivePing: not null } && !f.HasFailed("protocol"))
                    f.Report("bad-value", "connections", "`keepAlivePing` requires HTTP/2", "remove it, or add `protocol: http2`");
                if (service is { Protocol: ServiceProtocol.Http2, Lenient.Count: > 0 } && !f.HasFailed("protocol"))
                    f.Report("bad-value", "lenient", "HTTP/2 has neither line endings nor framing by `Content-Length`", "remove `lenient`");
                if (service is { Protocol: ServiceProtocol.Http1, Health.Active.Grpc: not null } && !f.HasFailed("protocol"))
                    f.Report("bad-value", "health", "gRPC's health protocol requires HTTP/2", "add `protocol: http2`");
                if (
                    service.Zone is { } zone
                    && service.Discover is null
                    && service.Instances?.Any(i => i.Zone == zone.Own) == false
                    && !f.HasFailed("instances")
                )
                    f.Report(
                        "unknown-name",
                        "zone",
                        $"no instance is in the zone `{zone.Own}`",
                        "name the zone of some instances: `instances: [{ address: …, zone: NAME }]`"
                    );
                if (f.Has("panic") && !f.Has("health"))
                    f.Report("conflict", "panic", "`panic` applies to unavailable instances, which only `health` detects", "add `health`");
                if (service is { GrpcWeb: true, Protocol: ServiceProtocol.Http1 } && !f.HasFailed("protocol"))
                    f.Report("bad-value", "grpcWeb", "gRPC-Web translation requires a service with HTTP/2", "add `protocol: http2`");
                return service;
            })
        );
}

/// <summary>One process of a service.</summary>
public sealed record InstanceConfig
{
    /// <summary>
    /// The address, <c>http://HOST:PORT</c> or <c>https://…</c>, optionally with a path that is prepended to the path of every request; or
    /// a Unix socket: <c>http://unix:/run/users.sock</c>, without TLS.
    /// </summary>
    public required Uri Address { get; init; }

    /// <summary>The relative share of the requests. Default 1, 1 to 1000.</summary>
    public int Weight { get; init; } = 1;

    /// <summary>The zone that it runs in, for the service's <c>zone</c>. Default: none.</summary>
    public string? Zone { get; init; }

    /// <summary>
    /// The level that it belongs to: instances of a level get requests if too few of the levels before it are available. Default 0, the
    /// first; 0 to 127 (Envoy's bound).
    /// </summary>
    public int Priority { get; init; }

    internal const int MaxWeight = 1000;

    internal const int MaxPriority = 127;

    private const string UnixPrefix = "http://unix:/";

    /// <summary>The path of a Unix socket; <see langword="null"/> for any other address.</summary>
    internal string? UnixPath =>
        Address.OriginalString.StartsWith(UnixPrefix, StringComparison.Ordinal) ? Address.OriginalString[(UnixPrefix.Length - 1)..] : null;

    internal static Grammar<Uri> AddressGrammar { get; } =
        new ScalarGrammar<Uri>(
            "an instance's address",
            "^https?://",
            static (string text, out Uri value) =>
                Uri.TryCreate(text, UriKind.Absolute, out value!)
                && value.Scheme is "http" or "https"
                && value.Host.Length > 0
                && value.Query.Length == 0
                && value.Fragment.Length == 0
                && value.UserInfo.Length == 0
                && IsWhole(text),
            "write `http://HOST:PORT` or `https://HOST:PORT`, without user, query and fragment, or `http://unix:/PATH` for a socket"
        );

    /// <summary>
    /// Addresses that <see cref="Uri"/> accepts and the gateway does not: an empty port, which everything but a socket path after
    /// <c>unix:</c> would be, and paths that are longer than Linux allows.
    /// </summary>
    private static bool IsWhole(string text)
    {
        if (text.StartsWith(UnixPrefix, StringComparison.Ordinal))
            return text.Length > UnixPrefix.Length && System.Text.Encoding.UTF8.GetByteCount(text.AsSpan(UnixPrefix.Length - 1)) <= 107;
        var start = text.IndexOf("://", StringComparison.Ordinal) + 3;
        var end = text.IndexOf('/', start);
        return !text[start..(end < 0 ? text.Length : end)].EndsWith(':');
    }

    internal static Grammar<InstanceConfig> Grammar { get; } =
        new ShortFormGrammar<InstanceConfig>(
            static (ScalarNode scalar, KeyPath path, ConfigReport report, out InstanceConfig value) =>
            {
                var read = AddressGrammar.TryRead(scalar, path, report, out var address);
                value = read ? new InstanceConfig { Address = address } : null!;
                return read;
            },
            "The address, such as http://127.0.0.1:5201",
            new RecordGrammar<InstanceConfig>(static f => new InstanceConfig
            {
                Address = f.Require("address", AddressGrammar),
                Weight = f.Get("weight", Scalars.Integer(1, MaxWeight), 1),
                Zone = f.Find("zone", Scalars.Name),
                Priority = f.Get("priority", Scalars.Integer(0, MaxPriority), 0),
            })
        );
}

/// <summary>Timeouts of a service.</summary>
public sealed record TimeoutsConfig
{
    /// <summary>Default of <see cref="Connect"/>.</summary>
    internal static readonly TimeSpan DefaultConnect = TimeSpan.FromSeconds(2);

    /// <summary>Default of <see cref="Request"/>.</summary>
    internal static readonly TimeSpan DefaultRequest = TimeSpan.FromSeconds(30);

    /// <summary>Default of <see cref="Idle"/>.</summary>
    internal static readonly TimeSpan DefaultIdle = TimeSpan.FromSeconds(60);

    /// <summary>
    /// The timeout for establishing a connection, including TLS. Default 2 s, 1 ms to 10 min. Its failure is a 504 after every instance was
    /// tried once.
    /// </summary>
    public TimeSpan? Connect { get; init; }

    /// <summary>
    /// The timeout from the end of the request body to the response head, including all attempts. Default 30 s, 1 ms to 1 d. Bodies are
    /// limited by <see cref="Idle"/> instead, so that long uploads, downloads and event streams are not interrupted.
    /// </summary>
    public TimeSpan? Request { get; init; }

    /// <summary>
    /// The maximum time without a byte in either direction. Default 60 s (nginx's <c>proxy_read_timeout</c>), 1 ms to 1 d.
    /// </summary>
    public TimeSpan? Idle { get; init; }

    /// <summary>The effective timeouts: absent ones are taken from the defaults, and then from the built-in values.</summary>
    internal (TimeSpan Connect, TimeSpan Request, TimeSpan Idle) Over(TimeoutsConfig defaults) =>
        (
            Connect ?? defaults.Connect ?? DefaultConnect,
            Request ?? defaults.Request ?? DefaultRequest,
            Idle ?? defaults.Idle ?? DefaultIdle
        );

    internal static Grammar<TimeoutsConfig> Grammar { get; } =
        new RecordGrammar<TimeoutsConfig>(static f => new TimeoutsConfig
        {
            Connect = f.FindValue("connect", Scalars.Duration(TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(10))),
            Request = f.FindValue("request", Scalars.Duration(TimeSpan.FromMilliseconds(1), TimeSpan.FromDays(1))),
            Idle = f.FindValue("idle", Scalars.Duration(TimeSpan.FromMilliseconds(1), TimeSpan.FromDays(1))),
        });
}

/// <summary>TLS towards the instances of a service.</summary>
public sealed record ServiceTlsConfig
{
    /// <summary>A PEM file with the certificate authorities that are trusted for this service instead of the system's.</summary>
    public string? Authorities { get; init; }

    /// <summary>A PEM file with the client certificate that is presented to the service; requires <see cref="KeyPath"/>.</summary>
    public string? Certificate { get; init; }

    /// <summary>The PEM file of the certificate's private key.</summary>
    public string? KeyPath { get; init; }

    /// <summary>
    /// The name that is sent (SNI) and verified in the instance's certificate. Default: the name that <c>discover</c> looks up by
    /// <c>dns</c>, <c>dnsSrv</c> or <c>host</c>, otherwise the host of the instance's address.
    /// </summary>
    public string? ServerName { get; init; }

    internal static Grammar<ServiceTlsConfig> Grammar { get; } =
        new RecordGrammar<ServiceTlsConfig>(static f =>
        {
            var tls = new ServiceTlsConfig
            {
                Authorities = f.Find("authorities", Scalars.FilePath),
                Certificate = f.Find("certificate", Scalars.FilePath),
                KeyPath = f.Find("keyPath", Scalars.FilePath),
                ServerName = f.Find("serverName", ServiceConfig.HostGrammar),
            };
            if (f.Has("certificate") != f.Has("keyPath"))
                f.Report(
                    "missing-key",
                    f.Has("certificate") ? "certificate" : "keyPath",
                    "`certificate` and `keyPath` must be set together",
                    "set both"
                );

            // Half a pair is reported already: it is not tried as well.
            return tls.Certificate is null || tls.KeyPath is null ? tls with { Certificate = null, KeyPath = null } : tls;
        });
}
