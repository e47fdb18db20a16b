using Lintel.Config;

namespace Lintel.Runtime;

/// <summary>Which calls wait for which.</summary>
internal static class CallGraph
{
    /// <summary>Reports calls that wait for each other, each ring once.</summary>
    /// <param name="needs">For each call by name, what it waits for.</param>
    /// <param name="problems">Where they go.</param>
    /// <param name="path">Of the calls.</param>
    /// <returns>Whether there is none.</returns>
    public static bool Check(IReadOnlyDictionary<string, HashSet<string>> needs, ProblemSink problems, KeyPath path)
    {
        var done = new HashSet<string>(StringComparer.Ordinal);
        var valid = true;
        foreach (var name in needs.Keys)
        {
            var way = new List<string>();
            if (Ring(name, needs, way, done) is not { } ring)
                continue;
            valid = false;
            problems.Add("cycle", path[ring[0]], $"these calls wait for each other: {string.Join(" → ", ring.Append(ring[0]).Select(c => $"`{c}`"))}", "let one of them do without the other's answer");
        }

        return valid;
    }

    /// <summary>Goes down from a call; what was gone through once holds no ring that was not told.</summary>
    private static List<string>? Ring(string name, IReadOnlyDictionary<string, HashSet<string>> needs, List<string> way, HashSet<string> done)
    {
        var at = way.IndexOf(name);
        if (at >= 0)
            return way[at..];
        if (!done.Add(name) || !needs.TryGetValue(name, out var next))
            return null;
        way.Add(name);
        foreach (var needed in next)
        {
            if (Ring(needed, needs, way, done) is { } ring)
                return ring;
        }

        way.RemoveAt(way.Count - 1);
        return null;
    }
}
