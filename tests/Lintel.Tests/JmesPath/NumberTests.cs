using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;
using CsCheck;
using Lintel.JmesPath;

namespace Lintel.Tests.JmesPath;

public sealed class NumberTests
{
    /// <summary>Numbers in JSON notation, few and close to each other, so that equal ones occur in several forms.</summary>
    private static readonly Gen<string> Numbers = Gen.Select(
            Gen.Bool,
            OneOf("0", "1", "9", "10", "100", "123", "9007199254740993", "123456789012345678901234567890"),
            OneOf("", ".0", ".5", ".05", ".50", ".000000000000000000000000000000001"),
            Gen.Int[-40, 40],
            Gen.Int[0, 3]
        )
        .Select(
            (negative, whole, fraction, exponent, form) =>
                $"{(negative ? "-" : "")}{whole}{fraction}{(form == 0 ? "" : $"{(form == 1 ? "e" : "E")}{(form == 3 && exponent >= 0 ? "+" : "")}{exponent}")}"
        );

    [Theory]
    [InlineData("1", "1.0", 0)]
    [InlineData("1", "10e-1", 0)]
    [InlineData("0", "-0.0e5", 0)]
    [InlineData("9007199254740993", "9007199254740992", 1)]
    [InlineData("1e400", "1e399", 1)]
    [InlineData("-1e400", "1e-400", -1)]
    [InlineData("1e-400", "0", 1)]
    [InlineData("0.1", "0.10000000000000000000000000000000000001", -1)]
    [InlineData("1e99999999999999999999999", "1e400", 1)]
    [InlineData("123456789012345678901234567890.5", "123456789012345678901234567890.50", 0)]
    public void Compare_OfTwoTexts_IsExact(string a, string b, int expected)
    {
        Assert.Equal(expected, Math.Sign(Digits.Compare(Encoding.UTF8.GetBytes(a), Encoding.UTF8.GetBytes(b))));
        Assert.Equal(-expected, Math.Sign(Digits.Compare(Encoding.UTF8.GetBytes(b), Encoding.UTF8.GetBytes(a))));
    }

    [Fact]
    public void Compare_OfAnyNumbers_IsThatOfWholeNumbersOfUnlimitedLength() =>
        Gen.Select(Numbers, Numbers)
            .Sample(
                (a, b) => Math.Sign(Digits.Compare(Encoding.UTF8.GetBytes(a), Encoding.UTF8.GetBytes(b))) == Whole(a).CompareTo(Whole(b)),
                iter: 20_000
            );

    [Fact]
    public void Decimal_OfAnyNumberThatHasOne_IsThatNumber() =>
        Numbers.Sample(
            text =>
                !Number.TryGetDecimal(Encoding.UTF8.GetBytes(text), out var number)
                || Digits.Compare(Number.Of(number).Text, Encoding.UTF8.GetBytes(text)) == 0,
            iter: 20_000
        );

    [Fact]
    public void Grammar_OfAnyText_IsThatOfJson() =>
        Gen.OneOf(Numbers, Gen.String[Gen.Char["0123.-+eE "], 0, 8])
            .Sample(
                text =>
                {
                    var expected = text.Trim().Length == text.Length && IsJson(text);
                    return Number.IsNumber(Encoding.UTF8.GetBytes(text)) == expected;
                },
                iter: 5_000
            );

    [Theory]
    [InlineData("sum(`[0.1, 0.2]`)", "0.3")]
    [InlineData("sum(`[1.10, 2.20]`)", "3.3")]
    [InlineData("sum(`[9007199254740992, 1]`)", "9007199254740993")]
    [InlineData("sum(`[1e300, 1e300]`)", "2E+300")]
    [InlineData("sum(`[1, 1e300, 1]`)", "1E+300")]
    [InlineData("sum(`[]`)", "0")]
    [InlineData("avg(`[1, 2]`)", "1.5")]
    [InlineData("avg(`[1, 0, 0]`)", "0.3333333333333333")]
    [InlineData("avg(`[0.1, 0.2]`)", "0.15")]
    [InlineData("abs(`-1.10`)", "1.10")]
    [InlineData("abs(`-0`)", "0")]
    [InlineData("abs(`1e2`)", "1e2")]
    [InlineData("ceil(`1.2`)", "2")]
    [InlineData("ceil(`-1.2`)", "-1")]
    [InlineData("ceil(`1e-400`)", "1")]
    [InlineData("floor(`-1e-400`)", "-1")]
    [InlineData("floor(`1e400`)", "1e400")]
    [InlineData("floor(`1.0`)", "1.0")]
    [InlineData("ceil(`-0.5`)", "0")]
    [InlineData("floor(`12345678901234567890.5`)", "12345678901234567890")]
    [InlineData("floor(`123456789012345678901234567890.5`)", "1.2345678901234568E+29")]
    [InlineData("to_number('1e2')", "1e2")]
    [InlineData("to_number('01')", "null")]
    [InlineData("to_number(' 1')", "null")]
    [InlineData("to_number('NaN')", "null")]
    [InlineData("max(`[1, 1.0, 0]`)", "1")]
    [InlineData("sort(`[1e1, 9, 10.0, -1]`)", "[-1,9,1e1,10.0]")]
    [InlineData("`9007199254740993` == `9007199254740992`", "false")]
    [InlineData("`1` == `1.0`", "true")]
    public void Functions_OfNumbers_KeepTheTextOrAreExact(string text, string expected)
    {
        var expression = Expression.Parse(text, out var problem);
        Assert.True(expression is not null, problem?.Message);
        Assert.True(expression.TryEvaluate(Value.Null, out var result, out var error), error);
        Assert.Equal(expected, result.ToString());
    }

    private static Gen<string> OneOf(params string[] texts) => Gen.Int[0, texts.Length - 1].Select(i => texts[i]);

    private static bool IsJson(string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            return document.RootElement.ValueKind == JsonValueKind.Number;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>The number times 10^100, which makes all of <see cref="Numbers"/> integers.</summary>
    private static BigInteger Whole(string text)
    {
        var parts = text.Split('e', 'E');
        var exponent = 100 + (parts.Length > 1 ? int.Parse(parts[1], CultureInfo.InvariantCulture) : 0);
        var point = parts[0].IndexOf('.', StringComparison.Ordinal);
        if (point >= 0)
            exponent -= parts[0].Length - point - 1;
        return BigInteger.Parse(parts[0].Replace(".", "", StringComparison.Ordinal), CultureInfo.InvariantCulture)
            * BigInteger.Pow(10, exponent);
    }
}
