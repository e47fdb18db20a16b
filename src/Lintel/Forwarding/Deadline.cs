using Lintel.Errors;

namespace Lintel.Forwarding;

/// <summary>When a request must be over: the response's head within <c>timeouts.request</c> of the end of the request's body, a gRPC call as a whole within the time its client gives it.</summary>
/// <remarks>Thread rule: the body's reader and the response's reader both call; a lock orders them.</remarks>
internal sealed class Deadline : IDisposable
{
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _source;
    private readonly TimeProvider _time;
    private readonly TimeSpan _head;
    private readonly TimeSpan? _call;
    private readonly long _started;
    private bool _hasHead;
    private bool _callIsNext;
    private bool _disposed;

    /// <summary>Begins.</summary>
    /// <param name="head">For the head, from now on where there is no body to wait for.</param>
    /// <param name="call">For everything, from now on; <see langword="null"/> without such a limit.</param>
    /// <param name="hasBody">Whether a body comes first.</param>
    /// <param name="time">The clock.</param>
    public Deadline(TimeSpan head, TimeSpan? call, bool hasBody, TimeProvider time)
    {
        _head = head;
        _call = call;
        _time = time;
        _started = time.GetTimestamp();
        IsBodySent = !hasBody;
        _callIsNext = call is { } limit && (hasBody || limit <= head);
        _source = new CancellationTokenSource(_callIsNext ? call!.Value : hasBody ? Timeout.InfiniteTimeSpan : head, time);
    }

    public CancellationToken Token => _source.Token;

    public bool IsOver => _source.IsCancellationRequested;

    /// <summary>What it means that the time is over.</summary>
    public GatewayErrorKind Kind => _callIsNext ? GatewayErrorKind.DeadlineExceeded : GatewayErrorKind.ResponseTimeout;

    /// <summary>Whether nothing of the request is left to send.</summary>
    public bool IsBodySent { get; private set; }

    /// <summary>The request is sent whole: an upload may take its time as long as it moves, and the wait for the head begins here.</summary>
    public void BodySent()
    {
        lock (_lock)
        {
            IsBodySent = true;
            if (_hasHead || _disposed || IsOver)
                return;
            var left = Left();
            _callIsNext = left <= _head;
            _source.CancelAfter(_callIsNext ? left!.Value : _head);
        }
    }

    /// <summary>The response's head is there: what follows has the idle timeout, and the call's own time.</summary>
    public void HeadCame()
    {
        lock (_lock)
        {
            _hasHead = true;
            if (_disposed || IsOver)
                return;
            _callIsNext = _call is not null;
            _source.CancelAfter(Left() ?? Timeout.InfiniteTimeSpan);
        }
    }

    public void Dispose()
    {
        lock (_lock)
            _disposed = true;
        _source.Dispose();
    }

    private TimeSpan? Left()
    {
        if (_call is not { } call)
            return null;
        var left = call - _time.GetElapsedTime(_started);
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }
}
