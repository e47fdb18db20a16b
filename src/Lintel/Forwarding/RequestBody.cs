using Microsoft.AspNetCore.Http;

namespace Lintel.Forwarding;

/// <summary>A request's body while a forwarder reads it: somebody looks at what passes.</summary>
internal abstract class RequestBody : Stream
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

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

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

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("bodies are read asynchronously");

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <summary>Some of it went by.</summary>
    protected abstract void Passed(ReadOnlySpan<byte> bytes);

    /// <summary>All of it went by.</summary>
    protected abstract void Ended();
}

/// <summary>Starts the wait for the response's head when the request is sent whole: an upload may take its time as long as it moves.</summary>
internal sealed class DeadlineBody(HttpRequest request, CancellationTokenSource deadline, TimeSpan timeout) : RequestBody(request)
{
    protected override void Passed(ReadOnlySpan<byte> bytes)
    {
    }

    protected override void Ended()
    {
        try
        {
            deadline.CancelAfter(timeout);
        }
        catch (ObjectDisposedException)
        {
            // The answer came early and the request is over.
        }
    }
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
