using Lintel.Transport.Loop;

namespace Lintel.Hosting;

/// <summary>
/// Returns memory to the system after a load peak: what ten thousand connections or large responses have left behind would otherwise stay
/// until the next peak.
/// </summary>
/// <remarks>
/// The garbage collector runs rarely while little is allocated, and then keeps the memory that it freed. One compacting collection per
/// peak, when load has been low for a while, on a thread that requests do not wait for except for the pause itself.
/// </remarks>
internal sealed class LoadPeakWatch : IDisposable
{
    /// <summary>The interval between two checks; load is low after two in a row.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    /// <summary>The number of connections of a peak. Fewer, at 10 kB each, leave nothing behind that is worth a pause.</summary>
    public const long ManyConnections = 1000;

    /// <summary>The buffered memory of a peak, in bytes.</summary>
    public const long MuchMemory = 32 << 20;

    private readonly Func<long> _connections;
    private readonly Func<long> _buffered;
    private readonly Action _collect;
    private readonly ITimer _timer;
    private long _mostConnections;
    private long _mostBuffered;
    private int _calmLooks;

    /// <param name="connections">Returns the number of connections.</param>
    /// <param name="buffered">Returns the memory held of the budget.</param>
    /// <param name="time">The clock.</param>
    /// <param name="collect">Collects, and returns free memory to the system.</param>
    public LoadPeakWatch(Func<long> connections, Func<long> buffered, TimeProvider time, Action collect)
    {
        _connections = connections;
        _buffered = buffered;
        _collect = collect;
        _timer = time.CreateTimer(static watch => ((LoadPeakWatch)watch!).Look(), this, Interval, Interval);
    }

    /// <summary>
    /// Compacts the heap and returns free memory to the system, on a thread that requests wait for during the pause only.
    /// </summary>
    public static Task CollectAsync() => BackgroundThread.RunAsync("lintel-tidy", static () =>
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            return true;
        });

    public void Dispose() => _timer.Dispose();

    private void Look()
    {
        var (connections, buffered) = (_connections(), _buffered());
        _mostConnections = Math.Max(_mostConnections, connections);
        _mostBuffered = Math.Max(_mostBuffered, buffered);
        var hasGone =
            (_mostConnections >= ManyConnections && connections <= _mostConnections / 4)
            || (_mostBuffered >= MuchMemory && buffered <= _mostBuffered / 4);
        _calmLooks = hasGone ? _calmLooks + 1 : 0;
        if (_calmLooks < 3)
            return;
        _calmLooks = 0;
        (_mostConnections, _mostBuffered) = (connections, buffered);
        _collect();
    }
}
