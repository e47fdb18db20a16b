using System.Collections.Concurrent;
using System.Diagnostics;
using Lintel.Transport.Loop;

namespace Lintel.Transport.Tests.Loop;

public sealed class EventLoopTests
{
    /// <summary>Waits until the loop has completed a turn: earlier events and work are done.</summary>
    internal static async Task TurnAsync(EventLoop loop)
    {
        for (var i = 0; i < 2; i++)
        {
            var turned = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            Assert.True(loop.Post(new Work(turned.SetResult)));
            await turned.Task.WaitAsync(Wire.Patience);
        }
    }

    [Fact]
    public async Task Work_FromManyThreads_IsDoneOnceInItsOrderOnTheLoop()
    {
        const int Threads = 6;
        const int Each = 20_000;
        using var wire = new Wire();
        var last = new int[Threads];
        var wrong = 0;
        var posting = Enumerable
            .Range(0, Threads)
            .Select(t =>
                Task.Run(() =>
                {
                    for (var i = 1; i <= Each; i++)
                    {
                        var number = i;
                        Assert.True(
                            wire.Loop.Post(
                                new Work(() =>
                                {
                                    if (EventLoop.Current != wire.Loop || last[t]++ != number - 1)
                                        wrong++;
                                })
                            )
                        );
                    }
                })
            );
        await Task.WhenAll(posting).WaitAsync(Wire.Patience);
        await TurnAsync(wire.Loop);
        Assert.Equal(0, wrong);
        Assert.All(last, l => Assert.Equal(Each, l));
    }

    /// <summary>The loop goes to sleep while others post: no wake-up may be lost.</summary>
    [Fact]
    public async Task Work_ForALoopThatFallsAsleep_WakesIt()
    {
        using var wire = new Wire();
        for (var i = 0; i < 5000; i++)
            await TurnAsync(wire.Loop);
    }

    [Fact]
    public async Task Work_AfterTheEnd_IsRefused_AndBeforeItIsDone()
    {
        using var wire = new Wire();
        for (var round = 0; round < 50; round++)
        {
            var loops = new LoopGroup(1, wire);
            var (accepted, done) = (0, 0);
            var posting = Task.Run(() =>
            {
                while (loops.Loops[0].Post(new Work(() => done++)))
                    accepted++;
            });
            await Wire.UntilAsync(() => Volatile.Read(ref accepted) > 10);
            loops.Dispose();
            await posting.WaitAsync(Wire.Patience);
            Assert.Equal(accepted, done - (done > accepted ? 1 : 0)); // the refused one may have come in time
        }
    }

    [Fact]
    public async Task Work_ThatThrows_IsToldAndHarmsNobody()
    {
        using var wire = new Wire();
        wire.Loop.Post(new Work(() => throw new InvalidOperationException("on purpose")));
        await TurnAsync(wire.Loop);
        Assert.Contains("on purpose", Assert.Single(wire.Log), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Timer_ThatThrows_IsToldAndHarmsNobody()
    {
        using var wire = new Wire();
        var next = new Counter();
        wire.Loop.Start(new Faulty(), TimeSpan.FromMilliseconds(1));
        wire.Loop.Start(next, TimeSpan.FromMilliseconds(30));
        await next.Fired.Task.WaitAsync(Wire.Patience);
        Assert.Contains("on purpose", Assert.Single(wire.Log), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Timer_SetFromAnotherThread_WakesALoopThatSleepsLonger()
    {
        using var wire = new Wire();
        var late = new Counter();
        wire.Loop.Start(late, TimeSpan.FromMinutes(10));
        await TurnAsync(wire.Loop);
        var soon = new Counter();
        var clock = Stopwatch.StartNew();
        wire.Loop.Start(soon, TimeSpan.FromMilliseconds(30));
        await soon.Fired.Task.WaitAsync(Wire.Patience);
        Assert.True(clock.ElapsedMilliseconds >= 25, "it fires early"); // the loop's clock is coarse
        Assert.False(late.Fired.Task.IsCompleted);
        wire.Loop.Remove(late);
    }

    [Fact]
    public async Task Callback_ThatHoldsTheLoop_IsToldWithItsSubject()
    {
        using var wire = new Wire();
        var stalls = new ConcurrentQueue<LoopStall>();
        wire.Loops.Stalled += stalls.Enqueue;
        wire.Loop.Post(
            new Work(() =>
            {
                wire.Loop.Subject = "route r";
                var clock = Stopwatch.StartNew();
                while (clock.Elapsed < LoopGroup.StallThreshold)
                    Thread.SpinWait(100);
            })
        );
        await TurnAsync(wire.Loop);
        Assert.Contains(stalls, s => s is { Loop: 0, Subject: "route r", IsOver: true } && s.Held >= LoopGroup.StallThreshold);
    }

    [Fact]
    public async Task Work_ThatComesInHundreds_LetsSocketsHaveTheirTurn()
    {
        const int Pieces = 100;
        using var wire = new Wire();
        var (ours, peer) = await wire.ConnectAsync();
        var done = 0;
        var reading = DoneBeforeAsync();
        using var isPosted = new ManualResetEventSlim();
        wire.Loop.Post(new Work(isPosted.Wait)); // the loop begins when all are there
        for (var i = 0; i < Pieces; i++)
        {
            wire.Loop.Post(
                new Work(() =>
                {
                    var clock = Stopwatch.StartNew();
                    while (clock.ElapsedMilliseconds < 1)
                        Thread.SpinWait(100);
                    done++;
                })
            );
        }

        peer.Send([1]);
        isPosted.Set();
        Assert.InRange(await reading.WaitAsync(Wire.Patience), 0, 2);
        await Wire.UntilAsync(() => Volatile.Read(ref done) == Pieces);
        peer.Dispose();
        await ours.DisposeAsync();

        async Task<int> DoneBeforeAsync()
        {
            await ours.ReadAsync(new byte[1]).ConfigureAwait(false);
            return done; // on the loop's thread
        }
    }

    [Fact]
    public async Task Connections_AreHandedToTheLoopWithTheFewest()
    {
        using var wire = new Wire(loops: 3);
        var pairs = new List<(LoopConnection Ours, System.Net.Sockets.Socket Peer)>();
        for (var i = 0; i < 30; i++)
            pairs.Add(await wire.TakeAsync());
        Assert.All(wire.Loops.Loops, l => Assert.Equal(10, l.Connections));
        foreach (var (ours, peer) in pairs.Where(p => p.Ours.Loop.Index == 1))
        {
            Wire.Reset(peer);
            await ours.DisposeAsync();
        }

        await Wire.UntilAsync(() => wire.Loops.Loops[1].Connections == 0);
        for (var i = 0; i < 10; i++)
            pairs.Add(await wire.TakeAsync());
        Assert.All(wire.Loops.Loops, l => Assert.Equal(10, l.Connections));
        pairs.ForEach(p => p.Peer.Dispose());
    }

    private sealed class Faulty : LoopTimer
    {
        protected internal override void Fire() => throw new InvalidOperationException("on purpose");
    }

    private sealed class Counter : LoopTimer
    {
        public TaskCompletionSource Fired { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        protected internal override void Fire() => Fired.TrySetResult();
    }
}
