using System.Text;
using Lintel.Transport.Http1;

namespace Lintel.Transport.Tests.Http1;

public sealed class ResponseHeadTests
{
    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", BodyEnd.Length, true)]
    [InlineData("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", BodyEnd.None, true)]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", BodyEnd.LastChunk, true)]
    [InlineData("HTTP/1.1 200 OK\r\nA: b\r\n\r\n", BodyEnd.Connection, true)]
    [InlineData("HTTP/1.2 200 OK\r\nContent-Length: 5\r\n\r\n", BodyEnd.Length, true)]
    [InlineData("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", BodyEnd.Length, false)]
    [InlineData("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n\r\n", BodyEnd.Length, true)]
    [InlineData("HTTP/1.1 200 OK\r\nConnection: x, close\r\nContent-Length: 5\r\n\r\n", BodyEnd.Length, false)]
    [InlineData("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", BodyEnd.None, true)]
    [InlineData("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", BodyEnd.None, true)]
    [InlineData("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", BodyEnd.None, true)]
    public void Head_ThatIsRight_SaysHowItsBodyEnds(string text, BodyEnd end, bool keepsAlive)
    {
        var head = Take(text);
        Assert.Equal((end, keepsAlive), (head.EndOfBody(isHead: false), head.KeepsAlive));
        Assert.Equal(BodyEnd.None, head.EndOfBody(isHead: true));
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5 5\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n")]
    [InlineData("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\nA: b\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nA b : c\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\n : b\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length : 5\r\nContent-Length: 6\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\n: b\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nno colon\r\n\r\n")]
    [InlineData("HTTP/2 200 OK\r\n\r\n")]
    [InlineData("HTTP/1.1  200 OK\r\n\r\n")]
    [InlineData("HTTP/1.1 20 OK\r\n\r\n")]
    [InlineData("HTTP/1.1 2000 OK\r\n\r\n")]
    [InlineData("HTTP/1.1 099 OK\r\n\r\n")]
    [InlineData("http/1.1 200 OK\r\n\r\n")]
    [InlineData("\r\nHTTP/1.1 200 OK\r\n\r\n")]
    public void Head_ThatTwoCouldReadDifferently_IsRefused(string text) =>
        Assert.Equal(Http1Failure.Malformed, Assert.Throws<Http1Exception>(() => Take(text)).Failure);

    [Theory]
    [InlineData("HTTP/1.1 200 OK\nContent-Length: 5\nA: b\n\n", 5, 2)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\nA: b\r\n\n", 5, 2)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\nA: b\r\n\r\n", 5, 2)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5, 5 ,5\r\nA: b\r\ncontent-length: 5\r\n\r\n", 5, 2)]
    public void Head_WithMistakesThatMayBe_SaysTheSame(string text, long length, int count)
    {
        var head = new ResponseHead { AllowsBareLf = true, AllowsEqualLengths = true };
        for (var again = 0; again < 2; again++)
        {
            Take(head, text);
            Assert.Equal((length, count), (head.ContentLength, head.Count));
            Assert.Equal(("5", "b"), (head[0].Value, head[1].Value));
        }
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 05\r\nContent-Length: 50\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5,\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\nTransfer-Encoding: chunked\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\nA: b\rc\n\n")]
    [InlineData("HTTP/1.1 200 OK\nA: b\n c\n\n")]
    [InlineData("\nHTTP/1.1 200 OK\n\n")]
    public void Head_WithOtherMistakes_IsRefusedAllTheSame(string text) =>
        Assert.Throws<Http1Exception>(() => Take(new ResponseHead { AllowsBareLf = true, AllowsEqualLengths = true }, text));

    /// <summary>RFC 9112 section 5.1: a proxy removes them from a response; they count for framing like any other field.</summary>
    [Fact]
    public void Blanks_BeforeTheColon_AreRemoved()
    {
        var head = Take("HTTP/1.1 200 OK\r\nContent-Length : 5\r\nX-P \t: 1\r\n\r\n");
        Assert.Equal((5, "Content-Length", "X-P", "1"), (head.ContentLength, head[0].Name, head[1].Name, head[1].Value));
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\n\r\n", null)]
    [InlineData("HTTP/1.1 200\r\n\r\n", null)]
    [InlineData("HTTP/1.1 404 Not Found\r\n\r\n", null)]
    [InlineData("HTTP/1.1 422 Stock exhausted\r\n\r\n", "Stock exhausted")]
    public void Reason_ThatIsNotTheUsualOne_IsKept(string text, string? reason) => Assert.Equal(reason, Take(text).Reason);

    [Fact]
    public void Lines_ThatComeAgain_GiveTheSameStrings()
    {
        var head = new ResponseHead();
        Take(head, "HTTP/1.1 200 OK\r\nServer: nginx\r\nETag: \"1\"\r\n\r\n");
        var first = (head[0], head[1]);
        Take(head, "HTTP/1.1 200 OK\r\nServer: nginx\r\nETag: \"2\"\r\n\r\n");
        Assert.Same(first.Item1.Value, head[0].Value);
        Assert.Equal(("ETag", "\"2\""), (head[1].Name, head[1].Value));
        Assert.Equal(2, head.Count);
    }

    [Fact]
    public void Names_OfValuesThatChange_AreTheSameStrings_AndMeanTheSame()
    {
        var head = new ResponseHead();
        Take(head, "HTTP/1.1 200 OK\r\nX-Sent-At: 1\r\nContent-Length: 5\r\nServer: a\r\n\r\n");
        var names = (head[0].Name, head[1].Name);
        Take(head, "HTTP/1.1 200 OK\r\nX-Sent-At: 2\r\nContent-Length: 70\r\nContent-length2: 6\r\n\r\n");
        Assert.Same(names.Item1, head[0].Name);
        Assert.Same(names.Item2, head[1].Name);
        Assert.Equal(("2", 70L, "Content-length2"), (head[0].Value, head.ContentLength, head[2].Name));
        // another spelling is another name; another name in its place means nothing
        Take(head, "HTTP/1.1 200 OK\r\nx-sent-at: 2\r\nX-Length: 8\r\ncontent-length: 9\r\n\r\n");
        Assert.Equal(("x-sent-at", "X-Length", 9L), (head[0].Name, head[1].Name, head.ContentLength));
    }

    [Fact]
    public void Value_WithBytesAboveAscii_IsKeptAsLatin1() => Assert.Equal("ä", Take("HTTP/1.1 200 OK\r\nA: ä\r\n\r\n")[0].Value);

    private static ResponseHead Take(string text)
    {
        var head = new ResponseHead();
        Take(head, text);
        return head;
    }

    private static void Take(ResponseHead head, string text)
    {
        head.Clear();
        var bytes = Encoding.Latin1.GetBytes(text).AsSpan();
        while (bytes.IndexOf((byte)'\n') is >= 0 and var end)
        {
            if (head.Take(bytes[..end]))
            {
                Assert.Equal(end + 1, bytes.Length);
                return;
            }

            bytes = bytes[(end + 1)..];
        }

        Assert.Fail("the head has no end");
    }
}
