using Lintel.Hosting.Overload;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Hosting.Overload;

public sealed class MemoryResourceTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly MemoryResource _memory;
    private TaskCompletionSource _collection = new();
    private double _percent;
    private int _collections;

    public MemoryResourceTests() => _memory = new MemoryResource(() => _percent, _time, Collect);

    [Fact]
    public void Garbage_AtTheLimit_IsCollectedBeforeItCounts()
    {
        Assert.Equal(50, Measure(50));
        Assert.Equal(85, Measure(95)); // not known yet: neither more nor less is shed
        Assert.Equal(1, _collections);
        _collection.SetResult();
        Assert.Equal(30, Measure(30));
    }

    [Fact]
    public void Memory_ThatACollectionDoesNotFree_IsShort()
    {
        Measure(95);
        _collection.SetResult();
        Assert.Equal(94, Measure(94));
        Assert.Equal(1, _collections);
    }

    [Fact]
    public void Collection_ThatDoesNotComeToItsEnd_IsNotWaitedFor()
    {
        Measure(95);
        _time.Advance(MemoryResource.Patience);
        Assert.Equal(95, Measure(95));
    }

    [Fact]
    public void Collections_ThatDoNotHelp_BecomeRare()
    {
        var at = new List<int>();
        for (var second = 0; second < 200; second++)
        {
            var before = _collections;
            Measure(95);
            if (_collections > before)
                at.Add(second);
            _collection.TrySetResult();
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal([0, 5, 15, 35, 75, 135, 195], at);
        Measure(50);
        _time.Advance(MemoryResource.Pause);
        Measure(95);
        Assert.Equal(8, _collections);
    }

    [Fact]
    public void Collections_OfGarbageThatReturnsAtOnce_ComeEveryFiveSeconds()
    {
        for (var second = 0; second < 10; second++)
        {
            Measure(95);
            _collection.TrySetResult();
            Measure(50);
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal(2, _collections);
    }

    [Fact]
    public void Measurement_ThatGetsNoMemory_CountsAsAllOfIt()
    {
        var memory = new MemoryResource(() => throw new InsufficientMemoryException(), _time, () => Task.CompletedTask);
        Assert.Equal(100, memory.Measure(85));
    }

    private double? Measure(double percent)
    {
        _percent = percent;
        return _memory.Measure(85);
    }

    private Task Collect()
    {
        _collections++;
        return (_collection = new TaskCompletionSource()).Task;
    }
}
