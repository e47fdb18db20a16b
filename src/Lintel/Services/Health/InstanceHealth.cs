using Lintel.Config;

namespace Lintel.Services.Health;

/// <summary>Why an instance receives no requests.</summary>
internal enum Unavailability
{
    /// <summary>It receives requests.</summary>
    None,

    /// <summary>Its active checks failed.</summary>
    Unhealthy,

    /// <summary>It failed too many requests and is ejected for some time.</summary>
    Ejected,
}

/// <summary>
/// The health state of an instance, and whether an operator holds it back. Part of the instance, so that reloads keep it.
/// </summary>
/// <remarks>
/// Thread rule: <see cref="FailuresInRow"/> and the window are written by attempts on any thread; everything else is written by the
/// <see cref="ServiceHealth"/> of a generation of its service under <see cref="Lock"/>, and read by any thread.
/// </remarks>
internal sealed class InstanceHealth
{
    private int _failuresInRow;
    private long _joined;
    private object? _checker;

    /// <summary>Raised when the availability changes: every generation of the service rebuilds its set.</summary>
    public event Action? Changed;

    /// <summary>Guards every change of state.</summary>
    public Lock Lock { get; } = new();

    /// <summary>Failures since the last success.</summary>
    public int FailuresInRow => Volatile.Read(ref _failuresInRow);

    /// <summary>The recent attempts; <see langword="null"/> if the success rate is not configured.</summary>
    public SlidingWindow? Window { get; set; }

    /// <summary>Whether the active checks consider the instance unhealthy.</summary>
    public bool IsUnhealthy { get; set; }

    /// <summary>Checks in a row that contradict <see cref="IsUnhealthy"/>.</summary>
    public int ChecksInRow { get; set; }

    /// <summary>When the ejection ends; <see langword="null"/> while it is not ejected.</summary>
    public DateTimeOffset? EjectedUntil { get; set; }

    /// <summary>The number of ejections, reduced by one for each ejection time without one.</summary>
    public int Ejections { get; set; }

    /// <summary>The end of the last ejection.</summary>
    public DateTimeOffset LastReturn { get; set; }

    /// <summary>How an operator holds it back; <see langword="null"/> if nobody does.</summary>
    public InstanceHold? Hold { get; private set; }

    /// <summary>
    /// When it joined a running service, or became available again, as a timestamp of the clock; 0 for an instance that has been there from
    /// the start.
    /// </summary>
    public long Joined
    {
        get => Volatile.Read(ref _joined);
        set => Volatile.Write(ref _joined, value);
    }

    /// <summary>When the state last changed; <see langword="null"/> if it never has.</summary>
    public DateTimeOffset? Since { get; set; }

    /// <summary>Why it became unavailable.</summary>
    public string? Reason { get; set; }

    public Unavailability Unavailability =>
        IsUnhealthy ? Unavailability.Unhealthy
        : EjectedUntil is not null ? Unavailability.Ejected
        : Unavailability.None;

    public bool IsAvailable => Unavailability == Unavailability.None;

    /// <summary>
    /// Of two generations of a service, only the newer one checks an instance: it claims it. The older one continues if the newer one is
    /// discarded, after a reload that was rejected.
    /// </summary>
    public void ClaimChecks(object checker) => Volatile.Write(ref _checker, checker);

    /// <summary>Whether this checker runs the checks.</summary>
    public bool OwnsChecks(object checker) => (Interlocked.CompareExchange(ref _checker, checker, null) ?? checker) == checker;

    /// <summary>Releases the claim of a checker.</summary>
    public void LeaveChecks(object checker) => Interlocked.CompareExchange(ref _checker, null, checker);

    /// <summary>Holds it back by hand. If it already is held in this way, only the reason changes.</summary>
    public void HoldBack(InstanceHold hold)
    {
        lock (Lock)
        {
            Hold = Hold?.Kind == hold.Kind ? hold with { Since = Hold.Since } : hold;
            Change();
        }
    }

    /// <summary>Ends what an operator or its failures hold it back for; failing checks still do.</summary>
    /// <param name="now">The time.</param>
    /// <param name="timestamp">The clock's timestamp: it begins anew.</param>
    public void Return(DateTimeOffset now, long timestamp)
    {
        lock (Lock)
        {
            if (Hold is null && EjectedUntil is null)
                return; // it gets its requests, and a slow start would take them away
            Hold = null;
            if (EjectedUntil is not null)
                EndEjection_NeedsLock(now);
            Joined = timestamp;
            Change();
        }
    }

    /// <summary>
    /// Ends what nothing would end any more: the verdict of checks that are no longer configured, and ejections without anybody who watches
    /// their time.
    /// </summary>
    /// <param name="config">The configuration of its service; <see langword="null"/> for none.</param>
    /// <param name="now">The time.</param>
    /// <param name="timestamp">The clock's timestamp: it begins anew.</param>
    public void Trust(HealthConfig? config, DateTimeOffset now, long timestamp)
    {
        lock (Lock)
        {
            var wasAvailable = IsAvailable;
            if (config?.Active is null)
                (IsUnhealthy, ChecksInRow) = (false, 0);
            if (config is null && EjectedUntil is not null)
                EndEjection_NeedsLock(now);
            if (wasAvailable || !IsAvailable)
                return;
            (Reason, Since, Joined) = (null, now, timestamp);
            Change();
        }
    }

    /// <summary>Ends an ejection.</summary>
    public void EndEjection_NeedsLock(DateTimeOffset now)
    {
        EjectedUntil = null;
        Since = LastReturn = now;
        Reason = null;
        Forget();
    }

    /// <summary>Raises <see cref="Changed"/>.</summary>
    public void Change() => Changed?.Invoke();

    /// <summary>Records a success.</summary>
    public void Succeeded()
    {
        if (Volatile.Read(ref _failuresInRow) != 0) // an unconditional write would take the cache line from all other threads
            Volatile.Write(ref _failuresInRow, 0);
    }

    /// <summary>Clears what attempts have recorded.</summary>
    public void Forget()
    {
        Succeeded();
        Window?.Clear();
    }

    /// <summary>Records a failure.</summary>
    /// <returns>The number of failures in a row.</returns>
    public int Failed() => Interlocked.Increment(ref _failuresInRow);
}
