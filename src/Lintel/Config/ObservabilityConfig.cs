using Lintel.Config.Grammars;

namespace Lintel.Config;

/// <summary>Logs, metrics and traces.</summary>
public sealed record ObservabilityConfig
{
    /// <summary>The access log: one line per request.</summary>
    public AccessLogConfig AccessLog { get; init; } = new();

    /// <summary>
    /// The error log. Default: lines of text to stderr, from level <c>information</c>. Not available inside another host, which has its own
    /// logging.
    /// </summary>
    public ErrorLogConfig? ErrorLog { get; init; }

    /// <summary>Counters and histograms.</summary>
    public MetricsConfig Metrics { get; init; } = new();

    /// <summary>
    /// Traces. Default: no spans are recorded; <c>traceparent</c>, <c>tracestate</c> and <c>baggage</c> are forwarded nevertheless.
    /// </summary>
    public TracingConfig? Tracing { get; init; }

    /// <summary>
    /// Whether forwarded responses have a <c>Server-Timing</c> header with the time that the service and the gateway took up to the
    /// response head. Default false: it is visible to every client.
    /// </summary>
    public bool ServerTiming { get; init; }

    internal static Grammar<ObservabilityConfig> Grammar { get; } =
        new RecordGrammar<ObservabilityConfig>(static f =>
        {
            return new ObservabilityConfig
            {
                AccessLog = f.Get("accessLog", AccessLogConfig.Grammar, new()),
                ErrorLog = f.Find("errorLog", ErrorLogConfig.Grammar),
                Metrics = f.Get("metrics", MetricsConfig.Grammar, new()),
                Tracing = f.Find("tracing", TracingConfig.Grammar),
                ServerTiming = f.Get("serverTiming", Scalars.Boolean, false),
            };
        });
}

/// <summary>Counters and histograms.</summary>
public sealed record MetricsConfig
{
    /// <summary>Whether <c>/metrics</c> on the admin address serves the Prometheus text format. Default true.</summary>
    public bool Prometheus { get; init; } = true;

    /// <summary>
    /// The receiver to which metrics are pushed: an address, or a map with <c>endpoint</c>, <c>protocol</c>, <c>headers</c> and
    /// <c>every</c>. Default: none.
    /// </summary>
    public OtlpConfig? Otlp { get; init; }

    internal static Grammar<MetricsConfig> Grammar { get; } =
        new RecordGrammar<MetricsConfig>(static f => new MetricsConfig
        {
            Prometheus = f.Get("prometheus", Scalars.Boolean, true),
            Otlp = f.Find("otlp", OtlpConfig.Grammar),
        });
}
