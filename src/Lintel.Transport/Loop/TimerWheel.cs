namespace Lintel.Transport.Loop;

/// <summary>
/// Something that a loop does at a time. One object serves its owner for life: moving its time later, as every request does, is one write.
/// </summary>
public abstract class LoopTimer
{
    internal const long Never = long.MaxValue;

    private long _due = Never;

    /// <summary>The loop's clock at which to fire, in milliseconds; <see cref="Never"/> when it is not to.</summary>
    internal long Due => Volatile.Read(ref _due);

    internal void SetDue(long due) => Volatile.Write(ref _due, due);

    /// <summary>As <see cref="SetDue"/>, and ordered before what the caller reads next: where the timer is filed.</summary>
    internal void SetDueFirst(long due) => Interlocked.Exchange(ref _due, due);

    /// <summary>Whether the time is still this one; then it is not to fire again.</summary>
    internal bool TakeDue(long due) => Interlocked.CompareExchange(ref _due, Never, due) == due;

    // Its place in the wheel, under the wheel's lock.
    internal LoopTimer? Next { get; set; }

    internal LoopTimer? Previous { get; set; }

    internal int Slot { get; set; } = -1;

    internal long Filed { get; set; } = Never;

    /// <summary>The time has come. Runs on the loop's thread.</summary>
    protected internal abstract void Fire();
}

/// <summary>Timers in slots of 10 ms, each a linked list: setting and taking out cost the same however many there are.</summary>
/// <remarks>
/// A timer that is moved later stays filed where it is and is filed anew when its slot comes: 30 s timeouts that requests move ten thousand
/// times a second are touched every 30 s. Thread rule: any thread sets (a lock orders it); the loop's thread advances.
/// </remarks>
internal sealed class TimerWheel
{
    /// <summary>Timeouts are configured in milliseconds and mean tens of them at least.</summary>
    public const int Tick = 10;

    /// <summary>A revolution takes 10 s: longer timers are skipped once per revolution.</summary>
    private const int Slots = 1024;

    private readonly Lock _lock = new();
    private readonly LoopTimer?[] _slots = new LoopTimer?[Slots];
    private readonly List<LoopTimer> _taken = []; // the loop's thread alone
    private long _tick;
    private int _count;

    private readonly Action<LoopTimer> _fire;

    /// <param name="now">The clock at the beginning, in milliseconds.</param>
    /// <param name="fire">Called for an expired timer; it must not throw.</param>
    public TimerWheel(long now, Action<LoopTimer> fire)
    {
        _tick = now / Tick;
        _fire = fire;
    }

    /// <summary>Timers that are filed.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Lets the timer fire at a time, or never.</summary>
    /// <returns>Whether it was filed earlier than what was filed before: a loop that sleeps may have to wake for it.</returns>
    public bool Set(LoopTimer timer, long due)
    {
        timer.SetDueFirst(due);
        if (due >= timer.Filed)
            return false;
        lock (_lock)
        {
            if (due >= timer.Filed)
                return false;
            Remove_NeedsLock(timer);
            File_NeedsLock(timer, due);
        }

        return true;
    }

    /// <summary>Removes the timer permanently.</summary>
    public void Remove(LoopTimer timer)
    {
        timer.SetDue(LoopTimer.Never);
        lock (_lock)
            Remove_NeedsLock(timer);
    }

    /// <summary>How long the loop may sleep, in milliseconds; -1 without timers.</summary>
    public int Sleep(long now)
    {
        if (Count == 0)
            return -1;
        lock (_lock)
        {
            for (var i = 0; i < Slots; i++)
            {
                if (_slots[(_tick + i) % Slots] is not null)
                    return (int)Math.Max(1, ((_tick + i + 1) * Tick) - now);
            }
        }

        return -1;
    }

    /// <summary>Fires expired timers.</summary>
    public void Advance(long now)
    {
        var target = now / Tick;
        for (var i = 0; ; i++)
        {
            lock (_lock)
            {
                // After a long sleep one revolution sees every slot.
                if (_count == 0 || i == Slots)
                    _tick = Math.Max(_tick, target);
                if (_tick >= target)
                    return;
                TakeOut_NeedsLock((int)(_tick % Slots));
                _tick++;
            }

            if (_taken.Count == 0)
                continue;

            // They are filed nowhere now, and whoever moves one sees it, or is seen here.
            Interlocked.MemoryBarrier();
            foreach (var timer in _taken)
                FireOrFile(timer, now);
            _taken.Clear();
        }
    }

    /// <summary>The timer may be moved or stopped concurrently: the last change wins.</summary>
    private void FireOrFile(LoopTimer timer, long now)
    {
        long due;
        while ((due = timer.Due) <= now)
        {
            if (!timer.TakeDue(due))
                continue;
            _fire(timer);
            return;
        }

        lock (_lock)
        {
            due = timer.Due;
            if (due >= timer.Filed)
                return; // stopped, or filed by who moved it
            Remove_NeedsLock(timer);
            File_NeedsLock(timer, due);
        }
    }

    private void TakeOut_NeedsLock(int slot)
    {
        while (_slots[slot] is { } timer)
        {
            Remove_NeedsLock(timer);
            _taken.Add(timer);
        }
    }

    private void File_NeedsLock(LoopTimer timer, long due)
    {
        var slot = (int)(Math.Max(due / Tick, _tick) % Slots);
        timer.Filed = due;
        timer.Slot = slot;
        timer.Previous = null;
        timer.Next = _slots[slot];
        if (timer.Next is { } next)
            next.Previous = timer;
        _slots[slot] = timer;
        _count++;
    }

    private void Remove_NeedsLock(LoopTimer timer)
    {
        if (timer.Slot < 0)
            return;
        if (timer.Previous is { } previous)
            previous.Next = timer.Next;
        else
            _slots[timer.Slot] = timer.Next;
        if (timer.Next is { } next)
            next.Previous = timer.Previous;
        timer.Next = timer.Previous = null;
        timer.Slot = -1;
        timer.Filed = LoopTimer.Never;
        _count--;
    }
}
