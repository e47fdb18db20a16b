using System.Globalization;
using System.Numerics;
using System.Text.Json;

namespace Lintel.Policies.Validate.Schemas;

/// <summary>A number of JSON text, exactly: significant digits without zeros at either end, times a power of ten.</summary>
/// <param name="Sign">-1, 0 or 1.</param>
/// <param name="Digits">The digits; empty for zero.</param>
/// <param name="Exponent">The power of ten.</param>
internal readonly record struct JsonNumber(int Sign, string Digits, long Exponent)
{
    /// <summary>The longest text that is computed with: arithmetic on millions of digits would keep the processor busy.</summary>
    public const int MaxLength = 256;

    /// <summary>The longest exponent: it takes two billion years to count that far.</summary>
    private const int MaxExponentDigits = 9;

    /// <summary>Whether it has no fraction: <c>1.0</c> and <c>1e2</c> have none.</summary>
    public bool IsInteger => Exponent >= 0;

    /// <summary>Parses a number.</summary>
    /// <returns>False if it is too long to compute with.</returns>
    public static bool TryParse(JsonElement element, out JsonNumber value)
    {
        value = default;
        var text = element.GetRawText().AsSpan();
        if (text.Length > MaxLength)
            return false;
        var sign = text[0] == '-' ? -1 : 1;
        var e = text.IndexOfAny('e', 'E');
        long exponent = 0;
        if (e >= 0)
        {
            var digits = text[(e + 1)..].TrimStart("+-").TrimStart('0');
            if (digits.Length > MaxExponentDigits)
                return false;
            exponent = digits.Length == 0 ? 0 : long.Parse(digits, CultureInfo.InvariantCulture);
            if (text[e + 1] == '-')
                exponent = -exponent;
        }

        var mantissa = (e < 0 ? text : text[..e]).TrimStart('-');
        var point = mantissa.IndexOf('.');
        var all = point < 0 ? mantissa.ToString() : string.Concat(mantissa[..point], mantissa[(point + 1)..]);
        exponent -= point < 0 ? 0 : mantissa.Length - point - 1;
        var significant = all.TrimStart('0');
        var trimmed = significant.TrimEnd('0');
        value =
            trimmed.Length == 0
                ? default(JsonNumber) with
                {
                    Digits = "",
                }
                : new(sign, trimmed, exponent + significant.Length - trimmed.Length);
        return true;
    }

    public int CompareTo(JsonNumber other)
    {
        if (Sign != other.Sign || Sign == 0)
            return Sign.CompareTo(other.Sign);
        var magnitude = (Digits.Length + Exponent).CompareTo(other.Digits.Length + other.Exponent);
        return Sign * (magnitude != 0 ? magnitude : string.CompareOrdinal(Digits, other.Digits));
    }

    /// <summary>Whether it is an integer times another number, which is not zero.</summary>
    public bool IsMultipleOf(JsonNumber divisor)
    {
        if (Sign == 0)
            return true;
        var (digits, by) = (
            BigInteger.Parse(Digits, CultureInfo.InvariantCulture),
            BigInteger.Parse(divisor.Digits, CultureInfo.InvariantCulture)
        );
        var shift = Exponent - divisor.Exponent;
        if (shift >= 0)
            return (digits * BigInteger.ModPow(10, shift, by) % by).IsZero;
        // The digits would have to be divisible by this power of ten, too, and there are not that many of them.
        return -shift <= Digits.Length && (digits % (by * BigInteger.Pow(10, (int)-shift))).IsZero;
    }
}
