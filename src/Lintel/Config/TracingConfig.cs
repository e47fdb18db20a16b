using System.Globalization;
using Lintel.Config.Grammars;

namespace Lintel.Config;

/// <summary>What is made of the trace that a request says it belongs to.</summary>
public enum TraceParent
{
    /// <summary>The request continues it, and its decision about recording is followed.</summary>
    Trust,

    /// <summary>Every request begins a trace of its own.</summary>
    Ignore,
}

/// <summary>Spans, and where they go.</summary>
public sealed record TracingConfig
{
    /// <summary>
    /// The receiver of spans: an address, or a map with <c>endpoint</c>, <c>protocol</c>, <c>headers</c> and <c>every</c>. Default: none,
    /// so that nothing is recorded by the program; an embedding host may listen to the activity source <c>Lintel</c>.
    /// </summary>
    public OtlpConfig? Otlp { get; init; }

    /// <summary>
    /// The share of traces that is recorded, of those that begin here. Default <c>10%</c>, <c>0%</c> to <c>100%</c>, with up to four
    /// decimals. Traces that clients began are recorded as they say, unless <see cref="Parent"/> is <c>ignore</c>.
    /// </summary>
    public double Sample { get; init; } = 10;

    /// <summary>
    /// <c>trust</c> (default): a request's <c>traceparent</c> is continued, and recorded if it says so. <c>ignore</c>: every request begins
    /// a new trace here, for edges that strangers reach, who could otherwise have everything recorded; a span links to the trace that was
    /// left.
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
