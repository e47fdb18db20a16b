using System.Buffers;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;

namespace Lintel.Identities.Tokens;

/// <summary>
/// base64url as RFC 7515 section 2 has it: without padding, without anything between, and with one spelling for each value. A second
/// spelling would be a second token of the same signature.
/// </summary>
internal static class Base64
{
    private const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    private static readonly SearchValues<char> Digits = SearchValues.Create(Alphabet);

    /// <summary>Encodes bytes.</summary>
    public static string Encode(ReadOnlySpan<byte> bytes) => Base64Url.EncodeToString(bytes);

    /// <summary>Decodes text.</summary>
    public static bool TryDecode(ReadOnlySpan<char> text, [NotNullWhen(true)] out byte[]? bytes)
    {
        bytes = null;
        if (text.ContainsAnyExcept(Digits) || text.Length % 4 == 1)
            return false;
        var unused = (text.Length % 4) switch
        {
            2 => 0b1111, // of the last digit four bits are not used, or two
            3 => 0b11,
            _ => 0,
        };
        if (unused != 0 && (Alphabet.IndexOf(text[^1], StringComparison.Ordinal) & unused) != 0)
            return false;
        bytes = Base64Url.DecodeFromChars(text);
        return true;
    }
}
