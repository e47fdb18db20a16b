using System.Net;
using System.Net.Sockets;
using System.Text;
using Lintel.Transport.Http1;
using Lintel.Transport.Loop;
using Microsoft.Extensions.Logging.Abstractions;

namespace Lintel.Transport.Tests.Http1;

/// <summary>The client against a server whose every byte the test decides, over real sockets.</summary>
public sealed class Http1ConnectionTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly LoopGroup _loops = new(1, NullLogger<LoopGroup>.Instance);
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);

    public Http1ConnectionTests() => _listener.Start();

    public void Dispose()
    {
        _listener.Dispose();
        _loops.Dispose();
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "200 hello", true)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", "200 hello", false)]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\n", "200 hello X-Sum=7", true)]
    [InlineData("HTTP/1.1 200 OK\r\n\r\nhello", "200 hello", false)]
    [InlineData("HTTP/1.1 204 No Content\r\n\r\n", "204 ", true)]
    [InlineData("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "304 ", true)]
    [InlineData(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "100 103 200 ok",
        true
    )]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n", "200 ok", false)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", "200 hello Incomplete", false)]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "200 hello Incomplete", false)]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n", "200  Malformed", false)]
    [InlineData("HTTP/1.1 200 OK\r\nConte", "Incomplete", false)]
    [InlineData("", "Terminated", false)]
    [InlineData("SSH-2.0-OpenSSH\r\n", "Malformed", false)]
    public async Task Answer_WholeOrByteByByte_IsReadAndTheConnectionKeptWhereItMay(string answer, string expected, bool isKept)
    {
        foreach (var step in (int[])[1, 4096])
        {
            // A message that defines its end keeps the connection open; everything else closes it.
            var serving = ServeAsync(answer, step, staysOpen: isKept);
            using var pool = Pool(new Http1Options());
            var connection = await pool.RentAsync(_loops.Loops[0], isFresh: false, CancellationToken.None);
            Assert.Equal(expected, await ExchangeAsync(connection));
            connection.Release();
            await WaitForAsync(() => pool.Open == (isKept ? 1 : 0)); // what comes unasked may come a moment later
            if (isKept)
                Assert.Same(connection, pool.TryRent(_loops.Loops[0]));
            (await serving).Dispose();
        }
    }

    [Fact]
    public async Task Head_LargerThanTheLimit_IsRefused()
    {
        var serving = ServeAsync("HTTP/1.1 200 OK\r\nX: " + new string('x', 20_000), 4096, staysOpen: true);
        using var pool = Pool(new Http1Options { MaxHead = 16 * 1024 });
        var connection = await pool.RentAsync(_loops.Loops[0], isFresh: false, CancellationToken.None);
        Assert.Equal("HeadTooLarge", await ExchangeAsync(connection));
        connection.Release();
        (await serving).Dispose();
    }

    /// <summary>Whether a head is too large must not depend on how it arrives.</summary>
    [Theory]
    [InlineData(4096, 1)]
    [InlineData(4097, 1)]
    [InlineData(4096, 100_000)]
    [InlineData(4097, 100_000)]
    public async Task Head_OfExactlyTheLimit_IsTheLargestTaken(int size, int step)
    {
        const string Before = "HTTP/1.1 204 No Content\r\nX: ";
        var serving = ServeAsync(Before + new string('x', size - Before.Length - 4) + "\r\n\r\n", step, staysOpen: true);
        using var pool = Pool(new Http1Options { MaxHead = 4096 });
        var connection = await pool.RentAsync(_loops.Loops[0], isFresh: false, CancellationToken.None);
        Assert.Equal(size <= 4096 ? "204 " : "HeadTooLarge", await ExchangeAsync(connection));
        connection.Release();
        (await serving).Dispose();
    }

    [Theory]
    [InlineData(100, 0, "")]
    [InlineData(101, 0, "Malformed")]
    [InlineData(50, 2000, "Malformed")] // together longer than a head may be
    public async Task InterimAnswers_WithoutEnd_AreRefused(int count, int size, string failure)
    {
        var interim = $"HTTP/1.1 103 Early Hints\r\nX: {new string('x', size)}\r\n\r\n";
        var serving = ServeAsync(
            string.Concat(Enumerable.Repeat(interim, count)) + "HTTP/1.1 204 No Content\r\n\r\n",
            100_000,
            staysOpen: true
        );
        using var pool = Pool(new Http1Options());
        var connection = await pool.RentAsync(_loops.Loops[0], isFresh: false, CancellationToken.None);
        Assert.EndsWith(failure.Length > 0 ? failure : "204 ", await ExchangeAsync(connection), StringComparison.Ordinal);
        connection.Release();
        (await serving).Dispose();
    }

    /// <summary>A server that sends faster than its answer is read does not keep the loop from timers and other connections.</summary>
    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "x")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1;e\r\nx\r\n")]
    public async Task Server_ThatSendsWithoutEnd_LetsTimersFire(string head, string piece)
    {
        var serving = ServeForEverAsync(head, piece);
        using var pool = Pool(new Http1Options());
        var loop = _loops.Loops[0];
        var connection = await pool.RentAsync(loop, isFresh: false, CancellationToken.None);
        var late = TimeSpan.MaxValue;
        var reading = ReadAsync();
        Assert.Equal(Http1Failure.TimedOut, (await Assert.ThrowsAsync<Http1Exception>(() => reading.WaitAsync(Patience))).Failure);
        // on a busy machine the loop and its clock may stall for a while: a timer that is never reached ends at 20 s
        Assert.InRange(late.TotalSeconds, 0.1, 10);
        connection.Release();
        await serving;

        async Task ReadAsync()
        {
            connection.Begin("GET", "", "/");
            connection.EndHead();
            await connection.FlushAsync();
            var started = System.Diagnostics.Stopwatch.GetTimestamp();
            connection.Limit(TimeSpan.FromMilliseconds(300));
            try
            {
                while (!connection.TryReadHead())
                    await connection.WaitAsync();
                var buffer = new byte[64 * 1024];
                while (true)
                {
                    if (connection.TryReadBody(buffer) < 0)
                        await connection.WaitAsync();
                    if (System.Diagnostics.Stopwatch.GetElapsedTime(started) > TimeSpan.FromSeconds(20))
                        throw new TimeoutException("the loop never let its timer fire"); // this test's own end
                }
            }
            finally
            {
                late = System.Diagnostics.Stopwatch.GetElapsedTime(started);
            }
        }
    }

    /// <summary>A server that answers early and then resets, for it has not read the body, has answered (RFC 9112 section 9.6).</summary>
    [Fact]
    public async Task Answer_ThatCameBeforeAFailedWrite_IsRead()
    {
        using var pool = Pool(new Http1Options());
        var connection = await pool.RentAsync(_loops.Loops[0], isFresh: false, CancellationToken.None);
        var server = await _listener.AcceptSocketAsync();
        connection.Begin("POST", "", "/");
        connection.EndHead(10_000_000);
        Assert.True(await connection.FlushAsync().AsTask().WaitAsync(Patience));
        await server.SendAsync(
            Encoding.ASCII.GetBytes("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
        );
        server.Dispose(); // with the head unread: a reset
        var isTaken = true;
        for (var i = 0; i < 1000 && isTaken; i++)
        {
            connection.AddBody(new byte[10_000]);
            isTaken = await connection.FlushAsync().AsTask().WaitAsync(Patience);
        }

        Assert.False(isTaken);
        await ReadHeadAsync(connection);
        Assert.Equal(413, connection.Head.Status);
        var body = new byte[10];
        Assert.Equal(2, connection.TryReadBody(body));
        connection.Release();
        Assert.Equal(0, pool.Open);
    }

    /// <summary>A server that switches protocols without a request no longer speaks HTTP.</summary>
    [Fact]
    public async Task Connection_AfterSwitchingProtocols_IsNotKept()
    {
        var serving = ServeAsync("HTTP/1.1 101 Switching Protocols\r\n\r\n", 4096, staysOpen: true);
        using var pool = Pool(new Http1Options());
        var connection = await pool.RentAsync(_loops.Loops[0], isFresh: false, CancellationToken.None);
        connection.Begin("GET", "", "/");
        connection.EndHead();
        await connection.FlushAsync();
        await ReadHeadAsync(connection);
        connection.Release();
        Assert.Equal(0, pool.Open);
        (await serving).Dispose();
    }

    [Fact]
    public async Task Limit_ThatIsOver_EndsTheExchange()
    {
        var serving = ServeAsync("", 1, staysOpen: true);
        using var pool = Pool(new Http1Options());
        var connection = await pool.RentAsync(_loops.Loops[0], isFresh: false, CancellationToken.None);
        connection.Limit(TimeSpan.FromMilliseconds(100));
        Assert.Equal("TimedOut", await ExchangeAsync(connection));
        connection.Release();
        Assert.Equal(0, pool.Open);
        (await serving).Dispose();
    }

    [Fact]
    public async Task UnusedConnection_ThatTheServerEnds_LeavesThePool()
    {
        var serving = ServeAsync("HTTP/1.1 204 No Content\r\n\r\n", 4096, staysOpen: true);
        using var pool = Pool(new Http1Options());
        var connection = await pool.RentAsync(_loops.Loops[0], isFresh: false, CancellationToken.None);
        Assert.Equal("204 ", await ExchangeAsync(connection));
        connection.Release();
        Assert.Equal(1, pool.Open);
        (await serving).Dispose();
        await WaitForAsync(() => pool.Open == 0);
    }

    [Fact]
    public async Task Requests_BeyondTheMostConnections_WaitInTheirOrder()
    {
        var serving = ServeAsync("HTTP/1.1 204 No Content\r\n\r\n", 4096, staysOpen: true);
        using var pool = Pool(new Http1Options { MaxConnections = 1 });
        var loop = _loops.Loops[0];
        var connection = await pool.RentAsync(loop, isFresh: false, CancellationToken.None);
        using var gaveUp = new CancellationTokenSource();
        var canceled = pool.RentAsync(loop, isFresh: false, gaveUp.Token).AsTask();
        var second = pool.RentAsync(loop, isFresh: false, CancellationToken.None).AsTask();
        var third = pool.RentAsync(loop, isFresh: false, CancellationToken.None).AsTask();
        await gaveUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => canceled);
        Assert.Equal("204 ", await ExchangeAsync(connection));
        connection.Release();
        Assert.Same(connection, await second.WaitAsync(Patience));
        Assert.False(third.IsCompleted);
        (await serving).Dispose();
        serving = ServeAsync("", 1, staysOpen: true);
        connection.Abort(Http1Failure.Aborted);
        connection.Release(); // no good any more: the next one gets its place, and a new one
        Assert.NotSame(connection, await third.WaitAsync(Patience));
        Assert.Equal(1, pool.Open);
        (await serving).Dispose();
    }

    [Fact]
    public async Task Tunnel_BeginsWithWhatCameWithTheHead()
    {
        var serving = ServeAsync("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nfirst", 4096, staysOpen: false);
        using var pool = Pool(new Http1Options());
        var connection = await pool.RentAsync(_loops.Loops[0], isFresh: false, CancellationToken.None);
        connection.Begin("GET", "", "/");
        connection.EndHead();
        await connection.FlushAsync();
        await ReadHeadAsync(connection);
        Assert.Equal(101, connection.Head.Status);
        var buffer = new byte[16];
        var tunnel = connection.OpenTunnel();
        Assert.Equal("first", Encoding.ASCII.GetString(buffer, 0, await tunnel.ReadAtLeastAsync(buffer, 5)));
        Assert.Equal(0, await tunnel.ReadAsync(buffer));
        connection.Release();
        Assert.Equal(0, pool.Open);
        (await serving).Dispose();
    }

    [Fact]
    public async Task Field_WithALineBreak_IsNotSent()
    {
        var serving = ServeAsync("", 1, staysOpen: true);
        using var pool = Pool(new Http1Options());
        var connection = await pool.RentAsync(_loops.Loops[0], isFresh: false, CancellationToken.None);
        connection.Begin("GET", "", "/");
        Assert.Equal(Http1Failure.BadRequest, Assert.Throws<Http1Exception>(() => connection.AddField("X", "a\r\nHost: evil")).Failure);
        connection.Release();
        (await serving).Dispose();
    }

    private Http1Pool Pool(Http1Options options) => new(_loops, ConnectAsync, options);

    private async ValueTask<EstablishedConnection> ConnectAsync(EventLoop loop, CancellationToken cancellation)
    {
        var socket = await LoopStream.ConnectAsync(loop, _listener.LocalEndpoint, cancellation);
        return new EstablishedConnection(socket, socket);
    }

    /// <summary>Switches away from the loop's thread, on which the awaited operation resumes.</summary>
    private static async Task WaitForAsync(Func<bool> condition)
    {
        using var patience = new CancellationTokenSource(Patience);
        do await Task.Delay(5, patience.Token);
        while (!condition());
    }

    private static async Task ReadHeadAsync(Http1Connection connection)
    {
        while (!connection.TryReadHead())
            await connection.WaitAsync().AsTask().WaitAsync(Patience);
    }

    /// <summary>The result: statuses, body, trailers, failure.</summary>
    private static async Task<string> ExchangeAsync(Http1Connection connection)
    {
        var seen = new StringBuilder();
        var heads = 0;
        try
        {
            connection.Begin("GET", "/base", "/x?y=z");
            connection.AddField("Host", "t");
            connection.EndHead();
            await connection.FlushAsync().AsTask().WaitAsync(Patience);
            do
            {
                await ReadHeadAsync(connection);
                seen.Append(connection.Head.Status).Append(' ');
            } while (connection.Head.Status < 200);
            heads = seen.Length;
            var buffer = new byte[3];
            while (connection.TryReadBody(buffer) is not 0 and var count)
            {
                if (count < 0)
                    await connection.WaitAsync().AsTask().WaitAsync(Patience);
                else
                    seen.Append(Encoding.ASCII.GetString(buffer, 0, count));
            }

            foreach (var trailer in connection.Trailers)
                seen.Append(' ').Append(trailer.Name).Append('=').Append(trailer.Value);
        }
        catch (Http1Exception e)
        {
            if (e.Failure == Http1Failure.Malformed)
                seen.Length = heads; // how much of a wrong body comes before the mistake depends on its pieces
            seen.Append(seen.Length > 0 ? " " : "").Append(e.Failure);
        }

        return seen.ToString();
    }

    private async Task ServeForEverAsync(string head, string piece)
    {
        using var socket = await _listener.AcceptSocketAsync();
        await socket.ReceiveAsync(new byte[4096]);
        await socket.SendAsync(Encoding.ASCII.GetBytes(head));
        var pieces = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(piece, 100_000)));
        try
        {
            while (true)
                await socket.SendAsync(pieces);
        }
        catch (SocketException)
        {
            // Enough.
        }
    }

    /// <summary>Accepts one connection and one request, and sends the answer in pieces.</summary>
    private async Task<Socket> ServeAsync(string answer, int step, bool staysOpen)
    {
        var socket = await _listener.AcceptSocketAsync();
        socket.NoDelay = true;
        if (answer.Length == 0 && staysOpen)
            return socket;
        var buffer = new byte[4096];
        var request = "";
        while (!request.EndsWith("\r\n\r\n", StringComparison.Ordinal))
            request += Encoding.ASCII.GetString(buffer, 0, await socket.ReceiveAsync(buffer));
        var bytes = Encoding.Latin1.GetBytes(answer);
        try
        {
            for (var at = 0; at < bytes.Length; at += step)
                await socket.SendAsync(bytes.AsMemory(at, Math.Min(step, bytes.Length - at)));
            if (!staysOpen)
                socket.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            // The client has seen enough of it.
        }

        return socket;
    }
}
