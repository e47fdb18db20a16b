using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using CsCheck;
using Lintel.Config;
using Lintel.Errors;
using Lintel.Listeners.Framing;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Listeners.Framing;

public sealed class FramingGuardTests
{
    private static readonly string[] Good =
    [
        "GET /a HTTP/1.1\r\nHost: t\r\n\r\n",
        "\r\nGET /a HTTP/1.0\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: t\r\nContent-Length: 11\r\n\r\nGET / H\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3;x=\"y\"\r\n\r\n!\r\n1\r\n\n\r\n0\r\nX-T: u\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ];

    private static readonly string[] Bad =
    [
        "GET /a HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "GET /a HTTP/1.1\nHost: t\r\n\r\n",
        "get /a HTTP/1.1\r\nHost: t\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost : t\r\n\r\n",
    ];

    private static readonly Gen<string> Requests = Gen.Int[0, Good.Length - 1]
        .Array[1, 6]
        .Select(i => string.Concat(i.Select(n => Good[n])));

    [Fact]
    public void GoodRequests_InAnyPieces_PassByteForByte() =>
        Gen.Select(Requests, Gen.Int[1, 40].Array[1, 20])
            .Sample(
                (text, pieces) =>
                {
                    var kestrel = new Reader(text, pieces);
                    Assert.Equal(text, kestrel.ReadAll());
                    Assert.Null(kestrel.Guard.Framing.Refusal);
                },
                iter: 3000
            );

    [Fact]
    public void BadRequest_AfterGoodOnesInAnyPieces_IsReplacedAndNothingComesAfterIt() =>
        Gen.Select(Requests, Gen.Int[0, Bad.Length - 1], Gen.Int[1, 40].Array[1, 20])
            .Sample(
                (text, bad, pieces) =>
                {
                    var kestrel = new Reader(text + Bad[bad] + text, pieces);
                    var seen = kestrel.ReadAll();
                    Assert.StartsWith(text + "REFUSED / HTTP/1.1\r\n", seen, StringComparison.Ordinal);
                    Assert.EndsWith("\r\nConnection: close\r\n\r\n", seen, StringComparison.Ordinal);
                    Assert.Equal(GatewayErrorKind.BadFraming, kestrel.Guard.Framing.Refusal!.Kind);
                }
            );

    [Fact]
    public void AnyBytes_InAnyPieces_NeverBreakTheGuard() =>
        Gen.Select(Requests, Gen.Byte.Array[0, 40], Gen.Int[0, 200], Gen.Int[1, 40].Array[1, 20])
            .Sample(
                (text, noise, at, pieces) =>
                {
                    at = Math.Min(at, text.Length);
                    var input = text[..at] + Encoding.Latin1.GetString(noise) + text[at..];
                    try
                    {
                        new Reader(input, pieces).ReadAll();
                    }
                    catch (BadHttpRequestException)
                    {
                        // A body that went wrong underway ends like this.
                    }
                },
                iter: 3000
            );

    [Theory]
    [InlineData(1, 40, 300, true)]
    [InlineData(1, 200, 80, true)]
    [InlineData(1, 200, 100, false)]
    [InlineData(100, 200, 40, true)]
    public void Chunks_ThatAreMoreFramingThanData_AreRefused(int data, int extension, int count, bool isTaken)
    {
        var chunk = $"{data:x};{new string('e', extension)}\r\n{new string('d', data)}\r\n";
        var kestrel = new Reader(
            "POST /a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
                + string.Concat(Enumerable.Repeat(chunk, count))
                + "0\r\n\r\n",
            [40]
        );
        if (isTaken)
            kestrel.ReadAll();
        else
            Assert.Equal(
                400,
                Assert
                    .Throws<BadHttpRequestException>(() =>
                    {
                        kestrel.ReadAll();
                    })
                    .StatusCode
            );
        Assert.Equal(isTaken ? null : GatewayErrorKind.BadFraming, kestrel.Guard.Framing.Refusal?.Kind);
    }

    [Fact]
    public async Task Reader_ThatAsksForMoreThanTheMessageHas_IsToldThatItEnds()
    {
        var pipe = new Pipe();
        var guard = new FramingGuard(pipe.Reader, new ListenerLimitsConfig(), TimeProvider.System);
        await pipe.Writer.WriteAsync(Encoding.ASCII.GetBytes(Good[0] + Good[0]), TestContext.Current.CancellationToken);
        await pipe.Writer.CompleteAsync();
        Assert.True(guard.TryRead(out var read));
        Assert.False(read.IsCompleted);
        guard.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        Assert.True(guard.TryRead(out read));
        Assert.Equal((true, Good[0].Length), (read.IsCompleted, read.Buffer.Length));
    }

    [Fact]
    public async Task FirstByte_ThatComesAlone_IsCheckedWithItsLine()
    {
        var pipe = new Pipe();
        var guard = new FramingGuard(pipe.Reader, new ListenerLimitsConfig(), TimeProvider.System);
        foreach (var piece in (string[])["g", "ET /a HTTP/1.1\r\nHost: t\r\n\r\n"])
        {
            await pipe.Writer.WriteAsync(Encoding.ASCII.GetBytes(piece), TestContext.Current.CancellationToken);
            Assert.True(guard.TryRead(out var read));
            guard.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }

        Assert.Equal("the method does not consist of upper-case letters", guard.Framing.Refusal?.Detail);
    }

    [Fact]
    public async Task LineFeed_OfAnUnfinishedHead_IsNotShown()
    {
        var pipe = new Pipe();
        var guard = new FramingGuard(pipe.Reader, new ListenerLimitsConfig(), TimeProvider.System);
        await pipe.Writer.WriteAsync("GET /a HTTP/1.1\r\nHost: t\r\n"u8.ToArray(), TestContext.Current.CancellationToken);
        Assert.True(guard.TryRead(out var read));
        Assert.Equal("G", Encoding.ASCII.GetString(read.Buffer));
        guard.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        Assert.False(guard.TryRead(out _));
    }

    [Fact]
    public async Task Head_ThatTakesTooLong_IsRefusedAtTheNextTick()
    {
        var time = new FakeTimeProvider();
        var pipe = new Pipe();
        var guard = new FramingGuard(pipe.Reader, new ListenerLimitsConfig { HeadTimeout = TimeSpan.FromSeconds(3) }, time);
        await pipe.Writer.WriteAsync("GET /a HTTP/1.1\r\n"u8.ToArray(), TestContext.Current.CancellationToken);
        Assert.True(guard.TryRead(out var read));
        guard.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        var waiting = guard.ReadAsync(TestContext.Current.CancellationToken);
        guard.Tick();
        Assert.False(waiting.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(3));
        guard.Tick();
        Assert.StartsWith("REFUSED", Encoding.ASCII.GetString((await waiting).Buffer), StringComparison.Ordinal);
        Assert.Equal(GatewayErrorKind.RequestTimeout, guard.Framing.Refusal!.Kind);
    }

    [Fact]
    public void Tunnel_OnceOpen_PassesEverything()
    {
        var kestrel = new Reader("GET /a HTTP/1.1\r\nHost: t\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", [1000]);
        kestrel.ReadAll(isOver: false);
        kestrel.Guard.OpenTunnel();
        kestrel.Write("\0\n\n\r garbage");
        Assert.Equal("\0\n\n\r garbage", kestrel.ReadRest());
    }

    [Fact]
    public void Connection_ThatNamesHeaders_IsKeptAsItWasSent()
    {
        var kestrel = new Reader("GET /a HTTP/1.1\r\nHost: t\r\nConnection: close, X-A\r\nConnection: X-B\r\n\r\n", [7]);
        kestrel.ReadAll(isOver: false);
        Assert.Equal("close, X-A, X-B", kestrel.Guard.Framing.Connection);
    }

    /// <summary>Reads as Kestrel does: complete heads, then bodies by their framing.</summary>
    private sealed class Reader
    {
        private readonly Pipe _pipe = new(
            new PipeOptions(pauseWriterThreshold: 0, useSynchronizationContext: false, minimumSegmentSize: 16)
        );
        private readonly string _text;
        private readonly int[] _pieces;
        private int _sent;
        private int _turn;
        private int _reads;

        public Reader(string text, int[] pieces)
        {
            _text = text;
            _pieces = pieces;
            Guard = new FramingGuard(_pipe.Reader, new ListenerLimitsConfig(), TimeProvider.System);
        }

        public FramingGuard Guard { get; }

        public string ReadAll(bool isOver = true)
        {
            var seen = new StringBuilder();
            while (TryRead(isOver) is { } read)
            {
                var text = Encoding.Latin1.GetString(read.Buffer);
                var head = text.TrimStart('\r', '\n');
                var skipped = text.Length - head.Length;
                var end = head.IndexOf("\r\n\r\n", StringComparison.Ordinal);
                if (end < 0)
                {
                    Guard.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                    if (read.IsCompleted)
                        return seen.ToString();
                    continue;
                }

                var count = skipped + end + 4;
                seen.Append(text.AsSpan(0, count));
                Guard.AdvanceTo(read.Buffer.GetPosition(count));
                ReadBody(head[..end], seen, isOver);
            }

            return seen.ToString();
        }

        public string ReadRest()
        {
            Assert.True(Guard.TryRead(out var read));
            var text = Encoding.Latin1.GetString(read.Buffer);
            Guard.AdvanceTo(read.Buffer.End);
            return text;
        }

        public void Write(string text)
        {
            _pipe.Writer.Write(Encoding.Latin1.GetBytes(text));
            _pipe.Writer.FlushAsync().AsTask().Wait();
        }

        private void ReadBody(string head, StringBuilder seen, bool isOver)
        {
            var isChunked = head.Contains("chunked", StringComparison.Ordinal);
            var left = head.Contains("Content-Length: 11", StringComparison.Ordinal) ? 11 : 0;
            var body = new StringBuilder();
            while (isChunked ? !IsWhole(body.ToString()) : left > 0)
            {
                if (TryRead(isOver) is not { } read)
                    return;
                var text = Encoding.Latin1.GetString(read.Buffer);
                var taken = isChunked ? text.Length : Math.Min(left, text.Length);
                body.Append(text.AsSpan(0, taken));
                seen.Append(text.AsSpan(0, taken));
                left -= taken;
                Guard.AdvanceTo(read.Buffer.GetPosition(taken));
                if (read.IsCompleted)
                    return;
            }
        }

        /// <summary>
        /// The guard exposes one message at most, so that the body is complete with its last chunk and an empty line.
        /// </summary>
        private static bool IsWhole(string body) =>
            (body.StartsWith("0\r\n", StringComparison.Ordinal) || body.Contains("\r\n0\r\n", StringComparison.Ordinal))
            && body.EndsWith("\r\n\r\n", StringComparison.Ordinal);

        private ReadResult? TryRead(bool isOver)
        {
            while (true)
            {
                Assert.InRange(++_reads, 0, 10_000); // each read shows something new, ends, or waits: none of these inputs needs so many
                if (Guard.TryRead(out var read))
                    return read;
                if (_sent == _text.Length)
                {
                    if (!isOver)
                        return null;
                    _pipe.Writer.Complete();
                    return Guard.TryRead(out read) ? read : null;
                }

                var count = Math.Min(_pieces[_turn++ % _pieces.Length], _text.Length - _sent);
                Write(_text.Substring(_sent, count));
                _sent += count;
            }
        }
    }
}
