using System.Text.Json.Nodes;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;

namespace Lintel.Config;

/// <summary>Hedging: further requests to other instances if the first one is slow; the first good response is used.</summary>
public sealed record HedgeConfig
{
    /// <summary>
    /// The delay before the second request, and before each further one, 1 ms to 1 min. <see langword="null"/>: the 95th percentile of the
    /// response times.
    /// </summary>
    public TimeSpan? After { get; init; }

    /// <summary>The maximum number of requests in addition to the first. Default 1, 1 to 3.</summary>
    public int Max { get; init; } = 1;

    /// <summary>The number of additional requests, in percent of all requests. Default 5 %.</summary>
    public double Budget { get; init; } = 5;

    private static Grammar<TimeSpan> Delay { get; } = Scalars.Duration(TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(1));

    internal static Grammar<HedgeConfig> Grammar { get; } =
        new ShortFormGrammar<HedgeConfig>(
            static (ScalarNode scalar, KeyPath path, ConfigReport report, out HedgeConfig value) =>
            {
                var read = new DelayGrammar().TryRead(scalar, path, report, out var after);
                value = new HedgeConfig { After = after.Fixed };
                return read;
            },
            "p95, or a duration",
            new RecordGrammar<HedgeConfig>(static f => new HedgeConfig
            {
                After = f.Get("after", new DelayGrammar(), default).Fixed,
                Max = f.Get("max", Scalars.Integer(1, 3), 1),
                Budget = f.Get("budget", Scalars.Percent, 5),
            })
        );

    private readonly record struct HedgeDelay(TimeSpan? Fixed);

    private sealed class DelayGrammar : Grammar<HedgeDelay>
    {
        public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out HedgeDelay value)
        {
            value = default;
            if (node is ScalarNode { Text: "p95" })
                return true;
            var read = Delay.TryRead(node, path, report, out var after);
            value = new HedgeDelay(after);
            return read;
        }

        public override JsonObject Describe(SchemaDefinitions definitions) =>
            SchemaDefinitions.AnyOf(new JsonObject { ["const"] = "p95" }, Delay.Describe(definitions));
    }
}
