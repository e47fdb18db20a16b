using System.Diagnostics;
using Lintel.Transport.Loop;

namespace Lintel.Transport.Tests.Loop;

public sealed class StallMeterTests
{
    private static long Seconds(double seconds) => (long)(seconds * Stopwatch.Frequency);

    /// <summary>
    /// A thread that ran for next to nothing of a time was blocked by its callback, or had no processor: then the thread that watches had
    /// none either.
    /// </summary>
    [Theory]
    [InlineData(true, 20, StallCause.Callback)]
    [InlineData(false, 20, StallCause.NoProcessor)]
    [InlineData(true, 1, StallCause.WarmUp)]
    [InlineData(false, 1, StallCause.NoProcessor)]
    public void Cause_OfAThreadThatDidNotRun_IsTheProcessorsWhereTheWatchDidNotEither(bool isWatchRunning, int seconds, StallCause expected)
    {
        using var wire = new Wire();
        var watch = new LoopWatch(wire.Loops, 1); // not started: the test ticks
        var meter = new StallMeter(watch);
        meter.Begin();
        var entered = Stopwatch.GetTimestamp();
        meter.Sample(entered);
        var now = entered + Seconds(seconds);
        for (var at = entered; isWatchRunning && at <= now; at += Seconds(0.25))
            watch.Tick(at);
        Assert.Equal(expected, meter.Cause(entered, now, isOwn: true));
        watch.Tick(now); // it goes on first, and the loop after it
        Assert.Equal(expected, meter.Cause(entered, now, isOwn: true));
        meter.End();
    }

    [Fact]
    public void Cause_OfAThreadThatRan_IsTheCallback()
    {
        using var wire = new Wire();
        var watch = new LoopWatch(wire.Loops, 1);
        var meter = new StallMeter(watch);
        meter.Begin();
        var entered = Stopwatch.GetTimestamp();
        meter.Sample(entered);
        var ran = Libc.ThreadTime(Libc.ThreadId());
        while (Libc.ThreadTime(Libc.ThreadId()) - ran < TimeSpan.FromMilliseconds(60))
            Thread.SpinWait(1000);
        Assert.NotEqual(StallCause.NoProcessor, meter.Cause(entered, entered + Seconds(0.1), isOwn: true));
        meter.End();
    }

    [Fact]
    public async Task Loop_ThatIsHeld_IsToldByTheWatchWhileItLasts_AndCountsAsHung()
    {
        using var wire = new Wire();
        using var loops = new LoopGroup(1, wire) { HangsAfter = TimeSpan.FromSeconds(1) };
        using var release = new ManualResetEventSlim();
        var told = new TaskCompletionSource<LoopStall>(TaskCreationOptions.RunContinuationsAsynchronously);
        loops.Stalled += s => told.TrySetResult(s);
        Assert.False(loops.Hangs);
        loops.Loops[0].Post(new Work(release.Wait));
        var stall = await told.Task.WaitAsync(Wire.Patience);
        Assert.False(stall.IsOver);
        Assert.True(stall.Held >= TimeSpan.FromSeconds(1));
        Assert.True(loops.Hangs);
        release.Set();
        await EventLoopTests.TurnAsync(loops.Loops[0]);
        Assert.False(loops.Hangs);
    }
}
