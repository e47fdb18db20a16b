using System.Buffers;
using Microsoft.Extensions.Primitives;

namespace Lintel.Carriers;

/// <summary>
/// The syntax of fields (RFC 9110 sections 5.1 and 5.5), the same for headers and trailers, requests and responses of HTTP/2 and later; the
/// HTTP/1.1 parsers apply it to their lines.
/// </summary>
internal static class FieldSyntax
{
    private static readonly SearchValues<char> Token = SearchValues.Create(
        "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    );

    private static readonly SearchValues<char> Control = SearchValues.Create([
        .. Enumerable.Range(0, 0x20).Where(c => c != '\t').Select(c => (char)c),
        '\x7f',
    ]);

    /// <summary>Whether a name is a token.</summary>
    public static bool IsName(ReadOnlySpan<char> name) => !name.IsEmpty && !name.ContainsAnyExcept(Token);

    /// <summary>
    /// Whether a value contains no control character except tabs, and neither begins nor ends with whitespace (RFC 9113 section 8.2.1, RFC
    /// 9114 section 4.2).
    /// </summary>
    public static bool IsValue(ReadOnlySpan<char> value) =>
        value.IsEmpty || (!IsBlank(value[0]) && !IsBlank(value[^1]) && !value.ContainsAny(Control));

    /// <summary>Describes why a field is invalid; <see langword="null"/> if it is valid.</summary>
    public static string? Problem(string name, in StringValues values)
    {
        if (!IsName(name))
            return "a header name is not a token";
        foreach (var value in values)
        {
            if (!IsValue(value))
                return "a header value begins or ends with whitespace, or contains a control character";
        }

        return null;
    }

    private static bool IsBlank(char c) => c is ' ' or '\t';
}
