using Lintel.Errors;
using Lintel.Pipeline;

namespace Lintel.Forwarding;

/// <summary>
/// When a request must be over: the response's head within <c>timeouts.request</c> of the end of the request's body, a gRPC call as a whole
/// within the time its client gives it.
/// </summary>
/// <remarks>
/// A forwarder that has timers of its own asks for <see cref="Left"/>; one that has none takes the <see cref="Token"/>, which costs a
/// timer. Thread rule: where there is a body, its reader and the response's reader both call, and a lock orders them; without one there is
/// nobody to be ordered, and nothing is locked.
/// </remarks>
internal sealed class Deadline : IDisposable
{
    private Lock? _lock;
    private TimeProvider _time = null!; // from Begin on
    private TimeSpan _head;
    private TimeSpan? _call;
    private long _started;
    private CancellationTokenSource? _source;
    private TimeSpan _limit;
    private long _from;
    private bool _hasHead;
    private bool _callIsNext;
    private bool _isOver;
    private bool _disposed;

    private Deadline() { }

    /// <summary>Begins.</summary>
    /// <param name="head">For the head, from now on where there is no body to wait for.</param>
    /// <param name="call">For everything, from now on; <see langword="null"/> without such a limit.</param>
    /// <param name="hasBody">Whether a body comes first.</param>
    /// <param name="time">The clock.</param>
    /// <param name="now">Its timestamp.</param>
    public static Deadline Begin(TimeSpan head, TimeSpan? call, bool hasBody, TimeProvider time, long now)
    {
        var deadline = Spares<Deadline>.Take() ?? new Deadline();
        deadline._head = head;
        deadline._call = call;
        deadline._time = time;
        deadline._from = deadline._started = now;
        deadline.IsBodySent = !hasBody;
        deadline._lock = hasBody ? new Lock() : null;
        deadline._callIsNext = call is { } limit && (hasBody || limit <= head);
        deadline._limit =
            deadline._callIsNext ? call!.Value
            : hasBody ? Timeout.InfiniteTimeSpan
            : head;
        deadline._hasHead = deadline._isOver = false;
        return deadline;
    }

    /// <summary>Canceled when the time is over.</summary>
    public CancellationToken Token
    {
        get
        {
            using (Enter())
                return (_source ??= new CancellationTokenSource(Left ?? Timeout.InfiniteTimeSpan, _time)).Token;
        }
    }

    /// <summary>What is left of the limit that holds now; <see langword="null"/> without one.</summary>
    public TimeSpan? Left => _limit == Timeout.InfiniteTimeSpan ? null : LeftAt(_time.GetTimestamp());

    /// <summary>The same, for who has looked at the clock a moment ago.</summary>
    public TimeSpan? LeftAt(long timestamp) =>
        _limit == Timeout.InfiniteTimeSpan ? null : Positive(_limit - _time.GetElapsedTime(_from, timestamp));

    public bool IsOver => _isOver || Left <= TimeSpan.Zero || _source is { IsCancellationRequested: true };

    /// <summary>What it means that the time is over.</summary>
    public GatewayErrorKind Kind => _callIsNext ? GatewayErrorKind.DeadlineExceeded : GatewayErrorKind.ResponseTimeout;

    /// <summary>Whether nothing of the request is left to send.</summary>
    public bool IsBodySent { get; private set; }

    /// <summary>The forwarder's own timer says that the time is over.</summary>
    public void Expire() => _isOver = true;

    /// <summary>
    /// The request is sent whole: an upload may take its time as long as it moves, and the wait for the head begins here.
    /// </summary>
    public void BodySent()
    {
        using (Enter())
        {
            IsBodySent = true;
            if (_hasHead)
                return;
            var left = LeftOfCall();
            _callIsNext = left <= _head;
            Set_NeedsLock(_callIsNext ? left!.Value : _head);
        }
    }

    /// <summary>The response's head is there: what follows has the idle timeout, and the call's own time.</summary>
    public void HeadCame()
    {
        using (Enter())
        {
            _hasHead = true;
            _callIsNext = _call is not null;
            if (_callIsNext || _source is not null)
                Set_NeedsLock(LeftOfCall() ?? Timeout.InfiniteTimeSpan);
            else if (!_isOver)
                // the forwarder's own timer has not fired: it came in time, and the clock need not be asked
                _limit = Timeout.InfiniteTimeSpan;
        }
    }

    /// <summary>Ends it. One that had neither a body nor a token was known to its owner alone, and serves another request.</summary>
    public void Dispose()
    {
        if (_lock is null && _source is null)
        {
            Spares<Deadline>.Keep(this);
            return;
        }

        using (Enter())
            _disposed = true;
        _source?.Dispose();
    }

    private Lock.Scope Enter() => _lock is null ? default : _lock.EnterScope();

    private static TimeSpan Positive(TimeSpan time) => time > TimeSpan.Zero ? time : TimeSpan.Zero;

    private void Set_NeedsLock(TimeSpan limit)
    {
        if (_disposed || IsOver)
            return;
        _from = _time.GetTimestamp();
        _limit = limit;
        _source?.CancelAfter(limit);
    }

    private TimeSpan? LeftOfCall() => _call is { } call ? Positive(call - _time.GetElapsedTime(_started)) : null;
}
