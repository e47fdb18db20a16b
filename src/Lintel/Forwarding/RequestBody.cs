using Microsoft.AspNetCore.Http;

namespace Lintel.Forwarding;

/// <summary>A request's body while a forwarder reads it: somebody looks at what passes.</summary>
internal abstract class RequestBody : ForwardOnlyStream
{
    private readonly HttpRequest _request;
    private readonly Stream _inner;

    /// <summary>Puts itself in the body's place.</summary>
    protected RequestBody(HttpRequest request)
    {
        _request = request;
        _inner = request.Body;
        request.Body = this;
    }

    /// <summary>Gives the request its own body back.</summary>
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

    /// <summary>Some of it went by.</summary>
    protected abstract void Passed(ReadOnlySpan<byte> bytes);

    /// <summary>All of it went by.</summary>
    protected abstract void Ended();
}

/// <summary>Tells the deadline when the request is sent whole.</summary>
internal sealed class DeadlineBody(HttpRequest request, Deadline deadline) : RequestBody(request)
{
    private long _count;

    /// <summary>Bytes that went by.</summary>
    public long Count => Interlocked.Read(ref _count);

    protected override void Passed(ReadOnlySpan<byte> bytes) => Interlocked.Add(ref _count, bytes.Length);

    protected override void Ended() => deadline.BodySent();
}

/// <summary>Keeps a copy of a request body for a mirror, up to a limit.</summary>
internal sealed class BodyRecorder : RequestBody
{
    private readonly MemoryStream? _copy;
    private readonly int _limit;
    private bool _overflowed;

    public BodyRecorder(HttpRequest request, bool canHaveBody, int limit)
        : base(request)
    {
        _limit = limit;
        IsComplete = !canHaveBody;
        if (canHaveBody)
            _copy = new MemoryStream();
    }

    /// <summary>Whether the whole body was read and fits.</summary>
    public bool IsComplete { get; private set; }

    /// <summary>The copy; <see langword="null"/> for a request without body.</summary>
    public ReadOnlyMemory<byte>? Body => _copy is null ? null : _copy.GetBuffer().AsMemory(0, (int)_copy.Length);

    protected override void Passed(ReadOnlySpan<byte> bytes)
    {
        if (_copy!.Length + bytes.Length <= _limit)
            _copy.Write(bytes);
        else
            _overflowed = true;
    }

    protected override void Ended() => IsComplete = !_overflowed;
}
