using System.Buffers;
using System.Diagnostics.CodeAnalysis;

namespace Lintel.Policies.Cors;

/// <summary>
/// An origin that ends a star: <c>https://*.example.net</c> stands for all names below <c>example.net</c>, and not for that name itself.
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

    /// <summary>Reads an origin as a browser sends it (RFC 6454 section 6.2), or one whose first label is a star.</summary>
    /// <param name="text">Such as <c>https://*.example.net:8443</c>.</param>
    /// <param name="pattern">What was read; of an origin without a star it matches that alone.</param>
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

        // A browser leaves out the default port, and writes nothing behind the authority: another spelling would never match.
        var isUsual = name == uri.IdnHost + (uri.IsDefaultPort ? "" : ":" + uri.Port) || name == uri.Authority;
        if (!isUsual)
            return false;
        pattern = new OriginPattern(scheme, isWild ? "." + name : name);
        return true;
    }

    /// <summary>Whether an origin, in lower case, is one of those that are meant.</summary>
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
