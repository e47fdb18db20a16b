using System.Text;
using Lintel.Pipeline;

namespace Lintel.Listeners;

/// <summary>
/// Decodes digits; of anything else it makes <see cref="StreamCheck.NoLength"/>, which is refused. Kestrel (10.0) would take a sign, or
/// blanks, in <c>Content-Length</c> (RFC 9110 section 8.6 allows digits alone).
/// </summary>
internal sealed class DigitEncoding : Encoding
{
    public static readonly DigitEncoding Instance = new();

    private static readonly string NoLength = StreamCheck.NoLength.ToString(System.Globalization.CultureInfo.InvariantCulture);

    private DigitEncoding() { }

    public override int GetByteCount(char[] chars, int index, int count) => count;

    public override int GetBytes(char[] chars, int charIndex, int charCount, byte[] bytes, int byteIndex) =>
        Latin1.GetBytes(chars, charIndex, charCount, bytes, byteIndex);

    public override int GetCharCount(byte[] bytes, int index, int count) => Math.Max(count, NoLength.Length);

    public override int GetChars(byte[] bytes, int byteIndex, int byteCount, char[] chars, int charIndex) =>
        GetChars(bytes.AsSpan(byteIndex, byteCount), chars.AsSpan(charIndex));

    public override int GetChars(ReadOnlySpan<byte> bytes, Span<char> chars)
    {
        if (!bytes.IsEmpty && !bytes.ContainsAnyExceptInRange((byte)'0', (byte)'9') && bytes.Length <= chars.Length)
            return Latin1.GetChars(bytes, chars);
        NoLength.CopyTo(chars);
        return NoLength.Length;
    }

    public override int GetMaxByteCount(int charCount) => charCount;

    public override int GetMaxCharCount(int byteCount) => Math.Max(byteCount, NoLength.Length);
}
