using Lintel.Config.Grammars;

namespace Lintel.Config.Reading;

/// <summary>How two maps become one.</summary>
internal static class MapMerge
{
    /// <summary>One lies over the other: maps merge, lists and single values replace, an explicit <c>null</c> removes.</summary>
    public static MapNode Over(MapNode below, MapNode above)
    {
        var result = new MapNode(above.Position);
        foreach (var entry in below.Entries)
        {
            var over = above.Find(entry.Key);
            if (over is null)
                result.TryAdd(entry);
            else if (over.Value is MapNode overMap && entry.Value is MapNode belowMap)
                result.TryAdd(new MapEntry(entry.Key, over.KeyPosition, Over(belowMap, overMap)));
            else if (over.Value is not ScalarNode { IsNull: true })
                result.TryAdd(over);
        }

        foreach (var entry in above.Entries)
        {
            if (below.Find(entry.Key) is null)
                result.TryAdd(entry);
        }

        return result;
    }

    /// <summary>
    /// They stand side by side, section by section: the same name in both is a mistake, not an overlay. The first takes the entries of the
    /// second.
    /// </summary>
    public static MapNode Beside(MapNode first, MapNode second, KeyPath path, ConfigReport report)
    {
        foreach (var entry in second.Entries)
        {
            var at = path[entry.Key];
            var existing = first.Find(entry.Key);
            if (existing is null)
                first.TryAdd(entry);
            else if (path == KeyPath.Root && existing.Value is MapNode a && entry.Value is MapNode b)
                Beside(a, b, at, report);
            else
                report.Add(
                    new ConfigProblem(
                        "duplicate-key",
                        entry.KeyPosition,
                        at.ToString(),
                        $"`{entry.Key}` is defined in two included files",
                        $"first defined at {existing.KeyPosition}"
                    )
                );
        }

        return first;
    }
}
