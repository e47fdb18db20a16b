using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace Lintel.Routing;

/// <summary>Traits of a path that services interpret differently; a route must allow them.</summary>
[Flags]
internal enum PathTraits
{
    None = 0,
    EncodedSlash = 1,
    Semicolon = 2,

    /// <summary>Empty segments, which a route may keep: <see cref="RequestTarget.Unmerged"/>. Never set on a path.</summary>
    EmptySegment = 4,

    /// <summary>Escapes that are not valid UTF-8.</summary>
    RawBytes = 8,

    /// <summary>The traits that are refused if the route does not allow them.</summary>
    Refused = EncodedSlash | Semicolon | RawBytes,
}

/// <summary>
/// A request's target after the normalization of <c>docs/guides/routing.md</c>. Routes match this path, and services receive this path: no
/// two hops can interpret it differently.
/// </summary>
/// <param name="Path">Begins with a slash; ASCII; no dot segments, no empty segments except a last one; escapes in upper case and only
/// where needed (RFC 3986 section 6.2.2).</param>
/// <param name="Query">Empty, or begins with <c>?</c>; as the client sent it.</param>
/// <param name="Traits">The traits that a route must allow.</param>
internal readonly record struct RequestTarget(string Path, string Query, PathTraits Traits)
{
    /// <summary>The path with its empty segments; <see langword="null"/> if it has none.</summary>
    public string? Unmerged { get; private init; }

    /// <summary>
    /// Characters that are not escaped in a normalized path: pchar of RFC 3986 section 3.3 without <c>%</c> and <c>;</c>, and the slash.
    /// </summary>
    private static readonly SearchValues<char> Plain = SearchValues.Create(
        "/-._~!$&'()*+,=:@0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    );

    private static readonly SearchValues<char> NotInQuery = SearchValues.Create(
        "\0\x01\x02\x03\x04\x05\x06\a\b\t\n\v\f\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f #\x7f"
    );

    private const string Unreserved = "-._~";

    /// <summary>
    /// Parses the target of a request line: origin-form, or absolute-form with an authority that Kestrel has checked against <c>Host</c>.
    /// </summary>
    /// <param name="raw">The target as it was received.</param>
    /// <param name="target">The normalized target.</param>
    /// <param name="problem">Why it is refused, in words fit for the client.</param>
    public static bool TryParse(string raw, out RequestTarget target, out string? problem)
    {
        problem = null;
        target = default;
        if (!raw.StartsWith('/'))
        {
            if (PathStart(raw) is not (>= 0 and var start))
            {
                problem = "the request target is neither a path nor an http address";
                return false;
            }

            raw =
                start == raw.Length ? "/"
                : raw[start] == '/' ? raw[start..]
                : "/" + raw[start..];
        }

        var mark = raw.IndexOf('?');
        var query = mark < 0 ? "" : raw[mark..];
        if (query.AsSpan().ContainsAny(NotInQuery) || !Ascii.IsValid(query))
        {
            problem = "the query contains a character that must be percent-encoded";
            return false;
        }

        var path = mark < 0 ? raw : raw[..mark];
        var traits = PathTraits.None;

        // Nearly every path is normalized already: three vectorized scans, no allocation.
        string? unmerged = null;
        if (!IsNormal(path) && !TryNormalize(path, out path, out unmerged, out traits, out problem))
            return false;
        target = new RequestTarget(path, query, traits) { Unmerged = unmerged };
        return true;
    }

    /// <summary>Normalizes the literal text of a template, so that it compares with normalized paths.</summary>
    public static string NormalizeLiteral(string literal)
    {
        var utf8 = Encoding.UTF8.GetBytes(literal);
        var result = new StringBuilder(utf8.Length);
        for (var i = 0; i < utf8.Length; i++)
        {
            if (utf8[i] == '%' && i + 2 < utf8.Length && TryHex((char)utf8[i + 1], (char)utf8[i + 2], out var value))
            {
                AppendByte(result, value);
                i += 2;
            }
            else if (utf8[i] == ';' || (utf8[i] < 0x80 && Plain.Contains((char)utf8[i])))
            {
                result.Append((char)utf8[i]);
            }
            else
            {
                Escape(result, utf8[i]);
            }
        }

        return result.ToString();
    }

    private static int PathStart(string raw)
    {
        var scheme =
            raw.StartsWith("http://", StringComparison.OrdinalIgnoreCase) ? 7
            : raw.StartsWith("https://", StringComparison.OrdinalIgnoreCase) ? 8
            : -1;
        if (scheme < 0)
            return -1;
        var start = raw.AsSpan(scheme).IndexOfAny('/', '?');
        return start < 0 ? raw.Length : scheme + start;
    }

    private static bool IsNormal(ReadOnlySpan<char> path) =>
        !path.ContainsAnyExcept(Plain) && path.IndexOf("//") < 0 && path.IndexOf("/.") < 0;

    /// <summary>
    /// Alternative interpretations of the path by services: without parameters, with escaped slashes decoded, with bytes that are not valid
    /// UTF-8 as Latin-1. Normalized; only for a path with <see cref="Traits"/>.
    /// </summary>
    public IEnumerable<string> OtherReadings()
    {
        var readings = new List<string>();
        if (Traits.HasFlag(PathTraits.RawBytes))
            readings.Add(AsLatin1(Path));
        foreach (var path in (string[])[Path, .. readings])
        {
            var decoded = Traits.HasFlag(PathTraits.EncodedSlash) ? DecodeSlashes(path) : null;
            if (decoded is not null)
                readings.Add(decoded);
            if (!Traits.HasFlag(PathTraits.Semicolon))
                continue;
            var cut = WithoutParameters(path);
            readings.Add(cut);
            if (decoded is null)
                continue;
            readings.Add(WithoutParameters(decoded));
            readings.Add(DecodeSlashes(cut));
        }

        // Hidden dot segments were refused before: each of these has a normal form.
        return readings
            .Select(static r => TryRemoveDots(r, mergesSlashes: true, out var normal, out _) ? normal : r)
            .Distinct(StringComparer.Ordinal);
    }

    private static string DecodeSlashes(string path) =>
        path.Replace("%2F", "/", StringComparison.Ordinal).Replace("%5C", "/", StringComparison.Ordinal);

    /// <summary>Truncates each segment at its first semicolon, escaped or not.</summary>
    private static string WithoutParameters(string path) =>
        string.Join(
            '/',
            path.Split('/')
                .Select(segment =>
                {
                    var plain = segment.IndexOf(';');
                    var escaped = segment.IndexOf("%3B", StringComparison.Ordinal);
                    var end =
                        plain < 0 ? escaped
                        : escaped < 0 ? plain
                        : Math.Min(plain, escaped);
                    return end < 0 ? segment : segment[..end];
                })
        );

    /// <summary>Replaces escapes that are not valid UTF-8 with the UTF-8 of the Latin-1 characters that they represent.</summary>
    private static string AsLatin1(string path)
    {
        var result = new StringBuilder(path.Length);
        for (var i = 0; i < path.Length; i++)
        {
            if (path[i] != '%' || !TryHex(path[i + 1], path[i + 2], out var value) || value < 0x80)
            {
                result.Append(path[i]);
                continue;
            }

            Escape(result, (byte)(0xC0 | (value >> 6))); // two bytes for each of U+0080 to U+00FF
            Escape(result, (byte)(0x80 | (value & 0x3F)));
            i += 2;
        }

        return result.ToString();
    }

    private static bool TryNormalize(string path, out string normal, out string? unmerged, out PathTraits traits, out string? problem)
    {
        normal = path;
        unmerged = null;
        if (
            !TryCanonicalize(path, out var canonical, out traits, out problem)
            || !TryRemoveDots(canonical, mergesSlashes: true, out normal, out problem)
        )
            return false;
        if (!canonical.Contains("//", StringComparison.Ordinal))
            return true;

        // Kept beside the merged path: `a//../b` may be interpreted in two ways.
        if (TryRemoveDots(canonical, mergesSlashes: false, out var whole, out _))
            unmerged = whole;
        return true;
    }

    /// <summary>Brings each character into one spelling. Does not change segments.</summary>
    private static bool TryCanonicalize(string path, out string canonical, out PathTraits traits, out string? problem)
    {
        traits = PathTraits.None;
        canonical = path;
        problem = null;
        var result = new StringBuilder(path.Length + 16);
        var high = new ArrayBufferWriter<byte>(16); // a run of escaped bytes above ASCII: must be valid UTF-8
        for (var i = 0; i < path.Length; i++)
        {
            var c = path[i];
            byte value;
            if (c == '%')
            {
                if (i + 2 >= path.Length || !TryHex(path[i + 1], path[i + 2], out value))
                {
                    problem = "invalid percent-encoding: a percent sign in the path is not followed by two hexadecimal digits";
                    return false;
                }

                i += 2;
            }
            else if (c is '\\' or > '\x7e' or <= ' ' or '#')
            {
                problem = "the path contains a character that must be percent-encoded";
                return false;
            }
            else
            {
                value = (byte)c;
            }

            if (value is < 0x20 or 0x7f)
            {
                problem = "the path contains a percent-encoded control character";
                return false;
            }

            if (value >= 0x80)
            {
                high.Write([value]);
                Escape(result, value);
                continue;
            }

            if (high.WrittenCount > 0 && !TakeHigh(high, ref traits, out problem))
                return false;

            traits |= value switch
            {
                (byte)'/' or (byte)'\\' when c == '%' => PathTraits.EncodedSlash,
                (byte)';' => PathTraits.Semicolon,
                _ => PathTraits.None,
            };
            if (c == '%')
                AppendByte(result, value);
            else if (c == ';' || Plain.Contains(c))
                result.Append(c);
            else
                Escape(result, value);
        }

        if (high.WrittenCount > 0 && !TakeHigh(high, ref traits, out problem))
            return false;

        canonical = result.ToString();
        return true;
    }

    /// <summary>
    /// Processes a run of bytes above ASCII: valid UTF-8, or a trait that a route must allow. Bytes that a lenient decoder could read as
    /// ASCII are never allowed.
    /// </summary>
    private static bool TakeHigh(ArrayBufferWriter<byte> high, ref PathTraits traits, out string? problem)
    {
        problem = null;
        var bytes = high.WrittenSpan;
        if (!Utf8.IsValid(bytes))
        {
            traits |= PathTraits.RawBytes;
            for (var i = 0; i + 1 < bytes.Length; i++)
            {
                if (bytes[i] is 0xC0 or 0xC1 || (bytes[i] == 0xE0 && bytes[i + 1] < 0xA0) || (bytes[i] == 0xF0 && bytes[i + 1] < 0x90))
                    problem = "the percent-encoding of the path is not valid UTF-8: an overlong sequence hides a character";
            }
        }

        high.ResetWrittenCount();
        return problem is null;
    }

    /// <summary>
    /// Removes <c>.</c>, <c>..</c> and, unless they are kept, empty segments. Segments that hide one of them from this check but not from a
    /// service are refused.
    /// </summary>
    private static bool TryRemoveDots(string path, bool mergesSlashes, out string normal, out string? problem)
    {
        problem = null;
        normal = path;
        var kept = new List<Range>();
        var endsOpen = true; // whether the path ends in a slash
        foreach (var range in path.AsSpan(1).Split('/'))
        {
            var segment = path.AsSpan(1)[range];
            endsOpen = segment is "" or "." or "..";
            if (segment is "." || (segment is "" && (mergesSlashes || range.End.Value == path.Length - 1)))
                continue; // the empty text after the last slash is not a segment
            if (segment is "..")
            {
                if (kept.Count == 0)
                {
                    problem = "the path leads above the root";
                    return false;
                }

                kept.RemoveAt(kept.Count - 1);
                continue;
            }

            if (HidesDots(segment))
            {
                problem = "the path contains a hidden dot segment";
                return false;
            }

            kept.Add(range);
        }

        var result = new StringBuilder(path.Length);
        foreach (var range in kept)
            result.Append('/').Append(path.AsSpan(1)[range]);
        if (endsOpen || kept.Count == 0)
            result.Append('/');
        normal = result.ToString();
        return true;
    }

    /// <summary>Detects <c>..;x</c> (Tomcat removes the parameter) and <c>..%2F</c> (some services decode before they split).</summary>
    public static bool HidesDots(ReadOnlySpan<char> segment)
    {
        if (!segment.ContainsAny('%', ';'))
            return false;
        var text = segment
            .ToString()
            .Replace("%2F", "/", StringComparison.Ordinal)
            .Replace("%5C", "/", StringComparison.Ordinal)
            .Replace("%3B", ";", StringComparison.Ordinal);
        foreach (var piece in text.Split('/'))
        {
            if (piece.Split(';')[0] is "." or "..")
                return true;
        }

        return false;
    }

    private static void AppendByte(StringBuilder result, byte value)
    {
        if (char.IsAsciiLetterOrDigit((char)value) || Unreserved.Contains((char)value))
            result.Append((char)value);
        else
            Escape(result, value);
    }

    private static void Escape(StringBuilder result, byte value) =>
        result.Append('%').Append(value.ToString("X2", System.Globalization.CultureInfo.InvariantCulture));

    private static bool TryHex(char high, char low, out byte value)
    {
        value = 0;
        if (!char.IsAsciiHexDigit(high) || !char.IsAsciiHexDigit(low))
            return false;
        value = (byte)((HexValue(high) << 4) | HexValue(low));
        return true;
    }

    private static int HexValue(char digit) => char.IsAsciiDigit(digit) ? digit - '0' : (digit | 0x20) - 'a' + 10;
}
