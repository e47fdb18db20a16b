namespace Lintel.Routing;

/// <summary>A route as input of the table.</summary>
/// <param name="Name">The route's name.</param>
/// <param name="Route">The value that a match returns.</param>
/// <param name="Hosts">Lower case, exact or beginning with <c>*.</c>; empty for any.</param>
/// <param name="Templates">Its paths.</param>
/// <param name="Parameters">The names of the parameters of all its paths.</param>
/// <param name="Methods">Upper case; empty for any.</param>
/// <param name="Conditions">All must hold.</param>
internal sealed record RouteEntry<TRoute>(
    string Name,
    TRoute Route,
    IReadOnlyList<string> Hosts,
    IReadOnlyList<PathTemplate> Templates,
    IReadOnlyList<string> Parameters,
    string[] Methods,
    Condition[] Conditions
)
    where TRoute : class
{
    /// <summary>
    /// Its candidates in the table, one for each variant of its paths: created once, and kept by reloads that keep the route.
    /// </summary>
    public Candidate<TRoute>[] Candidates { get; } =
    [
        .. from template in Templates
        from variant in template.Variants
        select new Candidate<TRoute>(Route, Name, variant, Parameters, Methods, Conditions),
    ];
}

/// <summary>Two routes of equal rank that the same request can match.</summary>
internal sealed record RouteConflict(string First, string Second);

/// <summary>Builds a <see cref="RouteTable{TRoute}"/> and finds routes that are ambiguous.</summary>
internal static class RouteTableBuilder
{
    public static RouteTable<TRoute> Build<TRoute>(IEnumerable<RouteEntry<TRoute>> entries, ICollection<RouteConflict> conflicts)
        where TRoute : class
    {
        var hosts = new Dictionary<string, PathNode<TRoute>>(StringComparer.OrdinalIgnoreCase);
        foreach (var entry in entries)
        {
            foreach (var host in entry.Hosts.Count == 0 ? [""] : entry.Hosts)
            {
                if (!hosts.TryGetValue(host, out var root))
                    hosts.Add(host, root = new PathNode<TRoute>());
                foreach (var candidate in entry.Candidates)
                    root.Grow(candidate.Variant.Segments).Add(candidate);
            }
        }

        foreach (var node in hosts.Values.SelectMany(root => root.All()))
        {
            node.Sort();
            FindConflicts(node.Candidates, conflicts);
        }

        var exact = hosts.Where(h => h.Key.Length > 0 && !h.Key.StartsWith('*')).ToDictionary(StringComparer.OrdinalIgnoreCase);
        var wildcard = hosts
            .Where(h => h.Key.StartsWith('*'))
            .Select(h => (h.Key[1..], h.Value))
            .OrderByDescending(h => h.Item1.Length)
            .ToArray();
        return new RouteTable<TRoute>(exact, wildcard, hosts.GetValueOrDefault(""));
    }

    private static void FindConflicts<TRoute>(IReadOnlyList<Candidate<TRoute>> candidates, ICollection<RouteConflict> conflicts)
        where TRoute : class
    {
        for (var i = 0; i < candidates.Count; i++)
        {
            for (var j = i + 1; j < candidates.Count && HaveEqualRank(candidates[i], candidates[j]); j++)
            {
                var (a, b) = (candidates[i], candidates[j]);
                var shareMethod = a.Methods.Length == 0 || a.Methods.Intersect(b.Methods).Any();
                if (shareMethod && !a.Conditions.Any(c => b.Conditions.Any(c.Excludes)))
                    conflicts.Add(new RouteConflict(a.Name, b.Name));
            }
        }
    }

    private static bool HaveEqualRank<TRoute>(Candidate<TRoute> a, Candidate<TRoute> b)
        where TRoute : class =>
        a.Methods.Length > 0 == b.Methods.Length > 0
        && a.Count(ConditionPlace.Listener) == b.Count(ConditionPlace.Listener)
        && a.Count(ConditionPlace.Scheme) == b.Count(ConditionPlace.Scheme)
        && a.Count(ConditionPlace.Header) == b.Count(ConditionPlace.Header)
        && a.Count(ConditionPlace.Query) == b.Count(ConditionPlace.Query)
        && a.Count(ConditionPlace.Cookie) == b.Count(ConditionPlace.Cookie);
}
