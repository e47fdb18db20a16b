using System.IO.Pipelines;
using System.Net.Sockets;
using Lintel.Transport.Loop;
using Microsoft.AspNetCore.Connections;

namespace Lintel.Transport.Tests.Loop;

/// <summary>Resets, aborts and cancellations, from other threads than the loop's.</summary>
public sealed class LoopConnectionAbortTests
{
    private const int Much = 16 * 1024 * 1024;

    [Fact]
    public async Task Reset_ByTheClient_EndsReaderAndWriter()
    {
        for (var round = 0; round < 50; round++)
        {
            using var wire = new Wire();
            var (ours, peer) = await wire.TakeAsync();
            await using var connection = ours;
            var watch = new ClientWatch();
            ours.Watch(watch);
            var reading = ours.Transport.Input.ReadAsync().AsTask();
            Wire.Write(ours.Transport.Output, new byte[Much]);
            var flushing = ours.Transport.Output.FlushAsync().AsTask();
            Wire.Reset(peer);
            Assert.True((await flushing.WaitAsync(Wire.Patience)).IsCompleted);
            await Assert.ThrowsAsync<ConnectionResetException>(() => reading.WaitAsync(Wire.Patience));
            await Wire.UntilAsync(() => watch.Notifications == 1);
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
        Wire.Write(ours.Transport.Output, new byte[Much]);
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

    /// <summary>The token cancels the wait as bytes complete it: exactly one of the two happens, and never to the next wait.</summary>
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

    /// <summary>A wait may complete before the call that begins it returns: its token must still be released.</summary>
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
            var read = await input
                .ReadAsync(over.Token)
                .AsTask()
                .WaitAsync(Wire.Patience, CancellationToken.None)
                .ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            input.AdvanceTo(read.Buffer.End);
        });
        var later = ReadAsync(ours.Transport.Input, CancellationToken.None);
        await over.CancelAsync();
        await EventLoopTests.TurnAsync(wire.Loop);
        peer.Send([2]);
        Assert.Equal(2, (await later).Buffer.FirstSpan[0]);
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
        return await input
            .ReadAsync(cancellation)
            .AsTask()
            .WaitAsync(Wire.Patience, CancellationToken.None)
            .ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
    }
}
