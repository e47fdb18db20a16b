using System.Globalization;
using System.Text.Json.Nodes;
using Lintel.Config.Reading;

namespace Lintel.Config.Grammars;

/// <summary>
/// A number of bytes: a whole number with its unit, <c>B</c>, <c>KiB</c>, <c>MiB</c>, <c>GiB</c>, <c>TiB</c> or the decimal <c>KB</c>,
/// <c>MB</c>, <c>GB</c>, <c>TB</c>.
/// </summary>
internal sealed class SizeGrammar(long minimum, long maximum) : Grammar<long>
{
    /// <summary>Units by size, the binary one first where both fit equally well.</summary>
    private static readonly (string Name, long Bytes)[] Units =
    [
        ("TiB", 1L << 40),
        ("TB", 1_000_000_000_000),
        ("GiB", 1 << 30),
        ("GB", 1_000_000_000),
        ("MiB", 1 << 20),
        ("MB", 1_000_000),
        ("KiB", 1 << 10),
        ("KB", 1_000),
        ("B", 1),
    ];

    private string Hint =>
        $"write a whole number with its unit, from `{Format(minimum)}` to `{Format(maximum)}`, such as `512B`, `64KiB` or `10MB`";

    public static string Format(long bytes)
    {
        var (name, size) = bytes == 0 ? Units[^1] : Units.First(u => bytes % u.Bytes == 0);
        return (bytes / size).ToString(CultureInfo.InvariantCulture) + name;
    }

    public static bool TryParse(string text, out long value)
    {
        value = 0;
        var digits = text.AsSpan().IndexOfAnyExceptInRange('0', '9');
        if (digits is <= 0 or > 15)
            return false;
        var unit = Array.Find(Units, u => text.AsSpan(digits).SequenceEqual(u.Name)).Bytes;
        var amount = long.Parse(text.AsSpan(0, digits), CultureInfo.InvariantCulture);
        if (unit == 0 || amount > long.MaxValue / unit)
            return false;
        value = amount * unit;
        return true;
    }

    public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out long value)
    {
        value = 0;
        if (node is not ScalarNode { IsNull: false } scalar)
            report.Add("wrong-type", node, path, $"a size is expected, not {node.Kind}", Hint);
        else if (!TryParse(scalar.Text, out value))
            report.Add("bad-value", node, path, $"`{scalar.Written}` is not a size", Hint);
        else if (value < minimum || value > maximum)
            report.Add("out-of-range", node, path, $"`{scalar.Written}` is out of range", Hint);
        else
            return true;
        return false;
    }

    public override JsonObject Describe(SchemaDefinitions definitions) =>
        new() { ["type"] = "string", ["pattern"] = "^[0-9]+([KMGT]i?)?B$" };
}
