using Microsoft.Extensions.Primitives;

namespace Lintel.Routing;

/// <summary>
/// Reads <c>Cookie</c> (RFC 6265 section 5.4): names are case-sensitive, the first of several cookies of a name applies, values are
/// returned as sent.
/// </summary>
internal static class RequestCookies
{
    /// <summary>A cookie's value; <see langword="null"/> if the request has no cookie of this name.</summary>
    /// <param name="lines">The values of <c>Cookie</c>: HTTP/2 clients may send it in several fields.</param>
    /// <param name="name">The cookie's name.</param>
    public static string? Find(StringValues lines, string name) => TryFind(lines, name, out var value) ? value.ToString() : null;

    /// <summary>Finds a cookie's value, without copying it.</summary>
    /// <param name="lines">The values of <c>Cookie</c>.</param>
    /// <param name="name">The cookie's name.</param>
    /// <param name="value">Its value.</param>
    public static bool TryFind(StringValues lines, string name, out ReadOnlySpan<char> value)
    {
        foreach (var line in lines)
        {
            var rest = line.AsSpan();
            while (!rest.IsEmpty)
            {
                var end = rest.IndexOf(';');
                var pair = (end < 0 ? rest : rest[..end]).Trim(" \t");
                rest = end < 0 ? default : rest[(end + 1)..];
                if (IsOf(pair, name))
                {
                    value = pair[(name.Length + 1)..];
                    return true;
                }
            }
        }

        value = default;
        return false;
    }

    /// <summary>The fields without the cookies of a name, everything else as sent; empty if nothing is left.</summary>
    public static StringValues Without(StringValues lines, string name)
    {
        if (!TryFind(lines, name, out _))
            return lines;
        var left = new List<string>();
        foreach (var line in lines)
        {
            var others = (line ?? "").Split(';').Where(p => !IsOf(p.AsSpan().Trim(" \t"), name)).ToList();
            if (others.Exists(p => p.AsSpan().Trim(" \t").Length > 0))
                left.Add(string.Join(';', others).TrimStart());
        }

        return new StringValues([.. left]);
    }

    /// <summary>The fields without the cookies of a name, and without those whose names begin with it and a dot.</summary>
    public static StringValues WithoutFamily(StringValues lines, string name)
    {
        if (!lines.Any(l => l is not null && l.Contains(name, StringComparison.Ordinal)))
            return lines;
        var left = new List<string>();
        foreach (var line in lines)
        {
            var others = (line ?? "").Split(';').Where(p => !IsOfFamily(p.AsSpan().Trim(" \t"), name)).ToList();
            if (others.Exists(p => p.AsSpan().Trim(" \t").Length > 0))
                left.Add(string.Join(';', others).TrimStart());
        }

        return new StringValues([.. left]);
    }

    private static bool IsOfFamily(ReadOnlySpan<char> pair, string name) =>
        pair.Length > name.Length && pair[name.Length] is ('=' or '.') && pair.StartsWith(name, StringComparison.Ordinal);

    private static bool IsOf(ReadOnlySpan<char> pair, string name) =>
        pair.Length > name.Length && pair[name.Length] == '=' && pair.StartsWith(name, StringComparison.Ordinal);
}
