using Lintel.Errors;
using Lintel.Pipeline;

namespace Lintel.Forwarding;

/// <summary>
/// The deadline of a request: the response head within <c>timeouts.request</c> of the end of the request body, a gRPC call as a whole
/// within the timeout that its client sets. Within it, each attempt may have a limit of its own.
/// </summary>
/// <remarks>
/// A forwarder with its own timers uses <see cref="Left"/>; one without uses the <see cref="Token"/>, which costs a timer. Thread rule:
/// with a request body, its reader and the response's reader both call, with a token the timer, and several attempts in a race (<see
/// cref="Share"/>), synchronized by a lock; otherwise there is a single caller, and no lock is taken.
/// </remarks>
internal sealed class Deadline : IDisposable
{
    private Lock? _lock;
    private TimeProvider _time = null!; // set by Begin
    private TimeSpan _head;
    private TimeSpan? _call;
    private long _started;
    private DeadlineToken? _token;
    private TimeSpan _limit;
    private long _from;
    private TimeSpan? _perTry;
    private long _tryFrom;
    private long _headAt;
    private bool _hasHead;
    private bool _callIsNext;
    private bool _isOver;
    private bool _isTryOver;
    private bool _disposed;

    private Deadline() { }

    /// <summary>Starts the deadline.</summary>
    /// <param name="head">The limit for the response head; it starts now if there is no body to wait for.</param>
    /// <param name="call">The limit for the whole call, starting now; <see langword="null"/> for no limit.</param>
    /// <param name="hasBody">Whether the request has a body, which is sent first.</param>
    /// <param name="time">The clock.</param>
    /// <param name="now">The clock's current timestamp.</param>
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
        deadline._perTry = null;
        deadline._hasHead = deadline._isOver = deadline._isTryOver = deadline.Measures = false;
        deadline._headAt = 0;
        return deadline;
    }

    /// <summary>Lets several attempts use the deadline at once.</summary>
    public void Share() => _lock ??= new Lock();

    /// <summary>Canceled when the deadline has passed, and not once a head has come in time.</summary>
    public CancellationToken Token
    {
        get
        {
            _lock ??= new Lock();
            using (Enter())
            {
                if (_token is null)
                {
                    _token = new DeadlineToken(this, Left, _time);
                    if (Left <= TimeSpan.Zero)
                        _token.Cancel(); // nobody has seen it yet; a timer would be later than what fails by itself
                }

                return _token.Token;
            }
        }
    }

    /// <summary>The time left of the limit that currently applies; <see langword="null"/> without one.</summary>
    public TimeSpan? Left => _limit == Timeout.InfiniteTimeSpan && _perTry is null ? null : LeftAt(_time.GetTimestamp());

    /// <summary>The time left of the current limit, for callers that have just read the clock.</summary>
    public TimeSpan? LeftAt(long timestamp)
    {
        var left = LeftOfRequest(timestamp);
        return LeftOfTry(timestamp) is { } ofTry && !(left <= ofTry) ? ofTry : left;
    }

    /// <summary>The time left of the request, regardless of the attempt.</summary>
    public TimeSpan? LeftOfRequest(long timestamp) =>
        _limit == Timeout.InfiniteTimeSpan ? null : Positive(_limit - _time.GetElapsedTime(_from, timestamp));

    /// <summary>Whether the request may not go on; the end of an attempt's own limit is not.</summary>
    public bool IsOver => _isOver || LeftOfRequest(_time.GetTimestamp()) <= TimeSpan.Zero;

    /// <summary>The error kind of the limit that has passed; <see langword="null"/> if none has.</summary>
    public GatewayErrorKind? Expired =>
        IsOver ? (_callIsNext ? GatewayErrorKind.DeadlineExceeded : GatewayErrorKind.ResponseTimeout)
        : IsTryOver ? GatewayErrorKind.ResponseTimeout
        : null;

    /// <summary>Whether the limit of the attempt ends before that of the request.</summary>
    private bool IsTryNext =>
        _perTry is not null && _time.GetTimestamp() is var now && LeftOfTry(now) is { } ofTry && !(LeftOfRequest(now) <= ofTry);

    private bool IsTryOver => _isTryOver || (_perTry is not null && IsTryNext && Left <= TimeSpan.Zero);

    /// <summary>Whether the request has been sent completely.</summary>
    public bool IsBodySent { get; private set; }

    /// <summary>Whether <see cref="TakeLatency"/> is wanted: it costs a reading of the clock.</summary>
    public bool Measures { get; set; }

    /// <summary>
    /// How long the service took: from the start of the attempt, or the end of the body, to the response head; <see langword="null"/> if it
    /// is not measured, or no head has arrived. Applies to one attempt.
    /// </summary>
    /// <param name="began">The start of the attempt.</param>
    public TimeSpan? TakeLatency(long began)
    {
        using (Enter())
        {
            var head = _headAt;
            _headAt = 0;
            if (head == 0)
                return null;
            // The time at which the body was sent; of an earlier attempt, or after the head, it does not count.
            var isOfAttempt = _lock is not null && _tryFrom > began && _tryFrom <= head;
            return _time.GetElapsedTime(isOfAttempt ? _tryFrom : began, head);
        }
    }

    /// <summary>Marks the deadline as passed: the forwarder's own timer has fired, which may be that of the attempt.</summary>
    public void Expire()
    {
        if (IsTryNext)
            _isTryOver = true;
        else
            _isOver = true;
    }

    /// <summary>Ends the attempt, or the request, if its time is over: called by the token's timer.</summary>
    /// <returns>The time left, zero if it was ended; <see langword="null"/> if no limit applies to this token.</returns>
    public TimeSpan? End(DeadlineToken token)
    {
        using (Enter())
        {
            var now = _time.GetTimestamp();
            var left = _disposed || token != _token ? null : LeftAt(now);
            if (left > TimeSpan.Zero || left is null)
                return left;
            if (LeftOfRequest(now) <= TimeSpan.Zero)
                _isOver = true;
            else
                _isTryOver = true;
            return left;
        }
    }

    /// <summary>Begins an attempt.</summary>
    /// <param name="perTry">The limit for its response head, from the end of the request; <see langword="null"/> for none.</param>
    /// <param name="now">The clock's current timestamp.</param>
    public void BeginTry(TimeSpan? perTry, long now)
    {
        if (perTry is null)
            return;
        using (Enter())
        {
            (_perTry, _tryFrom, _isTryOver) = (perTry, now, false);
            _token?.Dispose();
            _token = null; // one token for each attempt: that of an earlier one may have been canceled
        }
    }

    /// <summary>
    /// Signals that the request is sent completely: an upload may take as long as it makes progress, and the wait for the response head
    /// begins here.
    /// </summary>
    public void BodySent()
    {
        using (Enter())
        {
            var isRepeated = IsBodySent;
            IsBodySent = true;
            _tryFrom = _time.GetTimestamp();
            if (_hasHead)
                return;
            if (isRepeated)
            {
                _token?.Set(LeftAt(_tryFrom)); // the limit of the request began with its first attempt
                return;
            }

            var left = LeftOfCall();
            _callIsNext = left <= _head;
            Set_NeedsLock(_callIsNext ? left!.Value : _head);
        }
    }

    /// <summary>Signals that the response head has arrived: from here on only the idle timeout and the call's own limit apply.</summary>
    /// <returns>False if it is too late: the <see cref="Token"/> is canceled, and the attempt has timed out.</returns>
    public bool HeadCame()
    {
        using (Enter())
        {
            _hasHead = true;
            if (_token is not null && (_isOver || _isTryOver))
                return false;
            if (Measures)
                _headAt = _time.GetTimestamp();
            _callIsNext = _call is not null;
            if (_callIsNext || _token is not null)
                Set_NeedsLock(LeftOfCall() ?? Timeout.InfiniteTimeSpan);
            else if (!_isOver)
                // the forwarder's own timer has not fired: the head came in time, and the clock need not be read
                _limit = Timeout.InfiniteTimeSpan;
            return true;
        }
    }

    /// <summary>
    /// Ends the deadline. An object that had neither a body nor a token was visible to its owner alone, and is reused for another request.
    /// </summary>
    public void Dispose()
    {
        if (_lock is null)
        {
            Spares<Deadline>.Keep(this);
            return;
        }

        using (Enter())
            _disposed = true;
        _token?.Dispose();
    }

    /// <summary>The time left of the attempt's own limit; <see langword="null"/> while none applies.</summary>
    private TimeSpan? LeftOfTry(long timestamp) =>
        _perTry is { } limit && IsBodySent && !_hasHead ? Positive(limit - _time.GetElapsedTime(_tryFrom, timestamp)) : null;

    private Lock.Scope Enter() => _lock is null ? default : _lock.EnterScope();

    private static TimeSpan Positive(TimeSpan time) => time > TimeSpan.Zero ? time : TimeSpan.Zero;

    private void Set_NeedsLock(TimeSpan limit)
    {
        if (_disposed || IsOver)
            return;
        _from = _time.GetTimestamp();
        _limit = limit;
        _token?.Set(LeftAt(_from));
    }

    private TimeSpan? LeftOfCall() => _call is { } call ? Positive(call - _time.GetElapsedTime(_started)) : null;
}
