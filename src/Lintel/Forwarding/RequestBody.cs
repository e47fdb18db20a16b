using Lintel.Carriers;
using Lintel.Services.Balancing;
using Lintel.Transport.Memory;

namespace Lintel.Forwarding;

/// <summary>A request body that observes what a forwarder reads from it.</summary>
internal abstract class RequestBody : ForwardOnlyStream
{
    private readonly ClientRequest _request;
    private readonly Stream _inner;

    /// <summary>Replaces the request's body with this one.</summary>
    protected RequestBody(ClientRequest request)
    {
        _request = request;
        _inner = request.Body;
        request.Body = this;
    }

    /// <summary>Restores the request's own body.</summary>
    public void Stop() => _request.Body = _inner;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var count = await _inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        if (count > 0)
            Passed(buffer.Span[..count]);
        else if (buffer.Length > 0)
            Ended();
        return count;
    }

    /// <summary>Called with the bytes that were read.</summary>
    protected abstract void Passed(ReadOnlySpan<byte> bytes);

    /// <summary>Called when the body was read to its end.</summary>
    protected abstract void Ended();
}

/// <summary>Notifies the deadline when the request is sent completely.</summary>
internal sealed class DeadlineBody(ClientRequest request, Deadline deadline) : RequestBody(request)
{
    private long _count;

    /// <summary>Whether reading from the client failed: a cancellation by a service that broke off is not the client's failure.</summary>
    public bool HasFailed { get; private set; }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            return await base.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            HasFailed = true;
            throw;
        }
    }

    /// <summary>The number of bytes read.</summary>
    public long Count => Interlocked.Read(ref _count);

    protected override void Passed(ReadOnlySpan<byte> bytes) => Interlocked.Add(ref _count, bytes.Length);

    protected override void Ended() => deadline.BodySent();
}

/// <summary>
/// Keeps a copy of a request body for a mirror or another attempt, up to a limit and as long as the budget has memory for it.
/// </summary>
/// <remarks>Thread rule: the body has one reader at a time; <see cref="Discard"/> may be called from any thread.</remarks>
internal sealed class BodyRecorder : RequestBody
{
    /// <summary>The initial capacity: most bodies are small.</summary>
    private const int FirstSize = 4096;

    private readonly Lock _lock = new();
    private readonly MemoryStream? _copy;
    private readonly int _limit;
    private MemoryLease _lease;
    private bool _isOver;

    /// <param name="request">The request that owns the body.</param>
    /// <param name="canHaveBody">Whether the request may have a body.</param>
    /// <param name="limit">The maximum length of the copy, in bytes.</param>
    /// <param name="memory">The budget that the copy's memory is taken from.</param>
    /// <param name="use">The purpose of the copy.</param>
    public BodyRecorder(ClientRequest request, bool canHaveBody, int limit, MemoryBudget memory, BufferUse use)
        : base(request)
    {
        _limit = limit;
        _lease = new MemoryLease(memory, use);
        IsComplete = !canHaveBody;
        if (!canHaveBody)
            return;
        _copy = new MemoryStream();
        if (request.ContentLength is not { } length)
            return;
        if (length > limit)
            GiveUp_NeedsLock(NoCopyReason.Length);
        else if (!TryReserve_NeedsLock((int)length))
            GiveUp_NeedsLock(NoCopyReason.Memory);
    }

    /// <summary>Why there is no copy.</summary>
    public enum NoCopyReason
    {
        /// <summary>There is one, or the body was not read to its end.</summary>
        Nothing,

        /// <summary>The body is longer than the limit.</summary>
        Length,

        /// <summary>The budget has no memory for it.</summary>
        Memory,
    }

    /// <summary>What the request says about the instance of its copy; computed here, because the copy outlives the exchange.</summary>
    public RequestKey Key { get; init; }

    /// <summary>Why recording was abandoned, if it was: then no memory is held.</summary>
    public NoCopyReason GaveUp { get; private set; }

    /// <summary>Whether the whole body was read and kept.</summary>
    public bool IsComplete { get; private set; }

    /// <summary>The copy, available until it is discarded; <see langword="null"/> for a request without a body.</summary>
    public ReadOnlyMemory<byte>? Body => _copy?.GetBuffer().AsMemory(0, (int)_copy.Length);

    /// <summary>Releases the memory of a copy that is no longer needed.</summary>
    public void Discard()
    {
        lock (_lock)
        {
            _isOver = true;
            Release_NeedsLock();
        }
    }

    protected override void Passed(ReadOnlySpan<byte> bytes)
    {
        lock (_lock)
        {
            if (_isOver)
                return;
            if (_copy!.Length + bytes.Length > _limit)
                GiveUp_NeedsLock(NoCopyReason.Length);
            else if (!TryReserve_NeedsLock((int)_copy.Length + bytes.Length))
                GiveUp_NeedsLock(NoCopyReason.Memory);
            else
                _copy.Write(bytes);
        }
    }

    protected override void Ended()
    {
        lock (_lock)
            IsComplete = !_isOver;
    }

    private void GiveUp_NeedsLock(NoCopyReason reason)
    {
        GaveUp = reason;
        _isOver = true;
        Release_NeedsLock();
    }

    /// <summary>Reserves the memory before it is allocated, including that of the array that is copied from.</summary>
    private bool TryReserve_NeedsLock(int length)
    {
        if (length <= _copy!.Capacity)
            return true;
        var capacity = Math.Min(_limit, Math.Max(length, Math.Max(FirstSize, _copy.Capacity * 2)));
        if (!_lease.TryHold(_copy.Capacity + capacity))
            return false;
        _copy.Capacity = capacity;
        return _lease.TryHold(capacity);
    }

    private void Release_NeedsLock()
    {
        if (_copy is not null)
        {
            _copy.SetLength(0);
            _copy.Capacity = 0;
        }

        _lease.Dispose();
    }
}
