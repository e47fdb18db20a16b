using Lintel.Config.Grammars;

namespace Lintel.Runtime;

/// <summary>The dependencies between calls.</summary>
internal static class CallGraph
{
    /// <summary>
    /// Reports calls that wait for each other. Of cycles that share a call the first one is reported: fixing it reveals the rest.
    /// </summary>
    /// <param name="needs">For each call by name, the calls that it waits for.</param>
    /// <param name="problems">Receives the problems.</param>
    /// <param name="path">The path of the calls.</param>
    /// <returns>Whether there is no cycle.</returns>
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

    /// <summary>Returns the cycles, no two of which share a call. Every set of calls that wait for each other is represented.</summary>
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
