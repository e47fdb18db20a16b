using Microsoft.Extensions.Primitives;

namespace Lintel.Routing;

/// <summary>
/// The one reader of <c>Cookie</c> (RFC 6265 section 5.4): names in their own case, the first of several counts, values as they are sent.
/// </summary>
internal static class RequestCookies
{
    /// <summary>A cookie's value; <see langword="null"/> where the request has none of this name.</summary>
    /// <param name="lines">The values of <c>Cookie</c>: HTTP/2 clients may send it in pieces.</param>
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
