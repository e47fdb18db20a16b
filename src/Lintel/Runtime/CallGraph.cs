using Lintel.Config.Grammars;

namespace Lintel.Runtime;

/// <summary>Which calls wait for which.</summary>
internal static class CallGraph
{
    /// <summary>
    /// Reports calls that wait for each other. Of rings that share a call the first one is told: mending it shows what is left.
    /// </summary>
    /// <param name="needs">For each call by name, what it waits for.</param>
    /// <param name="problems">Where they go.</param>
    /// <param name="path">Of the calls.</param>
    /// <returns>Whether there is none.</returns>
    public static bool Check(IReadOnlyDictionary<string, HashSet<string>> needs, ProblemSink problems, KeyPath path)
    {
        var rings = Rings(needs);
        foreach (var ring in rings)
            problems.Add(
                "cycle",
                path[ring[0]],
                $"these calls depend on each other: {string.Join(" → ", ring.Append(ring[0]).Select(c => $"`{c}`"))}",
                "remove one of the references"
            );
        return rings.Count == 0;
    }

    /// <summary>The rings, no two of which share a call. Wherever calls wait for each other, one of them is here.</summary>
    public static List<List<string>> Rings(IReadOnlyDictionary<string, HashSet<string>> needs)
    {
        var rings = new List<List<string>>();
        var done = new HashSet<string>(StringComparer.Ordinal);
        foreach (var name in needs.Keys)
            Descend(name, needs, [], done, rings);
        return rings;
    }

    private static void Descend(
        string name,
        IReadOnlyDictionary<string, HashSet<string>> needs,
        List<string> way,
        HashSet<string> done,
        List<List<string>> rings
    )
    {
        var at = way.IndexOf(name);
        if (at >= 0)
        {
            var ring = way[at..];
            if (!rings.Exists(r => r.Intersect(ring, StringComparer.Ordinal).Any()))
                rings.Add(ring);
            return;
        }

        if (!done.Add(name) || !needs.TryGetValue(name, out var next))
            return;
        way.Add(name);
        foreach (var needed in next)
            Descend(needed, needs, way, done, rings);
        way.RemoveAt(way.Count - 1);
    }
}
