using Lintel.Config.Grammars;

namespace Lintel.Config;

/// <summary>How the health of a service's instances is determined.</summary>
public sealed record HealthConfig
{
    /// <summary>Requests of the gateway that check each instance. Default: none.</summary>
    public ActiveHealthConfig? Active { get; init; }

    /// <summary>Ejection by the outcome of clients' requests. Default: none.</summary>
    public PassiveHealthConfig? Passive { get; init; }

    internal static Grammar<HealthConfig> Grammar { get; } =
        new RecordGrammar<HealthConfig>(static f =>
        {
            if (!f.Has("active") && !f.Has("passive"))
                f.Report("missing-key", null, "`health` requires at least one kind of check", "add `active`, `passive`, or both");
            return new HealthConfig
            {
                Active = f.Find("active", ActiveHealthConfig.Grammar),
                Passive = f.Find("passive", PassiveHealthConfig.Grammar),
            };
        });
}

/// <summary>Active health checks: one of <see cref="Path"/>, <see cref="Grpc"/> and <see cref="Tcp"/>.</summary>
public sealed record ActiveHealthConfig
{
    /// <summary>
    /// The target of a GET that a healthy instance answers as <see cref="Expect"/> defines, such as <c>/healthz</c>. It is not prefixed
    /// with the instance's base path.
    /// </summary>
    public string? Path { get; init; }

    /// <summary>
    /// The service's name for gRPC's health protocol (<c>grpc.health.v1.Health/Check</c>); empty for the server as a whole. Needs
    /// <c>protocol: http2</c>.
    /// </summary>
    public string? Grpc { get; init; }

    /// <summary>Whether a connection that can be established is sufficient. Default <c>false</c>.</summary>
    public bool Tcp { get; init; }

    /// <summary>The interval between two checks of an instance. Default 5s (Envoy Gateway's is 3s, YARP's 15s), 100ms to 1h.</summary>
    public TimeSpan Every { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The time after which a check without a result has failed. Default 1s, 10ms to 1m.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// The variation of <see cref="Every"/>, so that several gateways do not check at the same moment, in percent of it. Default 20, 0 to
    /// 100.
    /// </summary>
    public double Jitter { get; init; } = 20;

    /// <summary>Passed checks in a row that make an instance available again. Default 2 (Envoy Gateway's is 1), 1 to 100.</summary>
    public int HealthyAfter { get; init; } = 2;

    /// <summary>Failed checks in a row that make an instance unhealthy. Default 3 (Envoy Gateway's), 1 to 100.</summary>
    public int UnhealthyAfter { get; init; } = 3;

    /// <summary>The expected response to <see cref="Path"/>. Default: any status from 200 to 299.</summary>
    public ExpectedHealthConfig Expect { get; init; } = new();

    private static Grammar<string> PathGrammar { get; } =
        new ScalarGrammar<string>(
            "a path",
            "^/",
            static (string text, out string value) =>
            {
                value = text;
                return text.StartsWith('/') && text.All(c => c is > ' ' and < '\x7f' and not '#');
            },
            "write a path such as `/healthz`, optionally with a query"
        );

    internal static Grammar<ActiveHealthConfig> Grammar { get; } =
        new RecordGrammar<ActiveHealthConfig>(static f =>
        {
            var d = new ActiveHealthConfig();
            var health = new ActiveHealthConfig
            {
                Path = f.Find("path", PathGrammar),
                Grpc = f.Find("grpc", Scalars.Text),
                Tcp = f.Get("tcp", Scalars.Boolean, false),
                Every = f.Get("every", Scalars.Duration(TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1)), d.Every),
                Timeout = f.Get("timeout", Scalars.Duration(TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(1)), d.Timeout),
                Jitter = f.Get("jitter", Scalars.Percent, d.Jitter),
                HealthyAfter = f.Get("healthyAfter", Scalars.Integer(1, 100), d.HealthyAfter),
                UnhealthyAfter = f.Get("unhealthyAfter", Scalars.Integer(1, 100), d.UnhealthyAfter),
                Expect = f.Get("expect", ExpectedHealthConfig.Grammar, d.Expect),
            };
            var ways = (f.Has("path") ? 1 : 0) + (f.Has("grpc") ? 1 : 0) + (health.Tcp ? 1 : 0);
            if (ways == 0 && !f.HasFailed("tcp"))
                f.Report(
                    "missing-key",
                    null,
                    "an active health check requires what to check",
                    "add `path: /healthz`, `grpc: \"\"`, or `tcp: true`"
                );
            if (ways > 1)
                f.Report("conflict", "path", "an instance is checked in one way: by `path`, `grpc` or `tcp`", "keep one of them");
            if (f.Has("expect") && !f.Has("path"))
                f.Report("conflict", "expect", "`expect` applies to the response to `path`", "remove it, or check by `path`");
            return health;
        });
}

/// <summary>The expected response of a healthy instance.</summary>
public sealed record ExpectedHealthConfig
{
    /// <summary>The statuses of a healthy instance, 100 to 599. Default: 200 to 299.</summary>
    public ValueList<int> Status { get; init; } = [];

    /// <summary>Text that the body contains, within its first 64 KiB. Default: any body.</summary>
    public string? Body { get; init; }

    internal static Grammar<ExpectedHealthConfig> Grammar { get; } =
        new RecordGrammar<ExpectedHealthConfig>(static f => new ExpectedHealthConfig
        {
            Status = f.List("status", Scalars.Integer(100, 599), allowSingle: true),
            Body = f.Find("body", Scalars.Text),
        });
}

/// <summary>
/// Passive health: an instance that fails too often is ejected for some time. Failures are attempts without a response, and statuses from
/// 500 to 599.
/// </summary>
public sealed record PassiveHealthConfig
{
    /// <summary>Failures in a row that eject an instance. Default 5 (Envoy's), 1 to 10000.</summary>
    public int ConsecutiveFailures { get; init; } = 5;

    /// <summary>Ejects an instance by its share of successful attempts, in addition. Default: none.</summary>
    public SuccessRateConfig? SuccessRate { get; init; }

    /// <summary>
    /// The duration of the first ejection; the second is twice as long, the third three times. The count decreases by one for each such
    /// time without an ejection. Default 30s (Envoy's), 100ms to 1h.
    /// </summary>
    public TimeSpan EjectFor { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The longest ejection. Default 5m (Envoy's), 100ms to 1d.</summary>
    public TimeSpan MaxEjectFor { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// The largest share of the instances that is ejected at a time, in percent. Default 50 (Envoy's is 10, which is none of fewer
    /// than ten instances), 0 to 100.
    /// </summary>
    public double MaxEjected { get; init; } = 50;

    internal static Grammar<PassiveHealthConfig> Grammar { get; } =
        new RecordGrammar<PassiveHealthConfig>(static f =>
        {
            var d = new PassiveHealthConfig();
            return new PassiveHealthConfig
            {
                ConsecutiveFailures = f.Get("consecutiveFailures", Scalars.Integer(1, 10_000), d.ConsecutiveFailures),
                SuccessRate = f.Find("successRate", SuccessRateConfig.Grammar),
                EjectFor = f.Get("ejectFor", Scalars.Duration(TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1)), d.EjectFor),
                MaxEjectFor = f.Get("maxEjectFor", Scalars.Duration(TimeSpan.FromMilliseconds(100), TimeSpan.FromDays(1)), d.MaxEjectFor),
                MaxEjected = f.Get("maxEjected", Scalars.Percent, d.MaxEjected),
            };
        });
}

/// <summary>The share of successful attempts below which an instance is ejected.</summary>
public sealed record SuccessRateConfig
{
    /// <summary>The share in percent, from 0 to 100.</summary>
    public required double Below { get; init; }

    /// <summary>Attempts within the window that a decision requires. Default 100 (Envoy's), 1 to 1000000.</summary>
    public int Minimum { get; init; } = 100;

    /// <summary>The length of the window, in ten buckets. Default 10s (Envoy's interval), 1s to 10m.</summary>
    public TimeSpan Window { get; init; } = TimeSpan.FromSeconds(10);

    internal static Grammar<SuccessRateConfig> Grammar { get; } =
        new RecordGrammar<SuccessRateConfig>(static f =>
        {
            var d = new SuccessRateConfig { Below = 0 };
            return new SuccessRateConfig
            {
                Below = f.Require("below", Scalars.Percent),
                Minimum = f.Get("minimum", Scalars.Integer(1, 1_000_000), d.Minimum),
                Window = f.Get("window", Scalars.Duration(TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(10)), d.Window),
            };
        });
}
