using Lintel.Hosting;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Hosting;

public sealed class CrowdWatchTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly LoadPeakWatch _watch;
    private long _connections;
    private long _buffered;
    private int _collections;

    public CrowdWatchTests() => _watch = new LoadPeakWatch(() => _connections, () => _buffered, _time, () => _collections++);

    public void Dispose() => _watch.Dispose();

    [Fact]
    public void Crowd_ThatHasGone_IsCleanedUpAfterOnce()
    {
        Look(connections: 10_000);
        Look(connections: 9_000);
        Look(connections: 100);
        Look(connections: 90);
        Assert.Equal(0, _collections); // not calm for long enough
        Look(connections: 80);
        Assert.Equal(1, _collections);
        for (var i = 0; i < 20; i++)
            Look(connections: 10);
        Assert.Equal(1, _collections);
    }

    [Fact]
    public void Crowd_ThatComesBackInTheMeantime_IsNotDisturbed()
    {
        Look(connections: 10_000);
        for (var i = 0; i < 10; i++)
        {
            Look(connections: 100);
            Look(connections: 100);
            Look(connections: 8_000);
        }

        Assert.Equal(0, _collections);
    }

    [Fact]
    public void Memory_ThatWasGivenBack_IsCleanedUpToo()
    {
        Look(buffered: 500 << 20);
        for (var i = 0; i < 3; i++)
            Look(buffered: 1 << 20);
        Assert.Equal(1, _collections);
    }

    [Fact]
    public void Few_WhoGo_LeaveNothingWorthAPause()
    {
        Look(connections: 500, buffered: 1 << 20);
        for (var i = 0; i < 20; i++)
            Look();
        Assert.Equal(0, _collections);
    }

    private void Look(long connections = 0, long buffered = 0)
    {
        (_connections, _buffered) = (connections, buffered);
        _time.Advance(LoadPeakWatch.Interval);
    }
}
