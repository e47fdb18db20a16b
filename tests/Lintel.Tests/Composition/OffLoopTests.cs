using Lintel.Composition;
using Lintel.Transport.Loop;
using Microsoft.Extensions.Logging.Abstractions;

namespace Lintel.Tests.Composition;

public sealed class OffLoopTests
{
    [Theory]
    [InlineData(OffLoop.Threshold - 1, false, true)]
    [InlineData(OffLoop.Threshold, false, false)]
    [InlineData((OffLoop.Threshold / OffLoop.MergeWeight) - 1, true, true)]
    [InlineData(OffLoop.Threshold / OffLoop.MergeWeight, true, false)]
    public async Task Work_OfThatMuch_LeavesTheLoop_AndLessStays(int bytes, bool merges, bool stays)
    {
        if (!LoopGroup.IsSupported)
            return;
        using var loops = new LoopGroup(1, NullLogger<LoopGroup>.Instance);
        var ran = new TaskCompletionSource<EventLoop?>(TaskCreationOptions.RunContinuationsAsynchronously);
        var isFree = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var goOn = new ManualResetEventSlim();
        Assert.True(
            loops
                .Loops[0]
                .Post(
                    new Work(async () =>
                    {
                        await (merges ? OffLoop.ForMerge(bytes) : OffLoop.For(bytes));
                        if (!stays)
                            goOn.Wait(TimeSpan.FromSeconds(30)); // as long as it takes
                        ran.SetResult(EventLoop.Current);
                    })
                )
        );
        Assert.True(loops.Loops[0].Post(new Work(isFree.SetResult)));
        await isFree.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken); // while the work is still under way
        goOn.Set();
        Assert.Equal(
            stays ? loops.Loops[0] : null,
            await ran.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken)
        );
    }

    private sealed class Work(Action run) : ILoopWork
    {
        public void Run() => run();
    }
}
