using Lintel.Services;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Services;

public sealed class SlidingWindowTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void Counts_ExpireBucketByBucket()
    {
        var window = new SlidingWindow(TimeSpan.FromSeconds(10), _time);
        for (var second = 0; second < 10; second++)
        {
            window.Count(_time.GetTimestamp(), isMarked: second % 2 == 0);
            Assert.Equal((second + 1, (second / 2) + 1), window.Sum(_time.GetTimestamp()));
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        for (var left = 9; left >= 0; left--)
        {
            Assert.Equal((left, left / 2), window.Sum(_time.GetTimestamp()));
            _time.Advance(TimeSpan.FromSeconds(1));
        }
    }

    [Fact]
    public void Counts_AgreeWithANaiveModel()
    {
        var random = new Random(7);
        var window = new SlidingWindow(TimeSpan.FromSeconds(10), _time);
        var events = new List<(long Second, bool IsMarked)>();
        var start = _time.GetTimestamp() / _time.TimestampFrequency;
        for (var i = 0; i < 2000; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(random.Next(0, 900)));
            var isMarked = random.Next(3) == 0;
            var second = _time.GetTimestamp() / _time.TimestampFrequency;
            window.Count(_time.GetTimestamp(), isMarked);
            events.Add((second, isMarked));
            var recent = events.Where(e => e.Second > second - 10).ToList();
            Assert.Equal((recent.Count, recent.Count(e => e.IsMarked)), window.Sum(_time.GetTimestamp()));
        }

        Assert.True(_time.GetTimestamp() / _time.TimestampFrequency - start > 500);
        window.Clear();
        Assert.Equal((0, 0), window.Sum(_time.GetTimestamp()));
    }
}
