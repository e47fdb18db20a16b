using System.Globalization;

namespace Lintel.JmesPath;

/// <summary>
/// A computed number: its JSON text. Numbers of the input keep their text; both are compared by value, regardless of length (<see
/// cref="Digits"/>). <para> Sums are exact where <see cref="decimal"/> is (28 digits, so that 0.1 + 0.2 is 0.3), and are computed in
/// <see cref="double"/> where it is not. A result outside the range of double is a problem. </para>
/// </summary>
internal sealed class Number
{
    private static readonly Number[] Small = [.. Enumerable.Range(0, 256).Select(i => new Number(Format(i)))];

    private readonly byte[] _text;

    private Number(byte[] text) => _text = text;

    public ReadOnlySpan<byte> Text => _text;

    public static Number Of(long number) => (ulong)number < (ulong)Small.Length ? Small[number] : new Number(Format(number));

    /// <summary>A number in its shortest form: 1.10 is 1.1.</summary>
    public static Number Of(decimal number)
    {
        // Dividing by a one of 28 decimal places takes the zeros behind away.
        return new Number(Format(number / 1.0000000000000000000000000000m));
    }

    /// <summary>A number in the shortest form that reads as the same one, or null for infinity.</summary>
    public static Number? Of(double number) => double.IsFinite(number) ? new Number(Format(number)) : null;

    /// <summary>A number of this JSON text, which must be one.</summary>
    public static Number Of(ReadOnlySpan<byte> text) => new(text.ToArray());

    /// <summary>The number as a decimal, if no digits are lost.</summary>
    public static bool TryGetDecimal(ReadOnlySpan<byte> text, out decimal number)
    {
        number = 0;
        return Digits.Of(text).FitDecimal && decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out number);
    }

    /// <summary>The nearest double: infinity beyond its range.</summary>
    public static double GetDouble(ReadOnlySpan<byte> text) => double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture);

    /// <summary>Whether a text is a number by JSON's grammar (RFC 8259 section 6).</summary>
    public static bool IsNumber(ReadOnlySpan<byte> text)
    {
        if (text.StartsWith("-"u8))
            text = text[1..];
        var length = DigitsAtStart(text);
        if (length == 0 || (length > 1 && text[0] == '0'))
            return false;
        text = text[length..];
        if (text.StartsWith("."u8))
        {
            length = DigitsAtStart(text[1..]);
            if (length == 0)
                return false;
            text = text[(1 + length)..];
        }

        if (text.IsEmpty || (text[0] | 0x20) != 'e')
            return text.IsEmpty;
        text = text[1..];
        if (!text.IsEmpty && text[0] is (byte)'+' or (byte)'-')
            text = text[1..];
        return !text.IsEmpty && DigitsAtStart(text) == text.Length;
    }

    private static int DigitsAtStart(ReadOnlySpan<byte> text) =>
        text.IndexOfAnyExceptInRange((byte)'0', (byte)'9') is >= 0 and var end ? end : text.Length;

    private static byte[] Format<T>(T number)
        where T : IUtf8SpanFormattable
    {
        Span<byte> buffer = stackalloc byte[64];
        return number.TryFormat(buffer, out var length, default, CultureInfo.InvariantCulture)
            ? buffer[..length].ToArray()
            : throw new InvalidOperationException("The number does not fit into the buffer.");
    }
}
