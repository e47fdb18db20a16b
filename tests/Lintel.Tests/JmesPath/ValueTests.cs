using System.Buffers;
using System.Text;
using System.Text.Json;
using CsCheck;
using Lintel.JmesPath;

namespace Lintel.Tests.JmesPath;

public sealed class ValueTests
{
    /// <summary>JSON that other parsers fail on: unpaired surrogates, long numbers, duplicate names, white space.</summary>
    private const string Odd =
        """ { "b" : 1.10, "a\u0062" : [ 1E400 , -0 , 12345678901234567890.5 ], "\ud800":"\udc00", "s" : "\/\u00e9\ud83d\ude00", "b" : 2e+1 } """;

    [Fact]
    public void Raw_OfAnyKind_GoesOutByteForByte()
    {
        using var document = JsonDocument.Parse(Odd);
        Assert.Equal(Odd.Trim(), new Value(document.RootElement).ToString());
        Assert.Equal("""{"x":[ 1E400 , -0 , 12345678901234567890.5 ],"y":"\udc00"}""", Evaluated(document, "{x: ab, y: values(@)[2]}"));
    }

    [Fact]
    public void Members_OfNamesWithEscapes_AreFoundByTheirMeaning()
    {
        using var document = JsonDocument.Parse(Odd);
        Assert.Equal("-0", Evaluated(document, "ab[1]"));
        Assert.Equal("2e+1", Evaluated(document, "b"));
        Assert.Equal("\"\\udc00\"", Evaluated(document, "\"\uFFFD\""));
        Assert.Equal("null", Evaluated(document, "abcdefgh"));
    }

    [Theory]
    [InlineData("s == '/é😀'", "true")]
    [InlineData("length(s)", "3")]
    [InlineData("reverse(s)", "\"😀é/\"")]
    [InlineData("keys(@)", "[\"b\",\"ab\",\"\uFFFD\",\"s\",\"b\"]")]
    [InlineData("starts_with(s, '/')", "true")]
    [InlineData("contains(s, 'é')", "true")]
    [InlineData("merge({x: 'y'}, @).s", "\"\\/\\u00e9\\ud83d\\ude00\"")]
    [InlineData("sort([s, 'b', '\uFFFF'])", "[\"\\/\\u00e9\\ud83d\\ude00\",\"b\",\"\uFFFF\"]")]
    [InlineData("join('', [values(@)[2], s])", "\"\uFFFD/é😀\"")]
    public void Strings_WithEscapes_AreWhatTheyMean(string text, string expected)
    {
        using var document = JsonDocument.Parse(Odd);
        Assert.Equal(expected, Evaluated(document, text));
    }

    [Theory]
    [InlineData("sort(['\U0001F600', '\uFFFF'])", "[\"\uFFFF\",\"\U0001F600\"]")]
    [InlineData("to_string(`{\"a\": [1, \" b \\\" c\"]}`)", "\"{\\\"a\\\":[1,\\\" b \\\\\\\" c\\\"]}\"")]
    [InlineData("to_string({a: `[1, 2]`, b: ['x']})", "\"{\\\"a\\\":[1,2],\\\"b\\\":[\\\"x\\\"]}\"")]
    [InlineData("to_string(`1.10`)", "\"1.10\"")]
    public void Strings_ThatAreMade_AreOrderedByCodePointAndCompact(string text, string expected)
    {
        using var document = JsonDocument.Parse("{}");
        Assert.Equal(expected, Evaluated(document, text));
    }

    [Fact]
    public void Bytes_ThatAreNoUtf8_NeverLeaveInMadeStrings()
    {
        byte[] json = [.. "[\"a"u8, 0xFF, 0xC3, .. "\"]"u8];
        using var document = JsonDocument.Parse(json);
        Assert.Equal("\"xa\uFFFD\uFFFD\"", Evaluated(document, "join('', ['x', @[0]])"));
        Assert.Equal("3", Evaluated(document, "length(@[0])"));
        Assert.Equal("\"\uFFFD\uFFFDa\"", Evaluated(document, "reverse(@[0])"));
    }

    [Fact]
    public void WrittenString_OfAnyText_ReadsAsThatText() =>
        Gen.String.Sample(text =>
        {
            var buffer = new ArrayBufferWriter<byte>();
            Value.String(text).WriteTo(buffer, long.MaxValue);
            using var document = JsonDocument.Parse(buffer.WrittenMemory);
            return document.RootElement.GetString() == Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
        });

    [Fact]
    public void Members_OfALargeObject_AreFoundInATable()
    {
        string[] names = [.. Enumerable.Range(0, 100).Select(i => $"name{i}")];
        var value = Value.Object(new Names(names), [.. Enumerable.Range(0, 100).Select(i => Value.Number(i))]);
        for (var i = 0; i < 100; i++)
        {
            Assert.True(value.TryGetMember(Encoding.UTF8.GetBytes(names[i]), out var member));
            Assert.Equal(i.ToString(System.Globalization.CultureInfo.InvariantCulture), member.ToString());
        }

        Assert.False(value.TryGetMember("name100"u8, out _));
    }

    [Fact]
    public void WriteTo_WithALimit_WritesNoMoreThanThat()
    {
        var value = Value.Array(Value.String("abc"), Value.Number(1), Value.Boolean(true), Value.Null);
        var length = value.ToString().Length;
        Assert.Equal("[\"abc\",1,true,null]", value.ToString());
        for (var limit = 0; limit <= length; limit++)
        {
            var buffer = new ArrayBufferWriter<byte>();
            Assert.Equal(limit == length, value.WriteTo(buffer, limit));
            Assert.True(buffer.WrittenCount <= limit);
        }
    }

    private static string Evaluated(JsonDocument document, string text)
    {
        var expression = Expression.Parse(text, out var problem);
        Assert.True(expression is not null, problem?.ToString());
        Assert.True(expression.TryEvaluate(new Value(document.RootElement), out var result, out var error), error);
        return result.ToString();
    }
}
