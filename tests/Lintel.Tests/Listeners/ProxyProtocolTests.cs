using System.Buffers;
using System.Text;
using CsCheck;
using Lintel.Listeners;

namespace Lintel.Tests.Listeners;

public sealed class ProxyProtocolTests
{
    private static readonly string[] Headers =
    [
        "PROXY TCP4 192.0.2.7 192.0.2.1 56324 443\r\n",
        "PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n",
        "PROXY UNKNOWN\r\n",
        "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc0\0\x02\x01\xdc\x04\x01\xbb",
        "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
    ];

    [Fact]
    public void Header_CutShort_AsksForMoreAndThenTakesItsOwnBytesOnly()
    {
        foreach (var header in Headers)
        {
            for (var length = 0; length < header.Length; length++)
                Assert.Null(Read(header[..length], out _));
            Assert.True(Read(header + "GET / HTTP/1.1\r\n", out var consumed));
            Assert.Equal(header.Length, consumed);
        }
    }

    [Fact]
    public void Bytes_OfAnyKind_AreTakenRefusedOrAwaited() =>
        Gen.Select(Gen.Int[0, Headers.Length - 1], Gen.Byte.Array[0, 30], Gen.Int[0, 60])
            .Sample(
                (header, noise, at) =>
                {
                    var text = Headers[header];
                    at = Math.Min(at, text.Length);
                    if (Read(text[..at] + Encoding.Latin1.GetString(noise) + text[at..], out var consumed) is true)
                        Assert.InRange(consumed, 1, text.Length + noise.Length);
                }
            );

    private static bool? Read(string text, out long consumed)
    {
        var buffer = new ReadOnlySequence<byte>(Encoding.Latin1.GetBytes(text));
        var result = ProxyProtocol.Read(buffer, out var position, out _);
        consumed = buffer.GetOffset(position);
        return result;
    }
}
