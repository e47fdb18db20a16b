using System.Diagnostics;

namespace Lintel.Transport.Loop;

/// <summary>
/// Watches the loops from a dedicated thread: a callback that never returns would never be reported at its end, and a timer of a loop, or
/// of an exhausted thread pool, would not fire.
/// </summary>
internal sealed class LoopWatch : IDisposable
{
    private const int Interval = 250; // ms

    private static readonly long IntervalTicks = Stopwatch.Frequency * Interval / 1000;

    private readonly LoopGroup _group;
    private readonly ManualResetEventSlim _isOver = new();
    private readonly Thread _thread;
    private readonly long[] _reportedAt;
    private readonly Lock _lock = new();
    private long _ticked = Stopwatch.GetTimestamp();
    private long _silentFrom;
    private long _silentTo;

    public LoopWatch(LoopGroup group, int loops)
    {
        _group = group;
        _reportedAt = new long[loops];
        _thread = new Thread(Run) { IsBackground = true, Name = "lintel-loop-watch" };
    }

    public void Start() => _thread.UnsafeStart();

    /// <summary>
    /// How long, of that time, this thread did not run although it wanted to: then the process was stopped, or had no processor.
    /// </summary>
    public TimeSpan Silence(long from, long to)
    {
        lock (_lock)
        {
            var due = _ticked + IntervalTicks;
            return Overlap(_silentFrom, _silentTo) + Overlap(due, to);
        }

        TimeSpan Overlap(long begin, long end) =>
            Math.Max(begin, from) < Math.Min(end, to) ? Stopwatch.GetElapsedTime(Math.Max(begin, from), Math.Min(end, to)) : TimeSpan.Zero;
    }

    public void Dispose()
    {
        _isOver.Set();
        _thread.Join();
        _isOver.Dispose();
    }

    /// <summary>The thread has its turn.</summary>
    internal void Tick(long now)
    {
        lock (_lock)
        {
            var due = _ticked + IntervalTicks;
            if (now - due > IntervalTicks / 2)
                (_silentFrom, _silentTo) = (due, now);
            _ticked = now;
        }
    }

    private void Run()
    {
        while (!_isOver.Wait(Interval))
        {
            var now = Stopwatch.GetTimestamp();
            Tick(now);
            foreach (var loop in _group.Loops)
                Look(loop, now);
        }
    }

    /// <summary>Once per second, while the loop is blocked.</summary>
    private void Look(EventLoop loop, long now)
    {
        var entered = loop.Entered;
        if (entered == 0 || now - Math.Max(entered, _reportedAt[loop.Index]) < Stopwatch.Frequency)
            return;
        _reportedAt[loop.Index] = now;
        _group.ReportStall(loop.StallUntil(entered, now, isOver: false));
    }
}
