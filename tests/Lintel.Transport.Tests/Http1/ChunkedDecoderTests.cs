using System.Text;
using CsCheck;
using Lintel.Transport.Http1;

namespace Lintel.Transport.Tests.Http1;

public sealed class ChunkedDecoderTests
{
    private static readonly string[] Seeds =
    [
        "5\r\nhello\r\n0\r\n\r\n",
        "5;a=b;c=\"d\"\r\nhello\r\n6 \r\n world\r\n0\r\n\r\n",
        "a\r\n0123456789\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n",
        "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n000\r\n\r\n",
        "0\r\n\r\n",
    ];

    [Theory]
    [InlineData(0, "hello", "")]
    [InlineData(1, "hello world", "")]
    [InlineData(2, "0123456789", "X-Sum=1;Y=2")]
    [InlineData(3, "abc", "")]
    [InlineData(4, "", "")]
    public void Chunks_ThatAreRight_GiveTheirBody(int seed, string body, string trailers) =>
        Assert.Equal($"{body}|{trailers}|whole", Decode(Encoding.Latin1.GetBytes(Seeds[seed]), [], 4096));

    [Theory]
    [InlineData("5\nhello\r\n0\r\n\r\n")]
    [InlineData("5\r\nhello0\r\n\r\n")]
    [InlineData("5\r\nhelloX\r\n0\r\n\r\n")]
    [InlineData("5\r\nhello\n0\r\n\r\n")]
    [InlineData("+5\r\nhello\r\n0\r\n\r\n")]
    [InlineData("0x5\r\nhello\r\n0\r\n\r\n")]
    [InlineData("-1\r\n")]
    [InlineData("\r\n")]
    [InlineData(";a\r\n")]
    [InlineData("5;a\nb\r\nhello\r\n")]
    [InlineData("5 5\r\nhello\r\n0\r\n\r\n")]
    [InlineData("5\ta=b\r\nhello\r\n0\r\n\r\n")]
    [InlineData("5 \nhello\r\n0\r\n\r\n")]
    [InlineData("fffffffffffffffff\r\n")]
    [InlineData("0\r\n X: 1\r\n\r\n")]
    [InlineData("0\r\nX: 1\n\r\n")]
    public void Chunks_ThatTwoCouldReadDifferently_AreRefused(string text) =>
        Assert.EndsWith("|Malformed", Decode(Encoding.Latin1.GetBytes(text), [], 4096), StringComparison.Ordinal);

    [Fact]
    public void Extension_WithoutEnd_IsRefused() =>
        Assert.EndsWith("|Malformed", Decode(Encoding.Latin1.GetBytes("5;" + new string('a', 5000)), [], 4096), StringComparison.Ordinal);

    /// <summary>Each extension is short enough; a body of them is an attack (CVE-2023-39326).</summary>
    [Theory]
    [InlineData(1, 200, true)]
    [InlineData(1, 14, false)]
    [InlineData(300, 500, false)]
    public void Extensions_OfMoreFramingThanData_AreRefused(int data, int extension, bool isRefused)
    {
        var chunk = $"{data:x};{new string('e', extension)}\r\n{new string('d', data)}\r\n";
        var result = Decode(Encoding.Latin1.GetBytes(string.Concat(Enumerable.Repeat(chunk, 2000)) + "0\r\n\r\n"), [], 4096);
        Assert.EndsWith(isRefused ? "|Malformed" : "|whole", result, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData('0')]
    [InlineData(' ')]
    public void Size_WithoutEnd_IsRefused(char filling) =>
        Assert.EndsWith(
            "|Malformed",
            Decode(Encoding.Latin1.GetBytes("0" + new string(filling, 5000)), [], 4096),
            StringComparison.Ordinal
        );

    /// <summary>Which trailers may be forwarded is decided by the caller.</summary>
    [Fact]
    public void Trailers_OfAnyName_AreTold() =>
        Assert.Equal("|X-Sum=1;Host=5;Y=2|whole", Decode(Encoding.Latin1.GetBytes("0\r\nX-Sum: 1\r\nHost : 5\r\nY: 2\r\n\r\n"), [], 4096));

    [Fact]
    public void Trailers_WithoutEnd_AreRefused() =>
        Assert.EndsWith(
            "|HeadTooLarge",
            Decode(Encoding.Latin1.GetBytes("0\r\n" + string.Concat(Enumerable.Repeat("X: y\r\n", 500))), [], 4096),
            StringComparison.Ordinal
        );

    /// <summary>
    /// The result does not depend on how the bytes arrive, nor on the room there is for them; nothing but an Http1Exception is thrown.
    /// LINTEL_FUZZ_EXECUTIONS sets how often.
    /// </summary>
    [Fact]
    public void AnyBytes_InAnyPieces_GiveTheSame()
    {
        var executions = long.TryParse(Environment.GetEnvironmentVariable("LINTEL_FUZZ_EXECUTIONS"), out var n) ? n : 100_000;
        var mutation = Gen.Select(
            Gen.Int[0, 200],
            Gen.Frequency((3, Gen.OneOf(Gen.Const((byte)13), Gen.Const((byte)10), Gen.Byte[(byte)0x20, (byte)0x7e])), (1, Gen.Byte))
        );
        Gen.Select(Gen.Int[0, Seeds.Length - 1], mutation.Array[0, 3], Gen.Int[1, 7].Array[0, 20], Gen.Int[1, 9])
            .Sample(
                (seed, mutations, cuts, room) =>
                {
                    var bytes = Encoding.Latin1.GetBytes(Seeds[seed]);
                    foreach (var (at, value) in mutations)
                        bytes[at % bytes.Length] = value;
                    Assert.Equal(Decode(bytes, [], 4096), Decode(bytes, cuts, room));
                },
                iter: executions
            );
        if (Environment.GetEnvironmentVariable("LINTEL_FUZZ_REPORT") is { } report)
            File.AppendAllText(
                report,
                $"- {executions} bodies through the chunked decoder alone, each decoded twice: whole and in pieces.\n"
            );
    }

    [Theory]
    [InlineData("5\nhello\n0\n\n")]
    [InlineData("5;a=b\nhello\r\n0\r\n\n")]
    [InlineData("5 \nhello\n0\nA: b\n\n")]
    [InlineData("5\r\nhello\r\n0\r\nA: b\r\n\r\n")]
    public void Lines_ThatEndWithALineFeed_AreTakenWhereTheyMayBe(string text)
    {
        Assert.Equal(
            !text.Contains("5\r", StringComparison.Ordinal),
            Decode(Encoding.Latin1.GetBytes(text), [1, 1, 1], 9).Contains("Malformed", StringComparison.Ordinal)
        );
        Assert.StartsWith(
            "hello",
            Decode(Encoding.Latin1.GetBytes(text), [1, 1, 1, 1, 1], 9, allowsBareLf: true),
            StringComparison.Ordinal
        );
        Assert.DoesNotContain("Malformed", Decode(Encoding.Latin1.GetBytes(text), [], 4096, allowsBareLf: true), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\n5\nhello\n0\n\n")]
    [InlineData("5\nhello0\n\n")]
    [InlineData("5\r\r\nhello\n0\n\n")]
    [InlineData("5;a\rb\nhello\n0\n\n")]
    public void Lines_ThatEndOtherwise_AreRefusedAllTheSame(string text) =>
        Assert.Contains("Malformed", Decode(Encoding.Latin1.GetBytes(text), [], 4096, allowsBareLf: true), StringComparison.Ordinal);

    private static string Decode(byte[] bytes, int[] cuts, int room, bool allowsBareLf = false)
    {
        var decoder = new ChunkedDecoder { AllowsBareLf = allowsBareLf };
        decoder.Begin(maxTrailers: 1000);
        var body = new StringBuilder();
        var output = new byte[room];
        var at = 0;
        try
        {
            for (var piece = 0; at < bytes.Length && !decoder.HasEnded; piece++)
            {
                var input = bytes.AsSpan(at, Math.Min(bytes.Length - at, piece < cuts.Length ? cuts[piece] : bytes.Length));
                while (!input.IsEmpty && !decoder.HasEnded)
                {
                    var (taken, written) = decoder.Decode(input, output);
                    Assert.True(taken > 0 || written > 0, "it stands still");
                    body.Append(Encoding.Latin1.GetString(output, 0, written));
                    input = input[taken..];
                    at += taken;
                }
            }
        }
        catch (Http1Exception e)
        {
            return $"|{e.Failure}"; // how much of the body comes before the mistake depends on the pieces
        }

        return $"{body}|{string.Join(';', decoder.Trailers.Select(t => t.Name + "=" + t.Value))}|{(decoder.HasEnded ? "whole" : "part")}";
    }
}
