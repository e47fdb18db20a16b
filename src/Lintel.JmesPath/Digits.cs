namespace Lintel.JmesPath;

/// <summary>
/// The digits of a JSON number of any length: ± 0.d₁d₂… × 10^magnitude, where d₁ is not zero. 1, 1.0 and 10e-1 have the same digits, 2^53
/// and 2^53 + 1 do not, and 1e400 orders above all doubles. Exponents beyond ± 10^15 are clamped.
/// </summary>
internal readonly ref struct Digits
{
    private const long MaxExponent = 1_000_000_000_000_000;

    /// <summary>From the first digit that is no zero to the last, with a point somewhere; empty for zero.</summary>
    private readonly ReadOnlySpan<byte> _significant;
    private readonly bool _negative;
    private readonly int _count;
    private readonly long _magnitude;

    private Digits(ReadOnlySpan<byte> significant, bool negative, int count, long magnitude)
    {
        _significant = significant;
        _negative = negative;
        _count = count;
        _magnitude = magnitude;
    }

    /// <summary>−1, 0 or 1.</summary>
    public int Sign =>
        _count == 0 ? 0
        : _negative ? -1
        : 1;

    /// <summary>Whether it has no fraction.</summary>
    public bool AreWhole => _count <= _magnitude || _count == 0;

    /// <summary>Whether it is between −1 and 1, and neither of them.</summary>
    public bool AreBelowOne => _magnitude <= 0;

    /// <summary>Whether they fit in a decimal: 28 digits, at most 28 after the decimal point.</summary>
    public bool FitDecimal => _count == 0 || (_count <= 28 && _magnitude <= 28 && _count - _magnitude <= 28);

    /// <summary>Parses the text of a JSON number.</summary>
    public static Digits Of(ReadOnlySpan<byte> text)
    {
        var negative = text[0] == '-';
        if (negative)
            text = text[1..];
        long exponent = 0;
        var end = text.IndexOfAny((byte)'e', (byte)'E');
        if (end >= 0)
        {
            exponent = Exponent(text[(end + 1)..]);
            text = text[..end];
        }

        var point = text.IndexOf((byte)'.');
        var first = text.IndexOfAnyExcept((byte)'0', (byte)'.');
        if (first < 0)
            return default;
        var last = text.LastIndexOfAnyExcept((byte)'0', (byte)'.');
        var whole = point < 0 ? text.Length : point;

        // 120.5: three digits stand before the point; 0.0012: two zeros too many behind it.
        var magnitude = first < whole ? whole - first : whole + 1 - first;
        var count = last - first + (first < whole && last > whole ? 0 : 1);
        return new Digits(text[first..(last + 1)], negative, count, magnitude + exponent);
    }

    /// <summary>Which of two numbers is greater, as they are meant.</summary>
    public static int Compare(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        if (a.SequenceEqual(b))
            return 0;
        if (TryGetShort(a, out var x) && TryGetShort(b, out var y))
            return x.CompareTo(y);
        return Of(a).CompareTo(Of(b));
    }

    private int CompareTo(Digits other)
    {
        if (Sign != other.Sign || Sign == 0)
            return Sign.CompareTo(other.Sign);
        var order =
            _magnitude != other._magnitude ? _magnitude.CompareTo(other._magnitude) : CompareSignificant(_significant, other._significant);
        return _negative ? -order : order;
    }

    private static int CompareSignificant(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        int i = 0,
            j = 0;
        while (true)
        {
            if (i < a.Length && a[i] == '.')
                i++;
            if (j < b.Length && b[j] == '.')
                j++;
            if (i == a.Length || j == b.Length)
                return (a.Length - i).CompareTo(b.Length - j);
            if (a[i] != b[j])
                return a[i].CompareTo(b[j]);
            i++;
            j++;
        }
    }

    /// <summary>Whole numbers of up to 18 digits, which are nearly all, need not be split into digits.</summary>
    private static bool TryGetShort(ReadOnlySpan<byte> text, out long number)
    {
        number = 0;
        var negative = text[0] == '-';
        if (negative)
            text = text[1..];
        if (text.Length > 18)
            return false;
        foreach (var c in text)
        {
            if (!char.IsAsciiDigit((char)c))
                return false;
            number = (number * 10) + (c - '0');
        }

        if (negative)
            number = -number;
        return true;
    }

    private static long Exponent(ReadOnlySpan<byte> text)
    {
        var negative = text[0] == '-';
        long exponent = 0;
        foreach (var c in text[(text[0] is (byte)'-' or (byte)'+' ? 1 : 0)..])
            exponent = Math.Min((exponent * 10) + (c - '0'), MaxExponent);
        return negative ? -exponent : exponent;
    }
}
