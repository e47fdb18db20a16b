namespace Lintel.Config.Grammars;

/// <summary>«did you mean»: the known name nearest to the one that was written.</summary>
internal static class Suggestion
{
    /// <summary>A hint that names the nearest candidate, else the whole (short) list.</summary>
    public static string? For(string written, IEnumerable<string> candidates)
    {
        var all = candidates.Order(StringComparer.Ordinal).ToList();
        if (Nearest(written, all) is { } nearest)
            return nearest;
        return all.Count is 0 or > 12 ? null : "known names: " + string.Join(", ", all.Select(c => $"`{c}`"));
    }

    /// <summary>A hint that names the nearest candidate, if one is near.</summary>
    public static string? Nearest(string written, IEnumerable<string> candidates)
    {
        // Any letter is one edit from any other: short words must be the same but for their case.
        var limit = written.Length < 3 ? 0 : Math.Max(1, written.Length / 3);
        var best = candidates
            .Select(c => (Name: c, Distance: Distance(written, c)))
            .Where(c => c.Distance <= limit)
            .OrderBy(c => c.Distance)
            .ThenBy(c => c.Name, StringComparer.Ordinal)
            .Select(c => c.Name)
            .FirstOrDefault();
        return best is null ? null : $"did you mean `{best}`?";
    }

    /// <summary>Edits between two words, case aside: insertions, deletions, replacements and swaps of neighbours.</summary>
    private static int Distance(string a, string b)
    {
        var d = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++)
            d[i, 0] = i;
        for (var j = 0; j <= b.Length; j++)
            d[0, j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            for (var j = 1; j <= b.Length; j++)
            {
                var same = char.ToLowerInvariant(a[i - 1]) == char.ToLowerInvariant(b[j - 1]);
                d[i, j] = Math.Min(Math.Min(d[i - 1, j] + 1, d[i, j - 1] + 1), d[i - 1, j - 1] + (same ? 0 : 1));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
            }
        }

        return d[a.Length, b.Length];
    }
}
