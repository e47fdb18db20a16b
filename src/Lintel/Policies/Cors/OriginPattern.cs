using System.Buffers;
using System.Diagnostics.CodeAnalysis;

namespace Lintel.Policies.Cors;

/// <summary>
/// An origin with a wildcard: <c>https://*.example.net</c> matches all names below <c>example.net</c>, but not that name itself.
/// </summary>
internal sealed class OriginPattern
{
    private static readonly SearchValues<char> OfNames = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789-._");

    private readonly string _scheme;
    private readonly string _suffix;

    private OriginPattern(string scheme, string suffix)
    {
        _scheme = scheme;
        _suffix = suffix;
    }

    /// <summary>Parses an origin as browsers send it (RFC 6454 section 6.2), or one with a wildcard as its first label.</summary>
    /// <param name="text">Such as <c>https://*.example.net:8443</c>.</param>
    /// <param name="pattern">The pattern; without a wildcard it matches that origin only.</param>
    public static bool TryParse(string text, [NotNullWhen(true)] out OriginPattern? pattern)
    {
        pattern = null;
        var lower = text.ToLowerInvariant();
        var colon = lower.IndexOf("://", StringComparison.Ordinal);
        if (colon <= 0)
            return false;
        var (scheme, authority) = (lower[..(colon + 3)], lower[(colon + 3)..]);
        var isWild = authority.StartsWith("*.", StringComparison.Ordinal);
        var name = isWild ? authority[2..] : authority;
        if (
            !Uri.TryCreate(scheme + name, UriKind.Absolute, out var uri)
            || uri.UserInfo.Length > 0
            || uri.PathAndQuery.Length > 1
            || uri.Host.Length == 0
            || name.Contains('*')
        )
            return false;

        // Browsers omit the default port and everything after the authority: another spelling would never match.
        var isUsual = name == uri.IdnHost + (uri.IsDefaultPort ? "" : ":" + uri.Port) || name == uri.Authority;
        if (!isUsual)
            return false;
        pattern = new OriginPattern(scheme, isWild ? "." + name : name);
        return true;
    }

    /// <summary>Whether an origin, in lower case, matches.</summary>
    public bool Matches(string origin)
    {
        if (!origin.StartsWith(_scheme, StringComparison.Ordinal) || !origin.EndsWith(_suffix, StringComparison.Ordinal))
            return false;
        var length = origin.Length - _scheme.Length - _suffix.Length;
        if (_suffix[0] != '.')
            return length == 0;
        return length > 0 && !origin.AsSpan(_scheme.Length, length).ContainsAnyExcept(OfNames);
    }
}
