using System.Buffers;
using Lintel.Composition.Answers;
using Lintel.Errors;
using Lintel.Transport.Memory;

namespace Lintel.Tests.Composition.Answers;

/// <summary>Everything that is buffered whole takes from the budget before it is allocated, and returns it.</summary>
public sealed class AnswerBodyTests
{
    private readonly MemoryBudget _memory = new(1 << 20);

    [Fact]
    public void Bytes_AsTheyGrow_AreCounted_AndGivenBackAtTheEnd()
    {
        var body = Body();
        var text = new byte[100_000];
        new Random(1).NextBytes(text);
        foreach (var piece in text.Chunk(777))
            body.Write(piece);
        Assert.Equal(text, body.Span);
        Assert.InRange(_memory.UsedBy(BufferUse.Answer), text.Length, 3 * text.Length);
        body.Replace(text.AsSpan(0, 10));
        Assert.InRange(_memory.Used, 10, 100);
        body.Release();
        Assert.Equal(0, _memory.Used);
        body.Release();
        Assert.Equal(0, _memory.Used);
    }

    [Fact]
    public void Bytes_BeyondTheBudget_AreRefused_AndWhatIsThereStays()
    {
        var body = Body();
        var piece = new byte[10_000];
        var e = Assert.Throws<InsufficientMemoryException>(() =>
        {
            for (var i = 0; i < 1000; i++)
                body.Write(piece);
        });
        Assert.Equal(GatewayErrorKind.Overloaded, GatewayError.OfDefect(e).Kind);
        Assert.InRange(body.Length, 300_000, 1 << 20);
        Assert.InRange(_memory.Used, body.Length, 1 << 20);
        body.Release();
        Assert.Equal((0, 1), (_memory.Used, _memory.RefusedBy(BufferUse.Answer)));
    }

    [Fact]
    public void Bytes_OfMany_AreNeverMoreThanTheLimitTogether()
    {
        var most = 0L;
        Parallel.For(0, 16, i =>
        {
            for (var round = 0; round < 50; round++)
            {
                var body = Body();
                try
                {
                    for (var at = 0; at < 300_000; at += 20_000)
                    {
                        body.GetSpan(20_000);
                        body.Advance(20_000);
                        InterlockedMax(ref most, _memory.Used);
                    }
                }
                catch (InsufficientMemoryException) { }

                body.Release();
            }
        });
        Assert.InRange(most, 300_000, 1 << 20);
        Assert.Equal(0, _memory.Used);
    }

    [Fact]
    public void Document_BesideItsText_IsCountedTwiceWhereTwoReadIt()
    {
        var body = Body();
        body.Write("[1,1,1,1]"u8);
        var alone = _memory.Used;
        AnswerReader.Parse(body, []);
        var one = _memory.Used - alone;
        Assert.InRange(one, 5 * 12, 1000);
        AnswerReader.Parse(body, []);
        Assert.Equal(2 * one, _memory.Used - alone);
        body.Release();
        Assert.Equal(0, _memory.Used);
    }

    /// <summary>Two bytes of JSON are twelve of a document: a text that fits may be one that cannot be parsed.</summary>
    [Fact]
    public void Document_ThatTheBudgetCannotHold_IsOverloadedAndNotMalformed()
    {
        var answer = new CallAnswer { Status = 200 };
        answer.Body.TakeFrom(_memory);
        answer.Body.Write("[1"u8);
        for (var i = 0; i < 100_000; i++)
            answer.Body.Write(",1"u8);
        answer.Body.Write("]"u8);
        Assert.Throws<InsufficientMemoryException>(() => AnswerReader.Read(answer, [], out _));
        Assert.Null(AnswerReader.Read(answer, null, out _)); // as text it goes through
        answer.Body.Release();
        Assert.Equal(0, _memory.Used);
    }

    [Fact]
    public void Xml_WhoseTreeTheBudgetCannotHold_IsOverloadedAndNotMalformed()
    {
        var answer = new CallAnswer { Status = 200, ContentType = "application/xml" };
        answer.Body.TakeFrom(_memory);
        answer.Body.Write("<a>"u8);
        for (var i = 0; i < 20_000; i++)
            answer.Body.Write("<a/>"u8);
        answer.Body.Write("</a>"u8);
        AnswerReader.Normalize(answer, Lintel.Config.AnswerFormat.Auto, null!);
        Assert.Equal(GatewayErrorKind.Overloaded, answer.Problem?.Kind);
        answer.Body.Release();
        Assert.Equal(0, _memory.Used);
    }

    private AnswerBody Body()
    {
        var body = new AnswerBody();
        body.TakeFrom(_memory);
        return body;
    }

    private static void InterlockedMax(ref long most, long value)
    {
        for (var seen = Volatile.Read(ref most); value > seen; )
        {
            var before = Interlocked.CompareExchange(ref most, value, seen);
            if (before == seen)
                return;
            seen = before;
        }
    }
}
