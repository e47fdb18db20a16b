using System.Diagnostics.CodeAnalysis;
using Lintel.Config.Grammars;

namespace Lintel.Config;

/// <summary>A kind of name in a certificate (RFC 5280 section 4.2.1.6).</summary>
internal enum CertificateNameKind
{
    /// <summary>A DNS name.</summary>
    Dns,

    /// <summary>A URI, such as a SPIFFE id.</summary>
    Uri,

    /// <summary>An email address.</summary>
    Email,
}

/// <summary>
/// The names of certificates that are accepted: a DNS name or <c>*.example.com</c> for one label, a URI in which <c>*</c> stands for one
/// segment and a final <c>**</c> for any number, an email address or <c>*@example.com</c>.
/// </summary>
internal sealed class CertificatePattern
{
    private const string Any = "*";
    private const string Rest = "**";
    private const string Scheme = "://";

    private readonly string[] _parts;

    private CertificatePattern(string text, CertificateNameKind kind, string[] parts) => (Text, Kind, _parts) = (text, kind, parts);

    /// <summary>The pattern as it is written.</summary>
    public string Text { get; }

    /// <summary>Which names of a certificate it is compared with.</summary>
    public CertificateNameKind Kind { get; }

    public static Grammar<string> Grammar { get; } =
        new ScalarGrammar<string>(
            "a name of certificates",
            "^[!-~]{1,512}$",
            static (string text, out string value) =>
            {
                value = text;
                return TryParse(text, out _);
            },
            "write a DNS name (`api.example.com`, `*.example.com`), a URI (`spiffe://example.com/ns/*/sa/shop`, "
                + "`spiffe://example.com/**`) or an email address (`kim@example.com`, `*@example.com`)"
        );

    public static bool TryParse(string text, [NotNullWhen(true)] out CertificatePattern? pattern)
    {
        pattern = null;
        if (text.Length is 0 or > 512 || text.AsSpan().ContainsAnyExceptInRange('!', '~'))
            return false;
        var kind =
            text.Contains(Scheme, StringComparison.Ordinal) ? CertificateNameKind.Uri
            : text.Contains('@') ? CertificateNameKind.Email
            : CertificateNameKind.Dns;
        if (Split(kind, text) is not { } parts || !HasWildcardsInPlace(kind, parts))
            return false;
        pattern = new CertificatePattern(text, kind, parts);
        return true;
    }

    /// <summary>Whether a name of the pattern's kind matches it. A malformed one does not.</summary>
    public bool Matches(string name)
    {
        if (Split(Kind, name) is not { } parts)
            return false;
        for (var i = 0; i < _parts.Length; i++)
        {
            if (_parts[i] == Rest)
                return parts.Length >= i;
            if (i >= parts.Length || (_parts[i] != Any && _parts[i] != parts[i]))
                return false;
        }

        return parts.Length == _parts.Length;
    }

    /// <summary>The parts of a name that are compared by character; <see langword="null"/> if it is malformed.</summary>
    private static string[]? Split(CertificateNameKind kind, string name)
    {
        switch (kind)
        {
            case CertificateNameKind.Dns:
                var labels = name.ToLowerInvariant().Split('.');
                return Array.TrueForAll(labels, IsLabel) ? labels : null;
            case CertificateNameKind.Email: // RFC 5280 section 7.5: the host part regardless of case
                return name.Split('@') is [{ Length: > 0 } user, var host] && Array.TrueForAll(host.ToLowerInvariant().Split('.'), IsLabel)
                    ? [user, host.ToLowerInvariant()]
                    : null;
            default:
                var end = name.IndexOf(Scheme, StringComparison.Ordinal);
                if (end <= 0 || name.AsSpan().ContainsAny("?#%\\"))
                    return null;
                var segments = name[(end + Scheme.Length)..].Split('/');
                // A path that can be read in two ways could be taken for one below a wildcard (SPIFFE ID section 2.2 forbids it, too).
                if (segments[0].Length == 0 || segments.Skip(1).Any(static s => s is "" or "." or ".."))
                    return null;
                segments[0] = segments[0].ToLowerInvariant();
                return [name[..end].ToLowerInvariant(), .. segments];
        }
    }

    private static bool IsLabel(string label) =>
        label.Length is > 0 and <= 63 && (label == Any || label.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'));

    private static bool HasWildcardsInPlace(CertificateNameKind kind, string[] parts)
    {
        for (var i = 0; i < parts.Length; i++)
        {
            var isAllowed = kind switch
            {
                CertificateNameKind.Dns => i == 0 && parts.Length > 2 && parts[i] == Any, // RFC 9525 section 6.3, and no whole TLD
                CertificateNameKind.Email => i == 0 && parts[i] == Any,
                _ => i > 1 && (parts[i] == Any || (parts[i] == Rest && i == parts.Length - 1)),
            };
            if (parts[i].Contains('*') && !isAllowed)
                return false;
        }

        return true;
    }
}
