using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using Lintel.Transport.Loop;
using Lintel.Transport.Memory;

namespace Lintel.Transport.Tests.Loop;

public sealed class LoopConnectionTests
{
    private const int Much = 16 * 1024 * 1024;

    public static readonly TheoryData<Family> Families = LoopStreamTests.Families;

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Bytes_BothWaysAtOnce_ArriveInTheirOrder(Family family)
    {
        using var wire = new Wire(family);
        var (ours, peer) = await wire.TakeAsync();
        using var both = peer;
        await using var connection = ours;
        var bytes = Wire.Pattern(Much);
        var echoing = EchoAsync(ours);
        var sending = Task.Run(() => peer.Send(bytes));
        Wire.AssertSame(bytes, await Wire.ReceiveAsync(peer, Much));
        await sending;
        peer.Shutdown(SocketShutdown.Send);
        await echoing.WaitAsync(Wire.Patience);
        Assert.Empty(wire.Log);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Flush_ToOneWhoDoesNotRead_Waits(Family family)
    {
        using var wire = new Wire(family);
        var (ours, peer) = await wire.TakeAsync();
        using var both = peer;
        await using var connection = ours;
        var bytes = Wire.Pattern(Much);
        Wire.Write(ours.Transport.Output, bytes);
        var flushing = ours.Transport.Output.FlushAsync().AsTask();
        Assert.False(flushing.IsCompleted);
        Wire.AssertSame(bytes, await Wire.ReceiveAsync(peer, Much));
        Assert.False((await flushing.WaitAsync(Wire.Patience)).IsCompleted);
        Assert.Equal(0, ours.Transport.Output.UnflushedBytes);
    }

    [Fact]
    public async Task Output_ThatNobodyReads_IsTakenFromTheBudget_AndGivenBack()
    {
        using var wire = new Wire();
        var (ours, peer) = await wire.TakeAsync();
        using var both = peer;
        await using var connection = ours;
        Wire.Write(ours.Transport.Output, Wire.Pattern(Much));
        var flushing = ours.Transport.Output.FlushAsync().AsTask();
        Assert.InRange(wire.Memory.UsedBy(BufferUse.Output), Much / 4, 2L * Much);
        await Wire.ReceiveAsync(peer, Much);
        await flushing.WaitAsync(Wire.Patience);
        Assert.Equal(0, wire.Memory.Used);
    }

    [Fact]
    public async Task Output_ThatNobodyReads_BeyondTheBudget_EndsTheConnectionWithAReset()
    {
        using var wire = new Wire();
        var (ours, peer) = await wire.TakeAsync();
        using var both = peer;
        wire.Memory.Limit = 100_000;
        Wire.Write(ours.Transport.Output, Wire.Pattern(Much));
        Assert.True((await ours.Transport.Output.FlushAsync().AsTask().WaitAsync(Wire.Patience)).IsCompleted);
        Assert.Equal((0, 1), (wire.Memory.Used, wire.Memory.RefusedBy(BufferUse.Output)));
        var reading = await Assert.ThrowsAsync<UnreadOutputException>(() => ReadToEndAsync(ours.Transport.Input));
        Assert.Same(reading, ours.AbortReason);
        Assert.Contains("limits.memory", reading.Message, StringComparison.Ordinal);
        await ours.DisposeAsync();
        await Assert.ThrowsAsync<SocketException>(() => Wire.ReceiveAsync(peer, Much)); // never an end that looks like one
        await wire.UntilUnusedAsync();
    }

    /// <summary>Output of one block needs no budget: a gateway without memory can still send the refusal.</summary>
    [Fact]
    public async Task Output_OfOneBlock_NeedsNothingOfTheBudget()
    {
        using var wire = new Wire();
        var (ours, peer) = await wire.TakeAsync();
        using var both = peer;
        await using var connection = ours;
        wire.Memory.Limit = 0;
        Wire.Write(ours.Transport.Output, Wire.Pattern(4096));
        Assert.False((await ours.Transport.Output.FlushAsync().AsTask().WaitAsync(Wire.Patience)).IsCompleted);
        Wire.AssertSame(Wire.Pattern(4096), await Wire.ReceiveAsync(peer, 4096));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Sender_ToOneWhoDoesNotRead_IsStoppedByTheSystem_AndAllArrivesLater(Family family)
    {
        using var wire = new Wire(family);
        var (ours, peer) = await wire.TakeAsync();
        using var both = peer;
        await using var connection = ours;
        var bytes = Wire.Pattern(2 * Much);
        var sent = Wire.Fill(peer, bytes);
        Assert.InRange(sent, 1, bytes.Length - 1);
        peer.Shutdown(SocketShutdown.Send);
        Wire.AssertSame(bytes[..sent], await ReadToEndAsync(ours.Transport.Input));
    }

    [Fact]
    public async Task Bytes_OneByOne_AndExaminedBeforeTheyAreConsumed_ArriveAll()
    {
        using var wire = new Wire();
        var (ours, peer) = await wire.TakeAsync();
        using var both = peer;
        await using var connection = ours;
        peer.NoDelay = true;
        var bytes = Wire.Pattern(9000); // more than two blocks
        var sending = Task.Run(() =>
        {
            foreach (var b in bytes)
                peer.Send([b]);
            peer.Shutdown(SocketShutdown.Send);
        });
        var seen = 0L;
        while (true)
        {
            var read = await ours.Transport.Input.ReadAsync().AsTask().WaitAsync(Wire.Patience);
            Assert.True(read.Buffer.Length > seen || read.IsCompleted);
            seen = read.Buffer.Length;
            if (read.IsCompleted)
                Wire.AssertSame(bytes, read.Buffer.ToArray());
            ours.Transport.Input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            if (read.IsCompleted)
                break;
        }

        await sending;
    }

    /// <summary>A client that sends a request and closes its sending side expects the answer.</summary>
    [Theory]
    [MemberData(nameof(Families))]
    public async Task EndOfSending_ByTheClient_IsTheReadersEnd_AndNoAbort(Family family)
    {
        using var wire = new Wire(family);
        var (ours, peer) = await wire.TakeAsync();
        using var both = peer;
        var watch = new ClientWatch();
        ours.Watch(watch);
        peer.Shutdown(SocketShutdown.Send);
        Assert.Empty(await ReadToEndAsync(ours.Transport.Input));
        await EventLoopTests.TurnAsync(wire.Loop);
        Assert.Equal((0, false), (watch.Notifications, ours.ConnectionClosed.IsCancellationRequested));
        Wire.Write(ours.Transport.Output, [1, 2, 3]);
        Assert.False((await ours.Transport.Output.FlushAsync()).IsCompleted);
        await ours.DisposeAsync();
        Assert.Equal([1, 2, 3], await Wire.ReceiveAsync(peer, 4)); // and its end, no reset
        await wire.UntilUnusedAsync();
    }

    /// <summary>
    /// A client that ended its side with more requests under way than were answered still gets the answers that were given.
    /// </summary>
    [Fact]
    public async Task Dispose_WithUnreadBytesOfAClientThatEndedItsSide_LosesNoAnswer()
    {
        using var wire = new Wire();
        var (ours, peer) = await wire.TakeAsync();
        using var both = peer;
        peer.Send(new byte[1000]);
        peer.Shutdown(SocketShutdown.Send);
        Assert.True((await ours.Transport.Input.ReadAsync()).Buffer.Length > 0);
        peer = both;
        Wire.Write(ours.Transport.Output, new byte[100_000]);
        await ours.Transport.Output.FlushAsync();
        await ours.DisposeAsync();
        Assert.Equal(100_000, (await Wire.ReceiveAsync(peer, 200_000)).Length);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Reset_AfterTheEndOfSending_IsToldOnce_AlsoToWhoWatchesLater(bool isEndedFirst)
    {
        using var wire = new Wire();
        var (ours, peer) = await wire.TakeAsync();
        await using var connection = ours;
        var watch = new ClientWatch();
        ours.Watch(watch);
        if (isEndedFirst)
            peer.Shutdown(SocketShutdown.Send);
        Wire.Reset(peer);
        await Wire.UntilAsync(() => watch.Notifications > 0 && ours.ConnectionClosed.IsCancellationRequested);
        var next = new ClientWatch();
        ours.Watch(next); // the next request's: at once
        Assert.Equal((1, 1), (watch.Notifications, next.Notifications));
    }

    /// <summary>Requests that end as their client disconnects: no watcher is notified twice, or for another request.</summary>
    [Fact]
    public async Task Watches_ThatChangeWhileTheClientLeaves_AreToldOneEach()
    {
        for (var round = 0; round < 300; round++)
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            using var wire = new Wire();
            var (ours, peer) = await wire.TakeAsync();
            await using var connection = ours;
            var watches = Enumerable.Range(0, 200).Select(_ => new ClientWatch()).ToArray();
            var changing = Task.Run(() =>
            {
                foreach (var watch in watches)
                {
                    ours.Watch(watch);
                    ours.Watch(null);
                }
            });
            Wire.Reset(peer);
            await changing;
            Assert.All(watches, w => Assert.InRange(w.Notifications, 0, 1));
        }
    }

    /// <summary>A client that still sends when it is answered and closed would lose the answer to a reset.</summary>
    [Theory]
    [MemberData(nameof(Families))]
    public async Task Dispose_WhileTheClientSends_LosesNoneOfTheAnswer(Family family)
    {
        using var wire = new Wire(family);
        var (ours, peer) = await wire.TakeAsync();
        using var both = peer;
        var answer = Wire.Pattern(300_000);
        peer.Send(new byte[100_000]);
        Wire.Write(ours.Transport.Output, answer); // not flushed: closing does that
        var closing = Task.Run(() => ours.DisposeAsync().AsTask());
        peer.Send(new byte[100_000]);
        Wire.AssertSame(answer, await Wire.ReceiveAsync(peer, answer.Length));
        Assert.Empty(await Wire.ReceiveAsync(peer, 1));
        await closing.WaitAsync(Wire.Patience);
        Assert.Equal(1, wire.Loop.Connections); // it is seen out
        peer.Dispose();
        await wire.UntilUnusedAsync();
    }

    [Fact]
    public async Task Dispose_BesideAClientThatSendsForEver_Closes()
    {
        using var wire = new Wire();
        var (ours, peer) = await wire.TakeAsync();
        using var both = peer;
        await ours.DisposeAsync();
        var bytes = new byte[100_000];
        peer.SendTimeout = (int)Wire.Patience.TotalMilliseconds;
        Assert.Throws<SocketException>(() =>
        {
            for (var i = 0; i < 10_000; i++)
                peer.Send(bytes);
        });
        await wire.UntilUnusedAsync();
    }

    [Fact]
    public async Task Dispose_BesideAClientThatIsSilent_ClosesAfterATime()
    {
        using var wire = new Wire();
        var (ours, peer) = await wire.TakeAsync();
        using var both = peer;
        await ours.DisposeAsync();
        Assert.Equal(1, wire.Loop.Connections);
        await wire.UntilUnusedAsync();
    }

    private static async Task EchoAsync(LoopConnection connection)
    {
        while (true)
        {
            var read = await connection.Transport.Input.ReadAsync().ConfigureAwait(false);
            foreach (var piece in read.Buffer)
                Wire.Write(connection.Transport.Output, piece.Span);
            connection.Transport.Input.AdvanceTo(read.Buffer.End);
            await connection.Transport.Output.FlushAsync().ConfigureAwait(false);
            if (read.IsCompleted)
                return;
        }
    }

    private static async Task<byte[]> ReadToEndAsync(PipeReader input)
    {
        var all = new MemoryStream();
        while (true)
        {
            var read = await input.ReadAsync().AsTask().WaitAsync(Wire.Patience);
            foreach (var piece in read.Buffer)
                all.Write(piece.Span);
            input.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
                return all.ToArray();
        }
    }
}
