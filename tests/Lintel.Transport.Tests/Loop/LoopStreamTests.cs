using System.Net;
using System.Net.Sockets;
using Lintel.Transport.Loop;

namespace Lintel.Transport.Tests.Loop;

public sealed class LoopStreamTests
{
    private const int Much = 16 * 1024 * 1024;

    public static readonly TheoryData<Family> Families = new(Family.IPv4, Family.IPv6, Family.Unix);

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Bytes_BothWaysAtOnce_ArriveInTheirOrder(Family family)
    {
        using var wire = new Wire(family);
        var (ours, peer) = await wire.ConnectAsync();
        using var both = peer;
        await using var stream = ours;
        var bytes = Wire.Pattern(Much);
        var echoing = Task.Run(async () =>
        {
            var buffer = new byte[70_000];
            while (await peer.ReceiveAsync(buffer) is not 0 and var count)
            {
                for (var at = 0; at < count; at += await peer.SendAsync(buffer.AsMemory(at, count - at))) { }
            }

            peer.Shutdown(SocketShutdown.Send);
        });
        var sending = Task.Run(async () =>
        {
            for (var at = 0; at < Much; at += 1_000_003)
                await ours.WriteAsync(bytes.AsMemory(at, Math.Min(1_000_003, Much - at)));
            ours.EndSending();
        });
        Wire.AssertSame(bytes, await ReadToEndAsync(ours));
        await Task.WhenAll(echoing, sending).WaitAsync(Wire.Patience);
        Assert.Empty(wire.Log);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Write_ToOneWhoDoesNotRead_Waits(Family family)
    {
        using var wire = new Wire(family);
        var (ours, peer) = await wire.ConnectAsync();
        using var both = peer;
        await using var stream = ours;
        var bytes = Wire.Pattern(Much);
        var writing = ours.WriteAsync(bytes).AsTask();
        Assert.False(writing.IsCompleted);
        Wire.AssertSame(bytes, await Wire.ReceiveAsync(peer, Much));
        await writing.WaitAsync(Wire.Patience);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Sender_ToOneWhoDoesNotRead_IsStoppedByTheSystem(Family family)
    {
        using var wire = new Wire(family);
        var (ours, peer) = await wire.ConnectAsync();
        using var both = peer;
        await using var stream = ours;
        var bytes = Wire.Pattern(2 * Much);
        var sent = Wire.Fill(peer, bytes);
        Assert.InRange(sent, 1, bytes.Length - 1);
        peer.Shutdown(SocketShutdown.Send);
        Wire.AssertSame(bytes[..sent], await ReadToEndAsync(ours));
    }

    [Fact]
    public async Task Bytes_OneByOne_ArriveAll()
    {
        using var wire = new Wire();
        var (ours, peer) = await wire.ConnectAsync();
        using var both = peer;
        await using var stream = ours;
        peer.NoDelay = true;
        var bytes = Wire.Pattern(5000);
        var sending = Task.Run(() =>
        {
            foreach (var b in bytes)
                peer.Send([b]);
            peer.Shutdown(SocketShutdown.Send);
        });
        Assert.Equal(bytes, await ReadToEndAsync(ours));
        await sending;
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task HalfClose_EitherWay_LeavesTheOtherDirection(Family family)
    {
        using var wire = new Wire(family);
        var (ours, peer) = await wire.ConnectAsync();
        using var both = peer;
        await using var stream = ours;
        peer.Shutdown(SocketShutdown.Send);
        Assert.Equal(0, await ours.ReadAsync(new byte[1]).AsTask().WaitAsync(Wire.Patience));
        Assert.Equal(0, await ours.ReadAsync(new byte[1]).AsTask().WaitAsync(Wire.Patience));
        Assert.True(ours.HasBecomeReadable);
        await ours.WriteAsync(new byte[] { 1, 2, 3 });
        Assert.Equal([1, 2, 3], await Wire.ReceiveAsync(peer, 3));

        var (second, other) = await wire.ConnectAsync();
        using var alsoBoth = other;
        await using var alsoStream = second;
        second.EndSending();
        Assert.Empty(await Wire.ReceiveAsync(other, 1));
        await other.SendAsync(new byte[] { 7 });
        var buffer = new byte[2];
        Assert.Equal(1, await second.ReadAsync(buffer).AsTask().WaitAsync(Wire.Patience));
        Assert.Equal(7, buffer[0]);
    }

    [Fact]
    public async Task Reset_ByThePeer_EndsReaderAndWriter()
    {
        using var wire = new Wire();
        var (ours, peer) = await wire.ConnectAsync();
        await using var stream = ours;
        var reading = ours.ReadAsync(new byte[1]).AsTask();
        var writing = ours.WriteAsync(new byte[Much]).AsTask();
        Wire.Reset(peer);
        await Assert.ThrowsAsync<IOException>(() => reading.WaitAsync(Wire.Patience));
        await Assert.ThrowsAsync<IOException>(() => writing.WaitAsync(Wire.Patience));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Abort_FromAnotherThread_EndsReaderAndWriterWithTheReason(Family family)
    {
        using var wire = new Wire(family);
        var (ours, peer) = await wire.ConnectAsync();
        using var both = peer;
        await using var stream = ours;
        var reading = ours.ReadAsync(new byte[1]).AsTask();
        var writing = ours.WriteAsync(new byte[Much]).AsTask();
        var reason = new TimeoutException("over");
        await Task.Run(() => ours.Abort(reason));
        Assert.Same(reason, (await Assert.ThrowsAsync<IOException>(() => reading.WaitAsync(Wire.Patience))).InnerException);
        Assert.Same(reason, (await Assert.ThrowsAsync<IOException>(() => writing.WaitAsync(Wire.Patience))).InnerException);
        Assert.Same(reason, (await Assert.ThrowsAsync<IOException>(() => ours.ReadAsync(new byte[1]).AsTask())).InnerException);
    }

    [Fact]
    public async Task Dispose_WhileOthersWait_EndsTheirWaits()
    {
        using var wire = new Wire();
        var (ours, peer) = await wire.ConnectAsync();
        using var both = peer;
        var reading = ours.ReadAsync(new byte[1]).AsTask();
        var writing = ours.WriteAsync(new byte[Much]).AsTask();
        await Task.Run(ours.Dispose);
        await Assert.ThrowsAsync<IOException>(() => reading.WaitAsync(Wire.Patience));
        await Assert.ThrowsAsync<IOException>(() => writing.WaitAsync(Wire.Patience));
        await wire.UntilUnusedAsync();
        Assert.Empty(wire.Log);
    }

    [Fact]
    public async Task LoopsThatStop_EndTheWaitsOnThem()
    {
        using var wire = new Wire();
        var (ours, peer) = await wire.ConnectAsync();
        using var both = peer;
        await using var stream = ours;
        var reading = ours.ReadAsync(new byte[1]).AsTask();
        wire.Loops.Dispose();
        await Assert.ThrowsAsync<IOException>(() => reading.WaitAsync(Wire.Patience));
        await Assert.ThrowsAsync<ObjectDisposedException>(() =>
            LoopStream.ConnectAsync(wire.Loop, wire.Address, CancellationToken.None).AsTask()
        );
    }

    [Fact]
    public async Task Token_CanceledWhileWaiting_CutsOff_AndAfterwardsHarmsNobody()
    {
        using var wire = new Wire();
        using var over = new CancellationTokenSource();
        var ours = await LoopStream.ConnectAsync(wire.Loop, wire.Address, over.Token);
        using var peer = await wire.AcceptAsync();
        await using var stream = ours;
        var buffer = new byte[1];
        await Wire.ReadManyAsync(peer, async () =>
            Assert.Equal(
                1,
                await ours.ReadAsync(buffer, over.Token)
                    .AsTask()
                    .WaitAsync(Wire.Patience, CancellationToken.None)
                    .ConfigureAwait(ConfigureAwaitOptions.ForceYielding)
            )
        );
        await over.CancelAsync();
        var waiting = ours.ReadAsync(buffer).AsTask();
        peer.Send([2]);
        Assert.Equal(1, await waiting.WaitAsync(Wire.Patience));

        using var soon = new CancellationTokenSource();
        var canceled = ours.ReadAsync(buffer, soon.Token).AsTask();
        await soon.CancelAsync();
        Assert.IsType<OperationCanceledException>(
            (await Assert.ThrowsAsync<IOException>(() => canceled.WaitAsync(Wire.Patience))).InnerException
        );
    }

    [Fact]
    public async Task Connect_ToNobody_IsRefused()
    {
        using var wire = new Wire();
        using var silent = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        silent.Bind(new IPEndPoint(IPAddress.Loopback, 0)); // a port that is taken, and not listened on
        var refused = await Assert.ThrowsAsync<SocketException>(() =>
            LoopStream.ConnectAsync(wire.Loop, silent.LocalEndPoint!, CancellationToken.None).AsTask()
        );
        Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);
        var missing = await Assert.ThrowsAsync<SocketException>(() =>
            LoopStream.ConnectAsync(wire.Loop, new UnixDomainSocketEndPoint("/nowhere/s.sock"), CancellationToken.None).AsTask()
        );
        Assert.Equal(SocketError.ConnectionRefused, missing.SocketErrorCode);
        Assert.Equal(0, wire.Loop.Connections);
    }

    [Fact]
    public async Task Connect_ThatIsCanceled_EndsAndClosesTheSocket()
    {
        using var wire = new Wire(backlog: 0);
        var queued = new List<LoopStream>();
        using var over = new CancellationTokenSource();

        // A listener whose queue is full answers nothing: the connection that finds it so stays under way.
        Task<LoopStream> connecting;
        while (true)
        {
            connecting = LoopStream.ConnectAsync(wire.Loop, wire.Address, over.Token).AsTask();
            if (await Task.WhenAny(connecting, Task.Delay(200)) != connecting)
                break;
            queued.Add(await connecting);
        }

        await over.CancelAsync();
        await Assert.ThrowsAnyAsync<IOException>(() => connecting.WaitAsync(Wire.Patience));
        queued.ForEach(q => q.Dispose());
        await wire.UntilUnusedAsync();
    }

    [Fact]
    public async Task Connect_ToAUnixSocketWhoseQueueIsFull_FailsAtOnce()
    {
        using var wire = new Wire(Family.Unix, backlog: 0);
        using var first = await LoopStream.ConnectAsync(wire.Loop, wire.Address, CancellationToken.None);
        var full = await Assert.ThrowsAsync<SocketException>(() =>
            LoopStream.ConnectAsync(wire.Loop, wire.Address, CancellationToken.None).AsTask()
        );
        Assert.Equal(SocketError.WouldBlock, full.SocketErrorCode);
    }

    [Fact]
    public async Task Connections_OpenedAndReset_LeaveNothingBehind()
    {
        using var wire = new Wire();
        for (var round = 0; round < 40; round++)
        {
            var pairs = new List<(LoopStream Ours, Socket Peer)>();
            for (var i = 0; i < 50; i++)
                pairs.Add(await wire.ConnectAsync());
            var reads = pairs.ConvertAll(p => p.Ours.ReadAsync(new byte[1]).AsTask());
            pairs.ForEach(p => Wire.Reset(p.Peer));
            foreach (var read in reads)
                await Assert.ThrowsAsync<IOException>(() => read.WaitAsync(Wire.Patience));
            pairs.ForEach(p => p.Ours.Dispose());
        }

        await wire.UntilUnusedAsync();
        Assert.Empty(wire.Log);
    }

    /// <summary>
    /// Two events of one batch: the first one's code closes the second one's socket and opens another, which gets the same descriptor.
    /// </summary>
    [Fact]
    public async Task Event_OfAClosedSocket_DoesNotReachTheNextWithItsDescriptor()
    {
        using var wire = new Wire(Family.Unix);
        for (var i = 0; i < 50; i++)
        {
            var (first, firstPeer) = await wire.ConnectAsync();
            var (second, secondPeer) = await wire.ConnectAsync();
            var opened = new TaskCompletionSource<LoopStream>(TaskCreationOptions.RunContinuationsAsynchronously);
            using var events = new ManualResetEventSlim();
            _ = wire.Loop.Post(new Work(() => Assert.True(events.Wait(Wire.Patience))));
            _ = ExchangeAsync();
            firstPeer.Send([1]);
            secondPeer.Dispose();
            events.Set();
            var next = await opened.Task.WaitAsync(Wire.Patience);
            await EventLoopTests.TurnAsync(wire.Loop);
            Assert.False(next.HasBecomeReadable); // it would be told of the other's end
            next.Dispose();
            first.Dispose();
            firstPeer.Dispose();
            (await wire.AcceptAsync()).Dispose();

            async Task ExchangeAsync()
            {
                _ = await first.ReadAsync(new byte[1]).ConfigureAwait(false);
                second.Dispose();
                opened.SetResult(await LoopStream.ConnectAsync(wire.Loop, wire.Address, CancellationToken.None).ConfigureAwait(false));
            }
        }

        Assert.DoesNotContain(wire.Log, l => l.Contains("Assert", StringComparison.Ordinal));
    }

    private static async Task<byte[]> ReadToEndAsync(LoopStream stream)
    {
        var all = new MemoryStream();
        var buffer = new byte[50_000];
        while (await stream.ReadAsync(buffer).AsTask().WaitAsync(Wire.Patience) is not 0 and var count)
            all.Write(buffer, 0, count);
        return all.ToArray();
    }
}
