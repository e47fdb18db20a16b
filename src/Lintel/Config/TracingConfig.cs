using System.Globalization;
using Lintel.Config.Grammars;

namespace Lintel.Config;

/// <summary>How the trace context of a request is treated.</summary>
public enum TraceParent
{
    /// <summary>The request continues the trace and follows its sampling decision.</summary>
    Trust,

    /// <summary>Every request starts a new trace.</summary>
    Ignore,
}

/// <summary>Spans and their receiver.</summary>
public sealed record TracingConfig
{
    /// <summary>
    /// The receiver of spans: an address, or a map with <c>endpoint</c>, <c>protocol</c>, <c>headers</c> and <c>every</c>. Default: none,
    /// so the program records no spans; an embedding host may listen to the activity source <c>Lintel</c>.
    /// </summary>
    public OtlpConfig? Otlp { get; init; }

    /// <summary>
    /// The percentage of traces started by the gateway that are recorded. Default <c>10%</c>, <c>0%</c> to <c>100%</c>, with up to four
    /// decimals. Traces started by clients follow their sampling decision, unless <see cref="Parent"/> is <c>ignore</c>.
    /// </summary>
    public double Sample { get; init; } = 10;

    /// <summary>
    /// <c>trust</c> (default): the <c>traceparent</c> of a request is continued, and recorded if it is sampled. <c>ignore</c>: every
    /// request starts a new trace, for edges that are exposed to untrusted clients, which could otherwise have every request recorded; a
    /// span links to the client's trace.
    /// </summary>
    public TraceParent Parent { get; init; }

    private static Grammar<double> Percent { get; } =
        new ScalarGrammar<double>(
            "a percentage",
            "^[0-9]+(\\.[0-9]{1,4})?%$",
            static (string text, out double value) =>
            {
                value = 0;
                return text.EndsWith('%')
                    && double.TryParse(
                        text.AsSpan(0, text.Length - 1),
                        NumberStyles.AllowDecimalPoint,
                        CultureInfo.InvariantCulture,
                        out value
                    )
                    && value <= 100;
            },
            "write a percentage with `%`, from `0%` to `100%`"
        );

    internal static Grammar<TracingConfig> Grammar { get; } =
        new RecordGrammar<TracingConfig>(static f => new TracingConfig
        {
            Otlp = f.Find("otlp", OtlpConfig.Grammar),
            Sample = f.Get("sample", Percent, 10),
            Parent = f.Get("parent", Scalars.Choice([("trust", TraceParent.Trust), ("ignore", TraceParent.Ignore)]), TraceParent.Trust),
        });
}
