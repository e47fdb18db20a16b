using Lintel.Transport.Memory;

namespace Lintel.Transport.Tests.Memory;

public sealed class MemoryBudgetTests
{
    [Fact]
    public void TryTake_BeyondTheLimit_TakesNothingAndCountsTheRefusal()
    {
        var budget = new MemoryBudget(100);
        Assert.True(budget.TryTake(BufferUse.Answer, 100));
        Assert.False(budget.TryTake(BufferUse.Mirror, 1));
        Assert.Equal(
            (100, 100, 0, 1),
            (budget.Used, budget.UsedBy(BufferUse.Answer), budget.UsedBy(BufferUse.Mirror), budget.RefusedBy(BufferUse.Mirror))
        );
        budget.Give(BufferUse.Answer, 60);
        Assert.True(budget.TryTake(BufferUse.Mirror, 60));
    }

    [Fact]
    public void Limit_BelowWhatIsHeld_RefusesUntilEnoughWasGivenBack()
    {
        var budget = new MemoryBudget(100);
        Assert.True(budget.TryTake(BufferUse.Store, 80));
        budget.Limit = 50;
        Assert.False(budget.TryTake(BufferUse.Store, 1));
        Assert.True(budget.TryTake(BufferUse.Store, 0));
        budget.Give(BufferUse.Store, 40);
        Assert.True(budget.TryTake(BufferUse.Store, 10));
    }

    [Fact]
    public void Lease_GrowsAndShrinks_AndGivesEverythingBackOnce()
    {
        var budget = new MemoryBudget(100);
        var lease = new MemoryLease(budget, BufferUse.RequestBody);
        Assert.True(lease.TryHold(70));
        Assert.False(lease.TryHold(101));
        Assert.Equal(70, budget.Used);
        Assert.True(lease.TryHold(20));
        Assert.Equal(20, budget.Used);
        lease.Dispose();
        lease.Dispose();
        Assert.Equal(0, budget.Used);
    }

    [Fact]
    public void Takers_OfManyThreads_NeverHoldMoreThanTheLimitAndLeaveNothing()
    {
        var budget = new MemoryBudget(1000);
        Parallel.For(0, 8, worker =>
        {
            var lease = new MemoryLease(budget, (BufferUse)(worker % 5));
            for (var i = 0; i < 20_000; i++)
            {
                lease.TryHold((worker * 7919L + i * 104729L) % 400);
                Assert.InRange(budget.Used, 0, 1000);
            }

            lease.Dispose();
        });
        Assert.Equal(0, budget.Used);
        Assert.All(Enum.GetValues<BufferUse>(), use => Assert.Equal(0, budget.UsedBy(use)));
    }
}
