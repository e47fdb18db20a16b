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
    public static string? Find(StringValues lines, string name)
    {
        foreach (var line in lines)
        {
            var rest = line.AsSpan();
            while (!rest.IsEmpty)
            {
                var end = rest.IndexOf(';');
                var pair = (end < 0 ? rest : rest[..end]).Trim(" \t");
                rest = end < 0 ? default : rest[(end + 1)..];
                if (pair.Length > name.Length && pair[name.Length] == '=' && pair.StartsWith(name, StringComparison.Ordinal))
                    return pair[(name.Length + 1)..].ToString();
            }
        }

        return null;
    }
}
