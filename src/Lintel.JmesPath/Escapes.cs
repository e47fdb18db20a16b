using System.Buffers;
using System.Text;

namespace Lintel.JmesPath;

/// <summary>
/// Strings as they stand in a JSON text, with escapes, against strings as they are meant. System.Text.Json does this too, but throws where
/// an escape names an unpaired surrogate; a service's answer may hold that (RFC 8259 section 8.2), and here it means U+FFFD.
/// </summary>
internal static class Escapes
{
    private static readonly SearchValues<byte> Escaped = SearchValues.Create([
        .. Enumerable.Range(0, 0x20).Select(i => (byte)i),
        (byte)'"',
        (byte)'\\',
    ]);

    /// <summary>Decodes the content of a string, which contains valid escapes.</summary>
    public static byte[] Decode(ReadOnlySpan<byte> escaped)
    {
        // U+FFFD for \uD800 is three bytes for six: what is meant is never longer.
        var buffer = ArrayPool<byte>.Shared.Rent(escaped.Length);
        var length = 0;
        while (Next(ref escaped, buffer.AsSpan(length), out var chunk))
        {
            chunk.CopyTo(buffer.AsSpan(length));
            length += chunk.Length;
        }

        var decoded = buffer.AsSpan(0, length).ToArray();
        ArrayPool<byte>.Shared.Return(buffer);
        return decoded;
    }

    /// <summary>Whether a string's inside means this text; nothing is allocated.</summary>
    public static bool Means(ReadOnlySpan<byte> escaped, ReadOnlySpan<byte> text)
    {
        Span<byte> rune = stackalloc byte[4];
        scoped var rest = escaped;
        while (Next(ref rest, rune, out var chunk))
        {
            if (!text.StartsWith(chunk))
                return false;
            text = text[chunk.Length..];
        }

        return text.IsEmpty;
    }

    /// <summary>
    /// Writes a text as a JSON string with quotes. Only required characters are escaped; invalid UTF-8 is replaced by U+FFFD.
    /// </summary>
    public static void Write(ReadOnlySpan<byte> text, ref JsonText output)
    {
        output.Append("\""u8);
        if (System.Text.Unicode.Utf8.IsValid(text))
            WriteValid(text, ref output);
        else
            WriteValid(Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(text)), ref output);
        output.Append("\""u8);
    }

    private static void WriteValid(ReadOnlySpan<byte> text, ref JsonText output)
    {
        while (text.IndexOfAny(Escaped) is >= 0 and var at)
        {
            output.Append(text[..at]);
            var c = text[at];
            output.Append(
                c switch
                {
                    (byte)'"' => "\\\""u8,
                    (byte)'\\' => "\\\\"u8,
                    (byte)'\n' => "\\n"u8,
                    (byte)'\r' => "\\r"u8,
                    (byte)'\t' => "\\t"u8,
                    (byte)'\b' => "\\b"u8,
                    (byte)'\f' => "\\f"u8,
                    _ => [(byte)'\\', (byte)'u', (byte)'0', (byte)'0', (byte)(c < 0x10 ? '0' : '1'), "0123456789abcdef"u8[c & 0xF]],
                }
            );
            text = text[(at + 1)..];
        }

        output.Append(text);
    }

    /// <summary>The next part of the decoded string: a run without escapes, or one escape decoded into <paramref name="rune"/>.</summary>
    private static bool Next(ref ReadOnlySpan<byte> escaped, Span<byte> rune, out ReadOnlySpan<byte> chunk)
    {
        chunk = default;
        if (escaped.IsEmpty)
            return false;
        var at = escaped.IndexOf((byte)'\\');
        if (at != 0)
        {
            chunk = at < 0 ? escaped : escaped[..at];
            escaped = escaped[chunk.Length..];
            return true;
        }

        if (escaped[1] == 'u')
            chunk = rune[..Unit(ref escaped).EncodeToUtf8(rune)];
        else
        {
            rune[0] = escaped[1] switch
            {
                (byte)'n' => (byte)'\n',
                (byte)'r' => (byte)'\r',
                (byte)'t' => (byte)'\t',
                (byte)'b' => (byte)'\b',
                (byte)'f' => (byte)'\f',
                var c => c,
            };
            chunk = rune[..1];
            escaped = escaped[2..];
        }

        return true;
    }

    private static Rune Unit(ref ReadOnlySpan<byte> escaped)
    {
        var first = Hexadecimal(escaped[2..6]);
        escaped = escaped[6..];
        if (Rune.TryCreate(first, out var rune))
            return rune;
        if (escaped.StartsWith("\\u"u8) && Rune.TryCreate(first, Hexadecimal(escaped[2..6]), out rune))
        {
            escaped = escaped[6..];
            return rune;
        }

        return Rune.ReplacementChar;
    }

    private static char Hexadecimal(ReadOnlySpan<byte> digits)
    {
        var unit = 0;
        foreach (var digit in digits)
            unit = (unit << 4) | (digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
        return (char)unit;
    }
}
