using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using Lintel.Transport.Loop;
using Microsoft.AspNetCore.Connections;

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
        Write(ours.Transport.Output, bytes);
        var flushing = ours.Transport.Output.FlushAsync().AsTask();
        Assert.False(flushing.IsCompleted);
        Wire.AssertSame(bytes, await Wire.ReceiveAsync(peer, Much));
        Assert.False((await flushing.WaitAsync(Wire.Patience)).IsCompleted);
        Assert.Equal(0, ours.Transport.Output.UnflushedBytes);
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

    [Theory]
    [MemberData(nameof(Families))]
    public async Task EndOfTheClient_IsTheEndOfTheConnection_AndIsToldOnce(Family family)
    {
        using var wire = new Wire(family);
        var (ours, peer) = await wire.TakeAsync();
        using var both = peer;
        await using var connection = ours;
        var told = 0;
        ours.OnGone(_ => told++, null);
        var closed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        ours.ConnectionClosed.Register(closed.SetResult);
        peer.Shutdown(SocketShutdown.Send);
        await closed.Task.WaitAsync(Wire.Patience);
        Assert.Empty(await ReadToEndAsync(ours.Transport.Input));
        Assert.Equal(1, told);
        ours.OnGone(_ => told += 10, null); // the next request's: at once
        Assert.Equal(11, told);
        Write(ours.Transport.Output, [1, 2, 3]);
        await ours.Transport.Output.FlushAsync();
        Assert.Equal([1, 2, 3], await Wire.ReceiveAsync(peer, 3));
    }

    [Fact]
    public async Task Reset_ByTheClient_EndsReaderAndWriter()
    {
        for (var round = 0; round < 50; round++)
        {
            using var wire = new Wire();
            var (ours, peer) = await wire.TakeAsync();
            await using var connection = ours;
            var gone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            ours.OnGone(_ => gone.SetResult(), null);
            var reading = ours.Transport.Input.ReadAsync().AsTask();
            Write(ours.Transport.Output, new byte[Much]);
            var flushing = ours.Transport.Output.FlushAsync().AsTask();
            Wire.Reset(peer);
            Assert.True((await flushing.WaitAsync(Wire.Patience)).IsCompleted);
            await Assert.ThrowsAsync<ConnectionResetException>(() => reading.WaitAsync(Wire.Patience));
            await gone.Task.WaitAsync(Wire.Patience);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Abort_FromAnotherThread_EndsReaderAndWriter_AndThePeerSeesAReset(bool isTunnel)
    {
        using var wire = new Wire();
        var (ours, peer) = await wire.TakeAsync();
        using var both = peer;
        if (isTunnel)
            ours.OpenTunnel();
        var reading = ours.Transport.Input.ReadAsync().AsTask();
        Write(ours.Transport.Output, new byte[Much]);
        var flushing = ours.Transport.Output.FlushAsync().AsTask();
        var reason = new ConnectionAbortedException("over");
        await Task.Run(() => ours.Abort(reason));
        Assert.Same(reason, await Assert.ThrowsAsync<ConnectionAbortedException>(() => reading.WaitAsync(Wire.Patience)));
        Assert.True((await flushing.WaitAsync(Wire.Patience)).IsCompleted);
        ours.Transport.Input.CancelPendingRead(); // Kestrel's, beside the end: its work finds the socket closed
        await ours.DisposeAsync();
        await wire.UntilUnusedAsync();
        if (isTunnel)
            Assert.True((await Wire.ReceiveAsync(peer, Much)).Length < Much);
        else
            await Assert.ThrowsAsync<SocketException>(() => Wire.ReceiveAsync(peer, Much));
        await EventLoopTests.TurnAsync(wire.Loop);
        Assert.Empty(wire.Log);
    }

    [Fact]
    public async Task Dispose_OfAnAbortedConnection_BesideAPostedWake_IsQuiet()
    {
        using var wire = new Wire();
        for (var round = 0; round < 200; round++)
        {
            var (ours, peer) = await wire.TakeAsync();
            using var both = peer;
            ours.Abort(new ConnectionAbortedException("over"));
            for (var i = 0; i < 3; i++)
                ours.Transport.Input.CancelPendingRead();
            await ours.DisposeAsync();
        }

        await EventLoopTests.TurnAsync(wire.Loop);
        Assert.Empty(wire.Log);
        Assert.Equal(0, wire.Loop.Connections);
    }

    [Fact]
    public async Task Read_CanceledFromAnotherThread_EndsAndTheNextOneReads()
    {
        using var wire = new Wire();
        var (ours, peer) = await wire.TakeAsync();
        using var both = peer;
        await using var connection = ours;
        for (var round = 0; round < 2000; round++)
        {
            var reading = ours.Transport.Input.ReadAsync().AsTask();
            ours.Transport.Input.CancelPendingRead();
            var canceled = await reading.WaitAsync(Wire.Patience);
            Assert.True(canceled.IsCanceled);
            ours.Transport.Input.AdvanceTo(canceled.Buffer.End);
            peer.Send([1]);
            var read = await ours.Transport.Input.ReadAsync().AsTask().WaitAsync(Wire.Patience);
            Assert.Equal((false, 1L), (read.IsCanceled, read.Buffer.Length));
            ours.Transport.Input.AdvanceTo(read.Buffer.End);
        }
    }

    /// <summary>The token ends the wait beside the bytes that end it: one of the two, and never the next wait.</summary>
    [Fact]
    public async Task Read_WithATokenThatEndsBesideIt_HarmsNoLaterRead()
    {
        using var wire = new Wire();
        var (ours, peer) = await wire.TakeAsync();
        using var both = peer;
        await using var connection = ours;
        var input = ours.Transport.Input;
        var ready = 0;
        CancellationTokenSource? over = null;
        const int Rounds = 3000;
        var ending = Task.Run(() =>
        {
            for (var round = 1; round <= Rounds; round++)
            {
                SpinWait.SpinUntil(() => Volatile.Read(ref ready) >= round);
                peer.Send([1]);
                over!.Cancel();
            }
        });
        for (var round = 1; round <= Rounds; round++)
        {
            over = new CancellationTokenSource();
            Volatile.Write(ref ready, round);
            try
            {
                var read = await ReadAsync(input, over.Token);
                input.AdvanceTo(read.Buffer.End);
                continue;
            }
            catch (OperationCanceledException e)
            {
                Assert.Equal(over.Token, e.CancellationToken);
            }

            var later = await ReadAsync(input, CancellationToken.None); // the byte is still there
            Assert.Equal(1, later.Buffer.Length);
            input.AdvanceTo(later.Buffer.End);
        }

        await ending;
    }

    /// <summary>A wait may end before the call that begins it returns: its token must be let go all the same.</summary>
    [Fact]
    public async Task Token_OfReadsThatAreOver_HarmsNoLaterRead()
    {
        using var wire = new Wire();
        var (ours, peer) = await wire.TakeAsync();
        using var both = peer;
        await using var connection = ours;
        using var over = new CancellationTokenSource();
        var input = ours.Transport.Input;
        await Wire.ReadManyAsync(peer, async () =>
        {
            var read = await input.ReadAsync(over.Token).AsTask().WaitAsync(Wire.Patience, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            input.AdvanceTo(read.Buffer.End);
        });
        var later = ReadAsync(ours.Transport.Input, CancellationToken.None);
        await over.CancelAsync();
        await EventLoopTests.TurnAsync(wire.Loop);
        peer.Send([2]);
        Assert.Equal(2, (await later).Buffer.FirstSpan[0]);
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
        Write(ours.Transport.Output, answer); // not flushed: closing does that
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

    [Fact]
    public async Task Connections_OpenedAndResetOrAborted_LeaveNothingBehind()
    {
        using var wire = new Wire(loops: 2);
        for (var round = 0; round < 40; round++)
        {
            var pairs = new List<(LoopConnection Ours, Socket Peer)>();
            for (var i = 0; i < 50; i++)
                pairs.Add(await wire.TakeAsync());
            var reads = pairs.ConvertAll(p => p.Ours.Transport.Input.ReadAsync().AsTask());
            for (var i = 0; i < pairs.Count; i++)
            {
                if (i % 2 == 0)
                    Wire.Reset(pairs[i].Peer);
                else
                    pairs[i].Ours.Abort(new ConnectionAbortedException());
            }

            foreach (var read in reads)
                await Assert.ThrowsAnyAsync<IOException>(() => Unwrapped(read.WaitAsync(Wire.Patience)));
            foreach (var (ours, peer) in pairs)
            {
                await ours.DisposeAsync();
                peer.Dispose();
            }
        }

        await wire.UntilUnusedAsync();
        Assert.Empty(wire.Log);
    }

    /// <summary>An aborted one's is no IOException.</summary>
    private static async Task Unwrapped(Task<ReadResult> reading)
    {
        try
        {
            await reading;
        }
        catch (ConnectionAbortedException e)
        {
            throw new IOException(e.Message, e);
        }
    }

    private static async Task<ReadResult> ReadAsync(PipeReader input, CancellationToken cancellation)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        return await input.ReadAsync(cancellation).AsTask().WaitAsync(Wire.Patience, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
    }

    private static void Write(PipeWriter output, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var room = output.GetSpan(1);
            var count = Math.Min(room.Length, bytes.Length);
            bytes[..count].CopyTo(room);
            output.Advance(count);
            bytes = bytes[count..];
        }
    }

    private static async Task EchoAsync(LoopConnection connection)
    {
        while (true)
        {
            var read = await connection.Transport.Input.ReadAsync().ConfigureAwait(false);
            foreach (var piece in read.Buffer)
                Write(connection.Transport.Output, piece.Span);
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
