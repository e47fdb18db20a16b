namespace Lintel.Services.Attempts;

/// <summary>
/// Limits the retries of a service to a share of its requests, so that retries cannot multiply the load of a service that fails: Finagle's
/// and Envoy's remedy against retry storms.
/// </summary>
/// <remarks>
/// Only attempts that follow one that was sent count: a connection that could not be established is no load for the service. Thread rule:
/// any thread; concurrent withdrawals may exceed the limit by their number.
/// </remarks>
internal sealed class RetryBudget(double percent, TimeProvider time)
{
    /// <summary>Retries per second that are always allowed, for services with few requests (Envoy's minimum is 3 at once).</summary>
    public const int PerSecond = 3;

    private static readonly TimeSpan Length = TimeSpan.FromSeconds(10);

    private readonly SlidingWindow _window = new(Length, time);

    /// <summary>Counts a request.</summary>
    public void Deposit(long now) => _window.Count(now, isMarked: false);

    /// <summary>Takes one retry from the budget.</summary>
    public bool TryWithdraw(long now)
    {
        if (Left(now) < 1)
            return false;
        _window.Count(now, isMarked: true);
        return true;
    }

    /// <summary>The retries that are left at a moment.</summary>
    public int Left(long now)
    {
        var (all, retries) = _window.Sum(now);
        return (int)((percent / 100 * (all - retries)) + (PerSecond * Length.TotalSeconds)) - retries;
    }
}
