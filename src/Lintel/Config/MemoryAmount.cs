using System.Globalization;
using System.Text.Json.Nodes;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;

namespace Lintel.Config;

/// <summary>An amount of memory: a share of what the process may have, or a size.</summary>
public readonly record struct MemoryAmount
{
    private readonly double _percent;
    private readonly long _bytes;

    private MemoryAmount(double percent, long bytes)
    {
        _percent = percent;
        _bytes = bytes;
    }

    internal static Grammar<MemoryAmount> Grammar { get; } = new AmountGrammar();

    /// <summary>A share of what the process may have.</summary>
    /// <param name="percent">1 to 100.</param>
    public static MemoryAmount Share(double percent)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(percent, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(percent, 100);
        return new MemoryAmount(percent, 0);
    }

    /// <summary>A size.</summary>
    /// <param name="bytes">1 MiB to 1 PiB.</param>
    public static MemoryAmount Size(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, AmountGrammar.Smallest);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, AmountGrammar.Largest);
        return new MemoryAmount(0, bytes);
    }

    /// <summary>The amount in bytes.</summary>
    /// <param name="whole">What the process may have.</param>
    internal long Of(long whole) => _bytes > 0 ? _bytes : (long)(whole * (_percent / 100));

    /// <inheritdoc/>
    public override string ToString() => _bytes > 0 ? SizeGrammar.Format(_bytes) : _percent.ToString(CultureInfo.InvariantCulture) + "%";

    private sealed class AmountGrammar : Grammar<MemoryAmount>
    {
        /// <summary>Less holds no request body of the usual limits.</summary>
        public const long Smallest = 1 << 20;

        public const long Largest = 1L << 50;

        private const string Hint = "write a share from `1%` to `100%`, or a size from `1MiB` to `1024TiB`, such as `50%` or `256MiB`";

        private static readonly Grammar<long> Sizes = Scalars.Size(Smallest, Largest);

        public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out MemoryAmount value)
        {
            value = default;
            if (node is ScalarNode { IsNull: false } scalar && scalar.Text.EndsWith('%'))
            {
                if (!Scalars.Percent.TryRead(node, path, report, out var percent))
                    return false;
                if (percent >= 1)
                    value = Share(percent);
                else
                    report.Add("out-of-range", node, path, $"`{scalar.Written}` is out of range", Hint);
                return percent >= 1;
            }

            if (node is ScalarNode { IsNull: false } text && !SizeGrammar.TryParse(text.Text, out _))
            {
                report.Add("bad-value", node, path, $"`{text.Written}` is neither a share nor a size", Hint);
                return false;
            }

            if (!Sizes.TryRead(node, path, report, out var bytes))
                return false;
            value = Size(bytes);
            return true;
        }

        public override JsonObject Describe(SchemaDefinitions definitions) =>
            SchemaDefinitions.AnyOf(Scalars.Percent.Describe(definitions), Sizes.Describe(definitions));
    }
}
