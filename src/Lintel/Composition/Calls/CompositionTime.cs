namespace Lintel.Composition.Calls;

/// <summary>The times of one composition, as timestamps of the clock: its start, its deadline, and those of its calls.</summary>
internal readonly struct CompositionTime
{
    private readonly TimeProvider _clock;

    /// <param name="clock">The clock.</param>
    /// <param name="deadline">The time limit of the whole composition, from now on.</param>
    public CompositionTime(TimeProvider clock, TimeSpan deadline)
    {
        _clock = clock;
        Started = clock.GetTimestamp();
        Due = Started + Ticks(deadline);
    }

    public long Started { get; }

    /// <summary>The deadline of the whole composition.</summary>
    public long Due { get; }

    public TimeSpan Elapsed => _clock.GetElapsedTime(Started);

    public TimeSpan Until(long due) => Until(due, _clock.GetTimestamp());

    public TimeSpan Until(long due, long now)
    {
        var left = due - now;
        return left <= 0 ? TimeSpan.Zero : TimeSpan.FromTicks((long)(left * ((double)TimeSpan.TicksPerSecond / _clock.TimestampFrequency)));
    }

    /// <summary>Returns the deadline of a call that begins now.</summary>
    public long DueAfter(TimeSpan? timeout, long now) => timeout is { } own ? Math.Min(Due, now + Ticks(own)) : Due;

    /// <summary>
    /// Returns until when the answer to a write that can be undone is awaited: its own timeout, and at most as long after the deadline as
    /// undoing it may take.
    /// </summary>
    public long AwaitedUntil(TimeSpan? timeout, TimeSpan undoing, long now)
    {
        var last = Due + Ticks(undoing);
        return timeout is { } own ? Math.Min(last, now + Ticks(own)) : last;
    }

    /// <summary>Returns the deadline of undoing, which may begin because the composition's own deadline has passed.</summary>
    public long DueOfUndoing(TimeSpan timeout) => _clock.GetTimestamp() + Ticks(timeout);

    private long Ticks(TimeSpan time) => (long)(time.TotalSeconds * _clock.TimestampFrequency);
}
