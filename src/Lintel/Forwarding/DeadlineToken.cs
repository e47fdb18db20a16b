namespace Lintel.Forwarding;

/// <summary>The cancellation of an attempt by its <see cref="Deadline"/>, for forwarders without timers of their own.</summary>
/// <remarks>
/// The deadline decides, under its lock, whether the timer is right. A source's own timer could cancel just after the response head came:
/// then the server would abort the client's stream at the next write, as if the client had left. Thread rule: the timer's thread calls
/// <see cref="Deadline.End"/>; everything else happens under the deadline's lock.
/// </remarks>
internal sealed class DeadlineToken : IDisposable
{
    /// <summary>Timers count in milliseconds.</summary>
    private static readonly TimeSpan ShortestWait = TimeSpan.FromMilliseconds(1);

    private readonly CancellationTokenSource _source = new();
    private readonly Deadline _deadline;
    private readonly ITimer _timer;

    /// <param name="deadline">Decides.</param>
    /// <param name="left">The time until then; <see langword="null"/> for no limit.</param>
    /// <param name="time">The clock.</param>
    public DeadlineToken(Deadline deadline, TimeSpan? left, TimeProvider time)
    {
        _deadline = deadline;
        using var unbound = ExecutionContext.IsFlowSuppressed() ? default(AsyncFlowControl?) : ExecutionContext.SuppressFlow();
        _timer = time.CreateTimer(static t => ((DeadlineToken)t!).Fire(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        Set(left);
    }

    public CancellationToken Token => _source.Token;

    /// <summary>Sets the time until the deadline.</summary>
    public void Set(TimeSpan? left) =>
        _timer.Change(left < ShortestWait ? ShortestWait : left ?? Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

    /// <summary>Cancels it.</summary>
    public void Cancel() => _source.Cancel();

    /// <summary>Stops the timer. The source has no resources of its own, and a cancellation may be under way.</summary>
    public void Dispose() => _timer.Dispose();

    private void Fire()
    {
        var left = _deadline.End(this);
        if (left > TimeSpan.Zero)
            Set(left); // another limit applies by now, or the timer's clock is coarser
        else if (left is not null)
            Cancel(); // its callbacks are arbitrary code, and must not run under the lock
    }
}
