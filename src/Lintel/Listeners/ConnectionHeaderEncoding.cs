using System.Text;

namespace Lintel.Listeners;

/// <summary>Decodes the <c>Connection</c> header so that the names in it survive Kestrel.</summary>
/// <remarks>
/// Kestrel (10.0) replaces a value in which it finds <c>close</c> or <c>keep-alive</c> by that word alone, so that the other names, whose headers a
/// proxy must not forward (RFC 9110 section 7.6.1), are lost. It does so only if it finds one of the two words; a value with both stays as it is
/// and closes the connection. Such a value is made of every one that names something else: rare enough that the connection is no loss.
/// </remarks>
internal sealed class ConnectionHeaderEncoding : Encoding
{
    private const string Both = ", close, keep-alive";

    public override int GetByteCount(char[] chars, int index, int count) => Latin1.GetByteCount(chars, index, count);

    public override int GetBytes(char[] chars, int charIndex, int charCount, byte[] bytes, int byteIndex) => Latin1.GetBytes(chars, charIndex, charCount, bytes, byteIndex);

    public override int GetCharCount(byte[] bytes, int index, int count) => count + (NamesOthers(bytes.AsSpan(index, count)) ? Both.Length : 0);

    public override int GetChars(byte[] bytes, int byteIndex, int byteCount, char[] chars, int charIndex)
    {
        var written = Latin1.GetChars(bytes, byteIndex, byteCount, chars, charIndex);
        if (!NamesOthers(bytes.AsSpan(byteIndex, byteCount)))
            return written;
        Both.CopyTo(chars.AsSpan(charIndex + written));
        return written + Both.Length;
    }

    public override int GetMaxByteCount(int charCount) => charCount;

    public override int GetMaxCharCount(int byteCount) => byteCount + Both.Length;

    private static bool NamesOthers(ReadOnlySpan<byte> value)
    {
        foreach (var range in value.Split((byte)','))
        {
            var name = value[range].Trim(" \t"u8);
            if (!name.IsEmpty && !Ascii.EqualsIgnoreCase(name, "close"u8) && !Ascii.EqualsIgnoreCase(name, "keep-alive"u8) && !Ascii.EqualsIgnoreCase(name, "upgrade"u8))
                return true;
        }

        return false;
    }
}
