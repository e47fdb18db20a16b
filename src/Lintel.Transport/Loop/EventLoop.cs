using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Lintel.Transport.Loop;

/// <summary>Work that another thread posts to a loop.</summary>
internal interface ILoopWork
{
    public void Run();
}

/// <summary>
/// A thread that waits for its sockets and runs what waits for them, inline: no hand-over to another thread between a packet and the code
/// that awaits it.
/// </summary>
/// <remarks>
/// <para>
/// Sockets are registered once, for their life, edge-triggered: no <c>epoll_ctl</c> a request, and bytes are received only after they were
/// announced. An idle socket costs a place in a table.
/// </para>
/// <para>
/// Code on the loop must not block: it holds up every other connection of the loop. What holds it longer than
/// <see cref="LoopGroup.StallThreshold"/> is reported.
/// </para>
/// </remarks>
public sealed unsafe class EventLoop
{
    /// <summary>nginx's <c>epoll_events</c>: enough for a batch, short enough that posted work and timers get their turn.</summary>
    private const int BatchSize = 512;

    private const ulong SignalData = ulong.MaxValue;
    private const ulong ProbeData = ulong.MaxValue - 1;

    private static readonly long TicksPerMillisecond = Stopwatch.Frequency / 1000;
    private static readonly long PostedTicks = Stopwatch.Frequency / 10000;
    private static readonly long StallTicks = (long)(LoopGroup.StallThreshold.TotalMilliseconds * TicksPerMillisecond);

    [ThreadStatic]
    private static EventLoop? _current;

    private readonly LoopGroup _group;
    private readonly int _epoll = Libc.CreateEpoll();
    private readonly int _signal = Libc.CreateEvent();
    private readonly int _probeSignal = Libc.CreateEvent();
    private readonly ConcurrentQueue<ILoopWork> _posted = new();
    private readonly Lock _lock = new();
    private readonly Thread _thread;
    private readonly TimerWheel _timers;
    private readonly StallMeter _meter;
    private volatile LoopSocket?[] _sockets = new LoopSocket?[1024];
    private uint _generation;
    private int _isAsleep;
    private int _connections;
    private volatile bool _isStopping;
    private volatile bool _hasEnded;
    private long _entered;
    private ILoopWork? _probe;

    internal EventLoop(LoopGroup group, int index)
    {
        _group = group;
        Index = index;
        _timers = new TimerWheel(Milliseconds(Stopwatch.GetTimestamp()), Fire);
        _meter = new StallMeter(group.Watch);
        _thread = new Thread(Run) { IsBackground = true, Name = $"lintel-loop-{index}" };
        foreach (var (descriptor, data) in ((int, ulong)[])[(_signal, SignalData), (_probeSignal, ProbeData)])
        {
            if (Libc.Control(_epoll, Libc.EpollAdd, descriptor, Libc.EpollIn, data) is not 0 and var error)
                throw new IOException($"The wake-up descriptor of the event loop cannot be added to epoll: error {error}", error);
        }

        _thread.UnsafeStart();
    }

    /// <summary>The loop of the current thread; <see langword="null"/> on any other thread.</summary>
    public static EventLoop? Current => _current;

    /// <summary>Its place among the loops of its group.</summary>
    public int Index { get; }

    /// <summary>
    /// The subject of the current callback, for the report of a blocked loop. Set and read on the loop's thread; cleared with each
    /// callback.
    /// </summary>
    public object? Subject { get; set; }

    /// <summary>The group that it belongs to.</summary>
    public LoopGroup Group => _group;

    /// <summary>The loop's own pool of <see cref="Loop.Blocks"/>; accessed on its thread only.</summary>
    internal Stack<byte[]> Blocks { get; } = new();

    /// <summary>Sockets that are registered.</summary>
    internal int Connections => Volatile.Read(ref _connections);

    /// <summary>
    /// The loop's clock, in milliseconds. Within a callback it is the time at which that began: reading the system's clock for each timer
    /// would cost more than setting the timer.
    /// </summary>
    internal static long Now => Milliseconds(_current is { Entered: not 0 and var entered } ? entered : Stopwatch.GetTimestamp());

    /// <summary>The timestamp at which the callback under way began; 0 between callbacks.</summary>
    internal long Entered => Volatile.Read(ref _entered);

    /// <summary>Lets a timer fire after a time, at the earliest; what was set before is forgotten.</summary>
    public void Start(LoopTimer timer, TimeSpan after)
    {
        // Sleeping until later than the new time: the loop has to look at its timers anew.
        if (_timers.Set(timer, Now + (long)Math.Ceiling(after.TotalMilliseconds)) && _current != this)
            Wake();
    }

    /// <summary>Keeps a timer from firing. One that is on the point of firing may still do it.</summary>
    public static void Stop(LoopTimer timer) => timer.SetDue(LoopTimer.Never);

    /// <summary>Removes a timer whose owner has ended.</summary>
    internal void Remove(LoopTimer timer) => _timers.Remove(timer);

    /// <summary>Has work done on the loop's thread.</summary>
    /// <returns>False if the loop has ended: the work will not run.</returns>
    internal bool Post(ILoopWork work)
    {
        _posted.Enqueue(work);
        Wake();
        return !_hasEnded;
    }

    /// <summary>
    /// Has work done as late as a request that arrives now: behind the sockets that are ready, and behind the posted work. One at a time.
    /// </summary>
    internal void Probe(ILoopWork work)
    {
        lock (_lock)
        {
            if (_isStopping)
                return; // the descriptor may be another's already
            Volatile.Write(ref _probe, work);
            Libc.Signal(_probeSignal);
        }
    }

    internal void Register(LoopSocket socket, int descriptor)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isStopping, this);
            if (descriptor >= _sockets.Length)
            {
                var larger = new LoopSocket?[Math.Max(descriptor + 1, _sockets.Length * 2)];
                _sockets.CopyTo(larger, 0);
                _sockets = larger;
            }

            socket.Generation = ++_generation;
            _sockets[descriptor] = socket;
            _connections++;
        }

        var error = Libc.Control(
            _epoll,
            Libc.EpollAdd,
            descriptor,
            Libc.EpollIn | Libc.EpollOut | Libc.EpollRdHup | Libc.EpollEdge,
            ((ulong)socket.Generation << 32) | (uint)descriptor
        );
        if (error == 0)
            return;
        Forget(socket, descriptor);
        throw new IOException($"A socket cannot be added to epoll: error {error}", error); // ENOMEM; ENOSPC: fs.epoll.max_user_watches
    }

    /// <summary>Must be called before the descriptor is closed; closing removes it from epoll.</summary>
    internal void Forget(LoopSocket socket, int descriptor)
    {
        lock (_lock)
        {
            if (_sockets[descriptor] != socket)
                return;
            _sockets[descriptor] = null;
            _connections--;
        }
    }

    /// <summary>Ends the thread after the current callbacks; remaining sockets are aborted.</summary>
    internal void Stop()
    {
        lock (_lock)
            _isStopping = true;
        Wake();
        if (Thread.CurrentThread != _thread)
            _thread.Join();
    }

    private void Wake()
    {
        if (_current != this && Interlocked.Exchange(ref _isAsleep, 0) == 1)
            Libc.Signal(_signal);
    }

    private void Run()
    {
        _current = this;
        _meter.Begin();
        var events = stackalloc byte[BatchSize * 16];
        while (!_isStopping)
        {
            var count = Libc.Wait(_epoll, events, BatchSize, Sleep());
            Volatile.Write(ref _isAsleep, 0);
            var now = Stopwatch.GetTimestamp();
            _meter.Sample(now);
            BeginCallback(now);
            for (var i = 0; i < count; i++)
            {
                var (flags, data) = Libc.ReadEvent(events, i);
                if (data < ProbeData)
                    Dispatch(flags, data);
                else
                    TakeSignal(data);
            }

            DoPosted();
            _timers.Advance(Now);
            Volatile.Write(ref _entered, 0);
        }

        End();
    }

    /// <summary>
    /// Runs at most a tenth of a millisecond of posted work, or one item that takes longer, and no more than was queued at the beginning;
    /// then sockets and timers are served. Hundreds of items arrive at once when Kestrel's heartbeat, once a second, aborts all clients
    /// that were too slow: run in one go, they would delay everything else for tens of milliseconds (bench/fairness, slow-writers; with
    /// half a millisecond p99 was longer, in one run each).
    /// </summary>
    private void DoPosted()
    {
        var end = _entered + PostedTicks;
        for (var left = _posted.Count; left > 0 && _entered < end && _posted.TryDequeue(out var work); left--)
            Call(work);
    }

    private void TakeSignal(ulong data)
    {
        Libc.TakeSignal(data == ProbeData ? _probeSignal : _signal);
        if (data == ProbeData && Interlocked.Exchange(ref _probe, null) is { } probe)
            _posted.Enqueue(probe);
    }

    private int Sleep()
    {
        // Published first, checked second: a post after the check finds the loop asleep and wakes it.
        Interlocked.Exchange(ref _isAsleep, 1);
        return !_posted.IsEmpty || _isStopping ? 0 : _timers.Sleep(Now);
    }

    private void Dispatch(uint flags, ulong data)
    {
        var descriptor = (int)(uint)data;
        var sockets = _sockets;
        if (descriptor >= sockets.Length || sockets[descriptor] is not { } socket || socket.Generation != (uint)(data >> 32))
            return; // closed by what ran before it in this batch
        Dispatch(flags, socket);
    }

    private void Dispatch(uint flags, LoopSocket socket)
    {
        try
        {
            socket.Dispatch(flags);
        }
        catch (Exception e)
        {
            LoopLog.Escaped(_group.Logger, e);
            socket.Abort(e);
        }

        EndCallback();
    }

    private void Call(ILoopWork work)
    {
        try
        {
            work.Run();
        }
        catch (Exception e)
        {
            LoopLog.Escaped(_group.Logger, e);
        }

        EndCallback();
    }

    private void Fire(LoopTimer timer)
    {
        try
        {
            timer.Fire();
        }
        catch (Exception e)
        {
            LoopLog.Escaped(_group.Logger, e);
        }

        EndCallback();
    }

    /// <summary>The report of a callback; on the loop's thread when it is over.</summary>
    internal LoopStall StallUntil(long entered, long now, bool isOver) =>
        new(Index, Stopwatch.GetElapsedTime(entered, now), Subject, isOver, _meter.Cause(entered, now, isOwn: isOver));

    private void BeginCallback(long timestamp) => Volatile.Write(ref _entered, timestamp);

    /// <summary>The end of one callback is the beginning of the next: one look at the clock for both.</summary>
    private void EndCallback()
    {
        var now = Stopwatch.GetTimestamp();
        if (now - _entered >= StallTicks)
            _group.ReportStall(StallUntil(_entered, now, isOver: true));
        Subject = null;
        BeginCallback(now);
    }

    private static long Milliseconds(long timestamp) => timestamp / TicksPerMillisecond;

    private void End()
    {
        // No further event arrives: waiters are notified here.
        BeginCallback(Stopwatch.GetTimestamp());
        foreach (var socket in _sockets)
        {
            socket?.Abort(null);
            if (socket is not null)
                Dispatch(Libc.EpollHup, socket);
        }

        _current = null; // from now on others close their sockets themselves: this thread has no claim to one
        _hasEnded = true;
        Interlocked.MemoryBarrier(); // whoever posted before and did not see it is seen here
        while (_posted.TryDequeue(out var work))
            Call(work);
        _meter.End();
        _ = Libc.Close(_epoll);
        _ = Libc.Close(_signal);
        _ = Libc.Close(_probeSignal);
    }
}

/// <summary>Log lines of loops: event ids 1170 to 1179.</summary>
internal static partial class LoopLog
{
    [LoggerMessage(EventId = 1170, Level = LogLevel.Error, Message = "Unhandled exception on an event loop; the connection was closed")]
    public static partial void Escaped(ILogger logger, Exception exception);
}
