using Lintel.Transport.Loop;

namespace Lintel.Transport.Tests.Loop;

public sealed class BlocksTests
{
    [Fact]
    public async Task Blocks_GivenBackOnALoop_AreItsNextOnes_AndNeverTwoPeoples()
    {
        using var wire = new Wire();
        await OnLoopAsync(wire.Loop, () =>
        {
            var first = Blocks.Rent();
            var second = Blocks.Rent();
            Assert.NotSame(first, second);
            Blocks.Return(first);
            Blocks.Return(second);
            byte[][] again = [Blocks.Rent(), Blocks.Rent(), Blocks.Rent()];
            Assert.Equal(3, again.Distinct().Count());
            Assert.Contains(first, again);
            Assert.Contains(second, again);
        });
    }

    [Fact]
    public async Task Blocks_OfAnySize_HoldWhatTheyWereAskedFor_AndOnlyUsualOnesAreKept()
    {
        using var wire = new Wire();
        await OnLoopAsync(wire.Loop, () =>
        {
            foreach (var size in (int[])[0, 1, Blocks.Size, Blocks.Size + 1, 100_000])
            {
                var block = Blocks.Rent(size);
                Assert.InRange(block.Length, Math.Max(size, Blocks.Size), int.MaxValue);
                Blocks.Return(block);
            }

            Assert.All(wire.Loop.Blocks, b => Assert.Equal(Blocks.Size, b.Length));
            var many = Enumerable.Range(0, 3000).Select(_ => Blocks.Rent()).ToList();
            many.ForEach(Blocks.Return);
            Assert.Equal(1024, wire.Loop.Blocks.Count); // what thousands of connections needed at once is not kept for ever
        });
    }

    [Fact]
    public async Task Blocks_GivenBackElsewhere_DoNotBecomeALoops()
    {
        using var wire = new Wire();
        Blocks.Return(Blocks.Rent());
        await OnLoopAsync(wire.Loop, () => Assert.Empty(wire.Loop.Blocks));
    }

    private static async Task OnLoopAsync(EventLoop loop, Action action)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Assert.True(
            loop.Post(
                new Work(() =>
                {
                    try
                    {
                        action();
                        done.SetResult();
                    }
                    catch (Exception e)
                    {
                        done.SetException(e);
                    }
                })
            )
        );
        await done.Task.WaitAsync(Wire.Patience);
    }
}
