namespace Lintel.Services.Health;

/// <summary>Why an instance gets no requests.</summary>
internal enum Unavailability
{
    /// <summary>It gets requests.</summary>
    None,

    /// <summary>Its active checks failed.</summary>
    Unhealthy,

    /// <summary>It failed clients' requests, and is left out for a while.</summary>
    Ejected,
}

/// <summary>What is known of an instance's health. Lives with its instance, so that reloads keep it.</summary>
/// <remarks>
/// Thread rule: <see cref="FailuresInRow"/> and the window are written by attempts on any thread; everything else is written by the
/// <see cref="ServiceHealth"/> of a generation of its service under <see cref="Lock"/>, and read by anyone.
/// </remarks>
internal sealed class InstanceHealth
{
    private int _failuresInRow;
    private object? _checker;

    /// <summary>Instances become available, or no longer are: every generation of the service has to know.</summary>
    public event Action? Changed;

    /// <summary>Guards every verdict.</summary>
    public Lock Lock { get; } = new();

    /// <summary>Failures since the last good answer.</summary>
    public int FailuresInRow => Volatile.Read(ref _failuresInRow);

    /// <summary>The attempts of the last moments; <see langword="null"/> where nobody asks for their share of success.</summary>
    public SuccessWindow? Window { get; set; }

    /// <summary>Whether the active checks hold the instance for unhealthy.</summary>
    public bool IsUnhealthy { get; set; }

    /// <summary>Checks in a row that contradict <see cref="IsUnhealthy"/>.</summary>
    public int ChecksInRow { get; set; }

    /// <summary>When the instance gets requests again; <see langword="null"/> while it is not ejected.</summary>
    public DateTimeOffset? EjectedUntil { get; set; }

    /// <summary>How often it was ejected, less the times that it stayed well.</summary>
    public int Ejections { get; set; }

    /// <summary>When it last came back.</summary>
    public DateTimeOffset LastReturn { get; set; }

    /// <summary>Since when it is as it is; <see langword="null"/> while nothing has happened.</summary>
    public DateTimeOffset? Since { get; set; }

    /// <summary>What was wrong when it was taken out.</summary>
    public string? Reason { get; set; }

    public Unavailability Unavailability =>
        IsUnhealthy ? Unavailability.Unhealthy
        : EjectedUntil is not null ? Unavailability.Ejected
        : Unavailability.None;

    public bool IsAvailable => Unavailability == Unavailability.None;

    /// <summary>
    /// Of two generations that check an instance, the newer one does: it claims the instance. The older one goes on where the newer one is
    /// given up, after a reload that was refused.
    /// </summary>
    public void ClaimChecks(object checker) => Volatile.Write(ref _checker, checker);

    /// <summary>Whether the checks are this one's.</summary>
    public bool OwnsChecks(object checker) => (Interlocked.CompareExchange(ref _checker, checker, null) ?? checker) == checker;

    /// <summary>The checker is given up.</summary>
    public void LeaveChecks(object checker) => Interlocked.CompareExchange(ref _checker, null, checker);

    /// <summary>Tells the generations of the service.</summary>
    public void Change() => Changed?.Invoke();

    /// <summary>A good answer.</summary>
    public void Succeeded()
    {
        if (Volatile.Read(ref _failuresInRow) != 0) // or every good answer would take the cache line from all other threads
            Volatile.Write(ref _failuresInRow, 0);
    }

    /// <summary>Forgets what attempts have said of it.</summary>
    public void Forget()
    {
        Succeeded();
        Window?.Clear();
    }

    /// <summary>A failure.</summary>
    /// <returns>How many there are in a row.</returns>
    public int Failed() => Interlocked.Increment(ref _failuresInRow);
}
