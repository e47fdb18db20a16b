using System.Runtime.CompilerServices;
using Lintel.Transport.Http1;

namespace Lintel.Services.Connections;

/// <summary>
/// A connection to an instance below SocketsHttpHandler's HTTP/1.1. It adds two missing features: a response may begin while the request's
/// body is still being sent, and interim responses (103) are reported. It watches only requests that have an <see cref="Http1Exchange"/>;
/// the bytes of all others pass unchanged.
/// </summary>
/// <remarks>
/// Thread rule: the handler reads or writes, and the body's writer watches and writes; a lock protects their shared state. Only one read at
/// a time is issued on the socket.
/// </remarks>
internal sealed class Http1Stream(Stream inner) : SequentialStream
{
    private static readonly byte[] CloseField = "Connection: close\r\n"u8.ToArray();

    // A service that has read the body's last bytes may answer before the write that carried them has returned here. The head then waits
    // for that write, so that the connection is kept; a service that answers without reading them costs its response no more than this.
    private static readonly TimeSpan LastWriteGrace = TimeSpan.FromMilliseconds(20);

    private readonly Lock _lock = new();
    private Http1Exchange? _exchange;
    private TaskCompletionSource? _changed;
    private TaskCompletionSource? _lastWrite;
    private List<(int Status, List<KeyValuePair<string, string>> Fields)>? _interim;
    private Exception? _failure;
    private bool _isReading;
    private bool _isFinal;
    private bool _isEnded;
    private bool _hasBodyUnderWay;
    private long _unsent;
    private int _interimHeads;

    // Data read of a watched response: delivered up to _start, may be delivered up to _safe.
    private byte[] _ahead = [];
    private int _start;
    private int _safe;
    private int _end;

    public override bool CanRead => true;

    public override bool CanWrite => true;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            Task? other = null;
            lock (_lock)
            {
                if (_safe > _start)
                    return buffer.IsEmpty ? 0 : Deliver_NeedsLock(buffer.Span);
                if (_failure is not null)
                    throw new IOException(_failure.Message, _failure);
                if (_isEnded)
                    return 0;
                if (_isReading)
                    other = Changed_NeedsLock();
                _isReading = true;
            }

            if (other is not null)
            {
                await other.ConfigureAwait(false);
                continue;
            }

            var count = 0;
            var isWatched = false;
            try
            {
                count = await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
                await LastWriteAsync().ConfigureAwait(false);
            }
            finally
            {
                lock (_lock)
                {
                    _isReading = false;
                    isWatched = _exchange is not null && !_isFinal && !buffer.IsEmpty && !IsFinal_NeedsLock(buffer.Span[..count]);
                    if (isWatched)
                        Ingest_NeedsLock(buffer.Span[..count]);
                    NotifyChanged_NeedsLock();
                }
            }

            if (!isWatched)
                return count;
            await SendInterimAsync().ConfigureAwait(false);
        }
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_unsent > 0)
        {
            var taken = (int)Math.Min(_unsent, buffer.Length);
            _unsent -= taken;
            buffer = buffer[taken..];
            if (buffer.IsEmpty)
                return default;
        }

        if (Http1Exchange.Current.Value is { } exchange && exchange.Stream != this)
            Begin(exchange);
        return inner.WriteAsync(buffer, cancellationToken);
    }

    public ValueTask WriteBodyAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) =>
        inner.WriteAsync(bytes, cancellationToken);

    /// <summary>Writes the last bytes of the body; afterwards the connection may carry further requests.</summary>
    public async ValueTask EndBodyAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        var lastWrite = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
            _lastWrite = lastWrite;
        try
        {
            await inner.WriteAsync(bytes, cancellationToken).ConfigureAwait(false);
            lock (_lock)
                _hasBodyUnderWay = false;
        }
        finally
        {
            lastWrite.SetResult();
        }
    }

    /// <summary>
    /// Sets how many bytes of the handler's substitute for the body are discarded: the body itself was sent already, or is sent separately.
    /// </summary>
    public void SetUnsentBytes(long bytes) => _unsent = bytes;

    /// <summary>Waits until the final response begins, or the connection ends.</summary>
    public async Task WatchAsync()
    {
        while (true)
        {
            Task? other = null;
            lock (_lock)
            {
                if (_isFinal || _isEnded || _failure is not null)
                    return;
                if (_isReading)
                    other = Changed_NeedsLock();
                _isReading = true;
            }

            await (other ?? ReadAheadAsync()).ConfigureAwait(false);
        }
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    public override void Flush() => inner.Flush();

    public override async ValueTask DisposeAsync()
    {
        await inner.DisposeAsync().ConfigureAwait(false);
        await base.DisposeAsync().ConfigureAwait(false);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            inner.Dispose();
        base.Dispose(disposing);
    }

    private void Begin(Http1Exchange exchange)
    {
        lock (_lock)
        {
            exchange.Stream = this;
            _exchange = exchange;
            _isFinal = false;
            _lastWrite = null;
            _hasBodyUnderWay = exchange.StreamsBody; // before the head is sent: the response may arrive before the next line runs
            _start = _safe = _end = _interimHeads = 0;
        }
    }

    /// <summary>Waits for the end of the body's last write, if it is under way, for a bounded time.</summary>
    private ValueTask LastWriteAsync()
    {
        Task? write;
        lock (_lock)
            write = _lastWrite?.Task;
        return write is null or { IsCompleted: true }
            ? default
            : new ValueTask(write.WaitAsync(LastWriteGrace).ContinueWith(static _ => { }, TaskScheduler.Default));
    }

    /// <summary>Reads ahead for the watch only. The data, or the failure, is kept for the handler.</summary>
    private async Task ReadAheadAsync()
    {
        var buffer = new byte[4096];
        var count = 0;
        Exception? failure = null;
        try
        {
            count = await inner.ReadAsync(buffer).ConfigureAwait(false);
            await LastWriteAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            failure = e;
        }

        lock (_lock)
        {
            _isReading = false;
            _failure = failure;
            if (failure is null)
                Ingest_NeedsLock(buffer.AsSpan(0, count));
            NotifyChanged_NeedsLock();
        }

        await SendInterimAsync().ConfigureAwait(false);
    }

    /// <summary>Whether the bytes begin a final response, as nearly every response does. It is passed without copying.</summary>
    private bool IsFinal_NeedsLock(ReadOnlySpan<byte> bytes)
    {
        if (_end > 0 || _hasBodyUnderWay || Http1Head.Status(bytes, out _) is 0 or (>= 100 and < 200))
            return false;
        _isFinal = true;
        _exchange = null;
        return true;
    }

    private Task Changed_NeedsLock() => (_changed ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    private void NotifyChanged_NeedsLock()
    {
        _changed?.SetResult();
        _changed = null;
    }

    private int Deliver_NeedsLock(Span<byte> buffer)
    {
        var count = Math.Min(buffer.Length, _safe - _start);
        _ahead.AsSpan(_start, count).CopyTo(buffer);
        _start += count;
        if (_start == _end && _isFinal)
        {
            _exchange = null;
            _ahead = [];
            _start = _safe = _end = 0;
        }

        return count;
    }

    private void Ingest_NeedsLock(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
        {
            _isEnded = true;
            _safe = _end;
            return;
        }

        Append_NeedsLock(_end, bytes);
        while (!_isFinal)
        {
            var head = _ahead.AsSpan(_safe, _end - _safe);
            var status = Http1Head.Status(head, out var line);
            if (status == 0)
                return;
            if (status is >= 100 and < 200 and not 101)
            {
                var length = Http1Head.Length(head);
                if (length == 0 && head.Length < Http1Head.MaxLength)
                    return;
                if (length > 0)
                {
                    if (++_interimHeads > Http1Options.DefaultMaxInterimHeads)
                    {
                        _failure = new Http1Exception(
                            Http1Failure.Malformed,
                            $"more than {Http1Options.DefaultMaxInterimHeads} interim responses preceded the final response"
                        );
                        _safe = _start;
                        return;
                    }

                    if (status != 100 && _exchange!.Interim is not null)
                        (_interim ??= []).Add((status, Http1Head.Fields(head[..length])));
                    _safe += length;
                    continue;
                }
            }

            _isFinal = true;
            if (_hasBodyUnderWay && status > 0)
                Append_NeedsLock(_safe + line, CloseField);
            _safe = _end;
        }
    }

    /// <summary>Inserts bytes at an index, before the existing data.</summary>
    private void Append_NeedsLock(int at, ReadOnlySpan<byte> bytes)
    {
        if (_ahead.Length - _end < bytes.Length)
            Array.Resize(ref _ahead, Math.Max(_ahead.Length * 2, _end + bytes.Length + CloseField.Length));
        _ahead.AsSpan(at, _end - at).CopyTo(_ahead.AsSpan(at + bytes.Length));
        bytes.CopyTo(_ahead.AsSpan(at));
        _end += bytes.Length;
    }

    private async ValueTask SendInterimAsync()
    {
        List<(int Status, List<KeyValuePair<string, string>> Fields)>? interims;
        Func<int, List<KeyValuePair<string, string>>, ValueTask>? interim;
        lock (_lock)
        {
            interims = _interim;
            interim = _exchange?.Interim;
            _interim = null;
        }

        if (interims is null || interim is null)
            return;
        foreach (var (status, fields) in interims)
            await interim(status, fields).ConfigureAwait(false);
    }
}
