using Lintel.Composition.Answers;
using Lintel.Transport.Memory;

namespace Lintel.Tests.Composition.Answers;

public sealed class AnswerStoreTests
{
    private static readonly AnswerRules Kept = new(true, DateTimeOffset.MaxValue);

    [Fact]
    public async Task Keep_TakesFromTheBudget_AndGivesBackWhatIsReplacedOrDropped()
    {
        var budget = new MemoryBudget(1 << 20);
        using var store = new AnswerStore(budget);
        store.Keep("a", Answer(1000), Kept);
        var first = budget.UsedBy(BufferUse.Store);
        Assert.InRange(first, 1000, 2000);
        store.Keep("a", Answer(2000), Kept);
        await UntilAsync(() => budget.UsedBy(BufferUse.Store) == first + 1000); // the cache tells of an entry's end on the thread pool
        store.Drop("a");
        await UntilAsync(() => budget.UsedBy(BufferUse.Store) == 0);
    }

    [Fact]
    public void Keep_BeyondTheBudget_KeepsNothing_NotEvenWhatWasBefore()
    {
        var budget = new MemoryBudget(1500);
        using var store = new AnswerStore(budget);
        store.Keep("a", Answer(1000), Kept);
        Assert.NotNull(store.Find("a"));
        store.Keep("a", Answer(1100), Kept);
        Assert.Null(store.Find("a"));
    }

    [Fact]
    public void Keep_OfWhatMustNotBeKept_DropsWhatWas()
    {
        using var store = new AnswerStore(new MemoryBudget(1 << 20));
        store.Keep("a", Answer(10), Kept);
        store.Keep("a", Answer(10), default);
        Assert.Null(store.Find("a"));
    }

    private static CallAnswer Answer(int length)
    {
        var answer = new CallAnswer { Status = 200 };
        answer.Body.Replace(new byte[length]);
        return answer;
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        while (!condition())
            await tick.WaitForNextTickAsync(deadline.Token);
    }
}
