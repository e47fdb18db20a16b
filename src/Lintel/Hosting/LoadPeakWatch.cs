namespace Lintel.Hosting;

/// <summary>
/// Gives memory back to the system when a crowd has gone: what ten thousand connections or large answers have left behind would otherwise
/// stay until the next crowd.
/// </summary>
/// <remarks>
/// The collector takes its time where little is allocated, and then keeps what it has freed. One compacting collection for each crowd, when
/// it has been calm for a while, on a thread that requests do not wait for but for the pause itself.
/// </remarks>
internal sealed class LoadPeakWatch : IDisposable
{
    /// <summary>Between two looks; it is calm after two in a row.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    /// <summary>Fewer connections, at 10 kB each, leave nothing behind that is worth a pause.</summary>
    public const long ManyConnections = 1000;

    /// <summary>The same for what was buffered.</summary>
    public const long MuchMemory = 32 << 20;

    private readonly Func<long> _connections;
    private readonly Func<long> _buffered;
    private readonly Action _collect;
    private readonly ITimer _timer;
    private long _mostConnections;
    private long _mostBuffered;
    private int _calmLooks;

    /// <param name="connections">How many connections there are.</param>
    /// <param name="buffered">How much is held of the memory budget.</param>
    /// <param name="time">The clock.</param>
    /// <param name="collect">Collects, and gives back what is free.</param>
    public LoadPeakWatch(Func<long> connections, Func<long> buffered, TimeProvider time, Action collect)
    {
        _connections = connections;
        _buffered = buffered;
        _collect = collect;
        _timer = time.CreateTimer(static watch => ((LoadPeakWatch)watch!).Look(), this, Interval, Interval);
    }

    /// <summary>Compacts the heap and gives back what is free.</summary>
    public static void Collect() => GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);

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
