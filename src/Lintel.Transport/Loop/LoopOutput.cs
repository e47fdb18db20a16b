using System.IO.Pipelines;
using System.Net.Sockets;
using System.Threading.Tasks.Sources;
using Lintel.Transport.Memory;

namespace Lintel.Transport.Loop;

/// <summary>
/// The output pipe of a client connection for Kestrel. A flush sends immediately, on the calling thread; only data that the system does not
/// accept waits for the loop.
/// </summary>
/// <remarks>
/// A flush completes when the system has accepted all data: backpressure without a threshold. Pending data beyond one block is taken from
/// the memory budget; a client that does not read, and for which there is no memory, is aborted. Thread rule: one writer at a time;
/// <see cref="CancelPendingFlush"/> from anywhere.
/// </remarks>
internal sealed class LoopOutput(ClientSocket socket) : PipeWriter, IValueTaskSource<FlushResult>
{
    private ManualResetValueTaskSourceCore<FlushResult> _flush;
    private readonly Queue<(byte[] Bytes, int Count)> _full = new(0);
    private MemoryLease _lease = new(socket.Loop.Group.Memory, BufferUse.Output);
    private byte[]? _block;
    private int _count;
    private int _sent;
    private int _fullBytes;
    private bool _isCompleted;
    private volatile bool _isBroken;
    private int _isCanceled;
    private int _isFlushing;

    public override bool CanGetUnflushedBytes => true;

    public override long UnflushedBytes => _fullBytes + _count - _sent;

    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        if (_block is null)
        {
            _block = Blocks.Rent(sizeHint);
        }
        else if (_block.Length - _count < Math.Max(1, sizeHint))
        {
            if (_count > 0)
                _full.Enqueue((_block, _count));
            else
                Blocks.Return(_block);
            _fullBytes += _count;
            _count = 0;
            _block = Blocks.Rent(sizeHint);
        }

        return _block.AsMemory(_count);
    }

    public override Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    public override void Advance(int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)bytes, (uint)((_block?.Length ?? 0) - _count), nameof(bytes));
        _count += bytes;
    }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        if (Interlocked.Exchange(ref _isFlushing, 1) == 1)
            throw new InvalidOperationException("A flush is already in progress.");
        _flush.Reset();
        var version = _flush.Version;
        return Send() ? new(Finish()) : new ValueTask<FlushResult>(this, version);
    }

    public override void CancelPendingFlush() => Interlocked.Exchange(ref _isCanceled, 1);

    public override void Complete(Exception? exception = null) => _isCompleted = true;

    /// <summary>Sends what was written and not flushed, and gives the blocks back.</summary>
    public async ValueTask DrainAsync()
    {
        if (UnflushedBytes > 0 && Volatile.Read(ref _isFlushing) == 0)
            await FlushAsync().ConfigureAwait(false);
        Release();
    }

    /// <summary>The writer waited, and the socket is writable again.</summary>
    public void BecameWritable()
    {
        if (Send())
            _flush.SetResult(Finish());
    }

    FlushResult IValueTaskSource<FlushResult>.GetResult(short token) => _flush.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<FlushResult>.GetStatus(short token) => _flush.GetStatus(token);

    void IValueTaskSource<FlushResult>.OnCompleted(
        Action<object?> continuation,
        object? state,
        short token,
        ValueTaskSourceOnCompletedFlags flags
    ) => _flush.OnCompleted(continuation, state, token, flags);

    private FlushResult Finish()
    {
        Volatile.Write(ref _isFlushing, 0);
        return new FlushResult(Interlocked.Exchange(ref _isCanceled, 0) == 1, _isBroken || _isCompleted);
    }

    /// <returns>False when the rest has to wait.</returns>
    private bool Send()
    {
        try
        {
            while (UnflushedBytes > 0 && !_isBroken)
            {
                if (socket.AbortReason is not null)
                {
                    _isBroken = true;
                    break;
                }

                var (bytes, count) = _full.Count > 0 ? _full.Peek() : (_block!, _count);
                var sent = socket.TrySend(bytes.AsSpan(_sent, count - _sent));
                if (sent > 0)
                    Sent(sent, bytes, count);
                else if (!TryKeep())
                    _isBroken = true;
                else if (!socket.BeginSend())
                    return false;
            }
        }
        catch (SocketException)
        {
            _isBroken = true; // the reader learns why
        }

        Release();
        return true;
    }

    /// <summary>
    /// Reserves the memory of the data that the system has not accepted, except for one block of the usual size; or aborts the connection.
    /// </summary>
    private bool TryKeep()
    {
        var bytes = (_block?.Length ?? 0) - (long)Blocks.Size;
        foreach (var full in _full)
            bytes += full.Bytes.Length;
        if (_lease.TryHold(Math.Max(0, bytes)))
            return true;
        socket.Abort(new UnreadOutputException());
        return false;
    }

    private void Sent(int sent, byte[] bytes, int count)
    {
        _sent += sent;
        if (_sent < count || _full.Count == 0)
            return;
        _full.Dequeue();
        _fullBytes -= count;
        _sent = 0;
        Blocks.Return(bytes);
    }

    private void Release()
    {
        while (_full.TryDequeue(out var full))
            Blocks.Return(full.Bytes);
        if (_block is not null)
            Blocks.Return(_block);
        _block = null;
        _count = _sent = _fullBytes = 0;
        _lease.Dispose();
    }
}
