using System.Collections.Frozen;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;

namespace Lintel.Policies.Validate.Schemas;

/// <summary>The values of <c>format</c> that are checked. All others are notes for readers, as the standard has it.</summary>
internal static partial class Formats
{
    private static readonly FrozenDictionary<string, Predicate<string>> Known = new Dictionary<string, Predicate<string>>
    {
        ["date-time"] = IsDateTime,
        ["date"] = IsDate,
        ["time"] = static text => TimePattern().IsMatch(text),
        ["email"] = static text => text.Length <= 254 && EmailPattern().IsMatch(text), // RFC 5321 section 4.5.3.1.3
        ["ipv4"] = static text => Ipv4Pattern().IsMatch(text),
        ["ipv6"] = static text =>
            !text.AsSpan().ContainsAny('%', '[', '/')
            && IPAddress.TryParse(text, out var address)
            && address.AddressFamily == AddressFamily.InterNetworkV6,
        ["uri"] = static text => UriPattern().IsMatch(text) && Uri.TryCreate(text, UriKind.Absolute, out _),
        ["uuid"] = static text => Guid.TryParseExact(text, "D", out _),
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>The names, in order.</summary>
    public static IEnumerable<string> Names => Known.Keys.Order(StringComparer.Ordinal);

    /// <summary>Finds the test of a format.</summary>
    public static Predicate<string>? Find(string name) => Known.GetValueOrDefault(name);

    /// <summary>RFC 3339 section 5.6.</summary>
    private static bool IsDateTime(string text) =>
        text.Length > 11 && text[10] is 'T' or 't' && IsDate(text[..10]) && TimePattern().IsMatch(text[11..]);

    private static bool IsDate(string text) =>
        DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out _);

    [GeneratedRegex(
        @"\A([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])\z",
        RegexOptions.CultureInvariant
    )]
    private static partial Regex TimePattern();

    [GeneratedRegex(@"\A[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\z", RegexOptions.CultureInvariant)]
    private static partial Regex EmailPattern();

    [GeneratedRegex(
        @"\A((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\z",
        RegexOptions.CultureInvariant
    )]
    private static partial Regex Ipv4Pattern();

    [GeneratedRegex(@"\A[A-Za-z][A-Za-z0-9+.-]*:[!#$%&'()*+,./0-9:;=?@A-Z\[\]_a-z~-]*\z", RegexOptions.CultureInvariant)]
    private static partial Regex UriPattern();
}
