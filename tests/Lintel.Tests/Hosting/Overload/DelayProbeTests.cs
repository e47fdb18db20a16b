using Lintel.Hosting.Overload;
using Lintel.Transport.Loop;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Hosting.Overload;

public sealed class DelayProbeTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly Queue<ILoopWork> _posted = [];
    private readonly DelayProbe _probe;

    public DelayProbeTests() => _probe = new DelayProbe(_time, _posted.Enqueue);

    [Fact]
    public void Delay_OfAStandingQueue_IsTheShortestOfTheLastWaits()
    {
        double[] waits = [70, 60, 90, 80, 65];
        foreach (var wait in waits)
            Assert.Equal(0, Measure(wait));
        Assert.Equal(60, _probe.Measure());
    }

    [Fact]
    public void Delay_OfASingleStall_IsNone()
    {
        foreach (var wait in (double[])[1, 1, 99, 1, 1, 1, 1])
            Assert.True(Measure(wait) <= 1);
    }

    [Fact]
    public void Probe_ThatDoesNotReturn_CountsWithItsAgeAndIsAlone()
    {
        _probe.Measure();
        var measured = new List<double>();
        for (var i = 0; i < 7; i++)
        {
            _time.Advance(OverloadWatch.Interval);
            measured.Add(_probe.Measure());
        }

        Assert.Equal([0, 0, 0, 0, 100, 200, 300], measured);
        Assert.Single(_posted);
        _posted.Dequeue().Run();
        _probe.Measure();
        Assert.Single(_posted); // the next one
    }

    [Fact]
    public async Task Probe_OfABusyLoop_WaitsForItsTurn()
    {
        Assert.SkipUnless(LoopGroup.IsSupported, "no epoll");
        using var loops = new LoopGroup(1, Microsoft.Extensions.Logging.Abstractions.NullLogger<LoopGroup>.Instance);
        using var gate = new ManualResetEventSlim();
        var order = new System.Collections.Concurrent.ConcurrentQueue<string>();
        var done = new TaskCompletionSource();
        loops.Loops[0].Post(new Work(gate.Wait));
        loops
            .Loops[0]
            .Probe(
                new Work(() =>
                {
                    order.Enqueue("probe");
                    done.SetResult();
                })
            );
        loops.Loops[0].Post(new Work(() => order.Enqueue("posted")));
        gate.Set();
        await done.Task.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
        Assert.Equal(["posted", "probe"], order);
    }

    /// <summary>A round: the last probe returns after this time, and the next is posted at the next interval.</summary>
    private double Measure(double wait)
    {
        var measured = _probe.Measure();
        _time.Advance(TimeSpan.FromMilliseconds(wait));
        _posted.Dequeue().Run();
        _time.Advance(OverloadWatch.Interval - TimeSpan.FromMilliseconds(wait));
        return measured;
    }

    private sealed class Work(Action run) : ILoopWork
    {
        public void Run() => run();
    }
}
