using System.Collections.Frozen;

namespace Lintel.JmesPath;

/// <summary>The functions of the specification, by name.</summary>
internal static class FunctionTable
{
    private static readonly FrozenDictionary<string, Function> Functions = new Function[]
    {
        new("abs", NumberFunctions.Abs, [Types.Number]),
        new("avg", NumberFunctions.Avg, [Types.Array]),
        new("ceil", NumberFunctions.Ceil, [Types.Number]),
        new("contains", StringFunctions.Contains, [Types.Array | Types.String, Types.Any]),
        new("ends_with", StringFunctions.EndsWith, [Types.String, Types.String]),
        new("floor", NumberFunctions.Floor, [Types.Number]),
        new("join", StringFunctions.Join, [Types.String, Types.Array]),
        new("keys", ObjectFunctions.Keys, [Types.Object]),
        new("length", StringFunctions.Length, [Types.String | Types.Array | Types.Object]),
        new("map", ArrayFunctions.Map, [Types.Expression, Types.Array]),
        new("max", OrderFunctions.Max, [Types.Array]),
        new("max_by", OrderFunctions.MaxBy, [Types.Array, Types.Expression]),
        new("merge", ObjectFunctions.Merge, [Types.Object], isOpen: true),
        new("min", OrderFunctions.Min, [Types.Array]),
        new("min_by", OrderFunctions.MinBy, [Types.Array, Types.Expression]),
        new("not_null", ArrayFunctions.NotNull, [Types.Any], isOpen: true),
        new("reverse", ArrayFunctions.Reverse, [Types.String | Types.Array]),
        new("sort", OrderFunctions.Sort, [Types.Array]),
        new("sort_by", OrderFunctions.SortBy, [Types.Array, Types.Expression]),
        new("starts_with", StringFunctions.StartsWith, [Types.String, Types.String]),
        new("sum", NumberFunctions.Sum, [Types.Array]),
        new("to_array", ArrayFunctions.ToArray, [Types.Any]),
        new("to_number", NumberFunctions.ToNumber, [Types.Any]),
        new("to_string", StringFunctions.ToText, [Types.Any]),
        new("type", StringFunctions.TypeOf, [Types.Any]),
        new("values", ObjectFunctions.Values, [Types.Object]),
    }.ToFrozenDictionary(f => f.Name, StringComparer.Ordinal);

    public static IEnumerable<string> Names => Functions.Keys.Order(StringComparer.Ordinal);

    public static Function? Find(string name) => Functions.GetValueOrDefault(name);

    /// <summary>A hint that names the nearest function, if one is near, else all of them.</summary>
    public static string Suggest(string written)
    {
        // A third of the letters may differ, and the end may be missing: `len` means `length`.
        var lower = written.ToLowerInvariant();
        var best = Names
            .Select(n => (Name: n, Distance: n.StartsWith(lower, StringComparison.Ordinal) ? 0 : Distance(lower, n)))
            .MinBy(c => c.Distance);
        return best.Distance <= best.Name.Length / 3 ? $"did you mean `{best.Name}`?" : $"known functions: {string.Join(", ", Names)}";
    }

    /// <summary>The edit distance: the number of insertions, deletions and substitutions.</summary>
    private static int Distance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(change, 1 + Math.Min(row[j], row[j - 1]));
            }
        }

        return row[b.Length];
    }
}
