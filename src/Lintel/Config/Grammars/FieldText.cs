using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace Lintel.Config.Grammars;

/// <summary>
/// Text of header fields. A configuration holds characters, a connection carries bytes: inside the gateway a field's value is its bytes,
/// each in the shape of one character (Latin-1), and text of the configuration becomes its UTF-8.
/// </summary>
internal static class FieldText
{
    private static readonly SearchValues<char> Unreserved = SearchValues.Create(
        "-._~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    );

    /// <summary>The bytes of a text, as a field's value.</summary>
    public static string ToBytes(string text) => Ascii.IsValid(text) ? text : Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(text));

    /// <summary>The text of a field's value: UTF-8 where it is valid, else each byte the character of its number.</summary>
    public static string ToText(string value)
    {
        if (Ascii.IsValid(value) || value.AsSpan().ContainsAnyExceptInRange('\0', '\xff'))
            return value;
        var bytes = Encoding.Latin1.GetBytes(value);
        return Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : value;
    }

    /// <summary>A field's value percent-encoded, byte for byte: what it was comes out again where the other side decodes it.</summary>
    public static string Escape(string value)
    {
        if (!value.AsSpan().ContainsAnyExcept(Unreserved))
            return value;
        var result = new StringBuilder(value.Length + 16);
        foreach (var b in Encoding.Latin1.GetBytes(value))
        {
            if (Unreserved.Contains((char)b))
                result.Append((char)b);
            else
                result.Append('%').Append(b.ToString("X2", System.Globalization.CultureInfo.InvariantCulture));
        }

        return result.ToString();
    }
}
