using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Text;
using System.Threading.Tasks.Sources;
using Lintel.Carriers;
using Lintel.Config;
using Lintel.Errors;
using Microsoft.AspNetCore.Http;

namespace Lintel.Listeners.Framing;

/// <summary>Validates the framing of an HTTP/1.1 connection before Kestrel reads it, and forwards only unambiguous messages.</summary>
/// <remarks>
/// <para>
/// Kestrel is lenient in places (it takes the first of two Content-Lengths, and a signed one) and answers what it refuses without a body
/// and a log line. So every head is checked before Kestrel sees its first line feed, and every chunk's frame before Kestrel passes it. The
/// bytes of a head that is refused are replaced by those of a small valid request: the pipeline sees <see cref="RequestFraming.Refusal"/>
/// and answers as it answers every other error. A body that goes wrong ends with the exception that Kestrel itself would throw.
/// </para>
/// <para>
/// Nothing is copied: Kestrel gets slices of the connection's own buffers. Thread rule: Kestrel's reads, one at a time; <see cref="Tick"/>
/// comes from its heartbeat.
/// </para>
/// </remarks>
internal sealed class FramingGuard(PipeReader inner, ListenerLimitsConfig limits, TimeProvider time)
    : PipeReader,
        IValueTaskSource<ReadResult>
{
    /// <summary>
    /// The request that replaces a refused head. Its method does not exist, so it cannot be mistaken for a client request.
    /// </summary>
    private static readonly byte[] StandIn = Encoding.ASCII.GetBytes("REFUSED / HTTP/1.1\r\nHost: refused\r\nConnection: close\r\n\r\n");

    private readonly HeadCheck _head = new(limits);
    private ChunkedCheck? _chunked;
    private Stage _stage;
    private ReadOnlySequence<byte> _exposed;
    private ReadOnlyMemory<byte> _substitute;
    private byte[] _scratch = [];

    // Counted from the first byte that Kestrel has not consumed.
    private long _visible; // bytes that it may see
    private long _checked; // bytes that were checked; those of a head become visible with its last one
    private bool _sawAll = true;
    private long _bodyLeft;

    private ManualResetValueTaskSourceCore<ReadResult> _wait;
    private ConfiguredValueTaskAwaitable<ReadResult>.ConfiguredValueTaskAwaiter _reading;
    private Action? _resume;
    private CancellationToken _cancellation;

    private long _headStarted;
    private volatile bool _isOverdue;
    private int _ownCancel;

    private enum Stage
    {
        /// <summary>A head is expected or under way.</summary>
        Head,

        /// <summary>A body of known length.</summary>
        Sized,

        /// <summary>A chunked body.</summary>
        Chunked,

        /// <summary>The message is complete; the data that follows waits until Kestrel has consumed all of it.</summary>
        Whole,

        /// <summary>No more HTTP/1.1: the connection was upgraded.</summary>
        Tunnel,

        /// <summary>Refused: Kestrel reads only the replacement.</summary>
        Refused,
    }

    public RequestFraming Framing { get; } = new();

    /// <summary>From now on every byte belongs to another protocol.</summary>
    public void OpenTunnel() => _stage = Stage.Tunnel;

    /// <summary>Checks the timeout of the current head. Called about once per second.</summary>
    public void Tick()
    {
        var started = Volatile.Read(ref _headStarted);
        if (started == 0 || _isOverdue || time.GetElapsedTime(started) < limits.HeadTimeout)
            return;
        _isOverdue = true;
        Volatile.Write(ref _ownCancel, 1);
        inner.CancelPendingRead();
    }

    public override void CancelPendingRead() => inner.CancelPendingRead();

    public override void Complete(Exception? exception = null) => inner.Complete(exception);

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        var count = _exposed.Slice(0, consumed).Length;
        if (!_substitute.IsEmpty)
        {
            _substitute = _substitute[(int)count..];
            return;
        }

        _sawAll = _exposed.Slice(examined).IsEmpty;
        _visible -= count;
        _checked = Math.Max(0, _checked - count);
        if (_stage != Stage.Refused)
            inner.AdvanceTo(consumed, examined);
    }

    public override bool TryRead(out ReadResult result)
    {
        while (!TryReadStandIn(out result))
        {
            if (!inner.TryRead(out var read))
                return false;
            if (TryExpose(read, out result))
                return true;
        }

        return true;
    }

    /// <remarks>
    /// Every request on a persistent connection is awaited here. The awaiter is this object itself, because an async method would allocate
    /// an object for each wait.
    /// </remarks>
    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        _cancellation = cancellationToken;
        _wait.Reset();
        var version = _wait.Version;
        try
        {
            return TryReadOn(out var result) ? new(result) : new(this, version);
        }
        catch (Exception e)
        {
            return ValueTask.FromException<ReadResult>(e);
        }
    }

    ReadResult IValueTaskSource<ReadResult>.GetResult(short token) => _wait.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<ReadResult>.GetStatus(short token) => _wait.GetStatus(token);

    void IValueTaskSource<ReadResult>.OnCompleted(
        Action<object?> continuation,
        object? state,
        short token,
        ValueTaskSourceOnCompletedFlags flags
    ) => _wait.OnCompleted(continuation, state, token, flags);

    /// <summary>Reads until there is something to show.</summary>
    /// <returns>False if data has to be awaited; then <see cref="Resume"/> is called.</returns>
    private bool TryReadOn(out ReadResult result)
    {
        while (!TryReadStandIn(out result))
        {
            if (!IsRead(inner.ReadAsync(_cancellation)))
                return false;
            if (TryExpose(_reading.GetResult(), out result))
                break;
        }

        return true;
    }

    private bool IsRead(ValueTask<ReadResult> reading)
    {
        _reading = reading.ConfigureAwait(false).GetAwaiter();
        if (_reading.IsCompleted)
            return true;
        _reading.UnsafeOnCompleted(_resume ??= Resume);
        return false;
    }

    /// <summary>The connection's reader has something.</summary>
    private void Resume()
    {
        ReadResult result;
        try
        {
            if (!TryExpose(_reading.GetResult(), out result) && !TryReadOn(out result))
                return;
        }
        catch (Exception e)
        {
            _wait.SetException(e);
            return;
        }

        _wait.SetResult(result);
    }

    private bool TryReadStandIn(out ReadResult result)
    {
        result = default;
        if (_substitute.IsEmpty && _stage != Stage.Refused)
            return false;
        _exposed = new ReadOnlySequence<byte>(_substitute);
        result = new ReadResult(_exposed, isCanceled: false, isCompleted: _stage == Stage.Refused);
        return true;
    }

    /// <summary>Validates new data and exposes the valid part to Kestrel.</summary>
    /// <returns>False if there is nothing to expose yet: the data was examined, and more is read.</returns>
    private bool TryExpose(in ReadResult read, out ReadResult result)
    {
        var buffer = read.Buffer;
        var before = _visible;
        var isCanceled = read.IsCanceled && Interlocked.Exchange(ref _ownCancel, 0) == 0;
        result = default;
        if (!Check(buffer, read.IsCompleted))
        {
            inner.AdvanceTo(buffer.End);
            return false;
        }

        if (!_substitute.IsEmpty)
        {
            inner.AdvanceTo(buffer.GetPosition(_checked));
            _checked = 0;
            return false;
        }

        if (_visible == before && _sawAll && !isCanceled && !read.IsCompleted)
        {
            inner.AdvanceTo(buffer.Start, buffer.End);
            return false;
        }

        // A reader that has seen all of a whole message and asks on gets nothing more, whatever comes after it: without an end it would ask
        // for ever.
        var isAll = _visible == buffer.Length || (_visible == before && _sawAll);
        _exposed = buffer.Slice(0, _visible);
        result = new ReadResult(_exposed, isCanceled, read.IsCompleted && isAll);
        return true;
    }

    /// <summary>Moves <see cref="_visible"/> as far as the bytes allow.</summary>
    /// <returns>False when the head was refused.</returns>
    private bool Check(in ReadOnlySequence<byte> buffer, bool isCompleted)
    {
        if (_stage == Stage.Whole && _visible == 0)
            BeginHead();
        switch (_stage)
        {
            case Stage.Head:
                return CheckHead(buffer, isCompleted);
            case Stage.Sized:
                var taken = Math.Min(buffer.Length - _visible, _bodyLeft);
                _visible += taken;
                _bodyLeft -= taken;
                if (_bodyLeft == 0)
                    _stage = Stage.Whole;
                break;
            case Stage.Chunked:
                if (!CheckChunks(buffer))
                    EndBody(buffer);
                break;
            case Stage.Tunnel:
                _visible = buffer.Length;
                break;
        }

        return true;
    }

    private void BeginHead()
    {
        _stage = Stage.Head;
        _checked = 0;
        _head.Reset();
        Framing.Connection = Framing.ClaimedScheme = null;
    }

    private bool CheckHead(in ReadOnlySequence<byte> buffer, bool isCompleted)
    {
        // RFC 9112 section 2.2: an empty line before the request line is passed over. Kestrel does that itself.
        while (_headStarted == 0 && _checked == 0 && buffer.Length - _visible >= 2 && HeadBytes.StartsWithEmptyLine(buffer.Slice(_visible)))
            _visible += 2;
        if (_headStarted == 0)
            // behind the empty lines; later, what is visible ahead of its line is the line's first byte
            _checked = Math.Max(_checked, _visible);

        while (NextLine(buffer, _checked, out var line) is > 0 and var length)
        {
            _checked += length;
            if (!_head.Take(line))
                continue;
            return _head.Refusal is null ? EndHead(buffer) : Refuse(_head.Refusal, buffer);
        }

        if (_head.ExceedsLimit(buffer.Length - _checked))
            return Refuse(_head.Refusal!, buffer);
        if (_isOverdue)
            return Refuse(new GatewayError(GatewayErrorKind.RequestTimeout, "the request head was not received in time"), buffer);
        if (buffer.Length == _visible || (_headStarted == 0 && HeadBytes.IsHalfEmptyLine(buffer.Slice(_visible))))
            return true;
        if (isCompleted)
            return Refuse(
                new GatewayError(GatewayErrorKind.BadFraming, "the connection closed before the request head was complete"),
                buffer
            );

        // One byte tells Kestrel that a request is under way, so that it no longer counts as an idle connection.
        if (_headStarted == 0)
            Volatile.Write(ref _headStarted, time.GetTimestamp());
        _visible = Math.Max(_visible, 1);
        return true;
    }

    private bool EndHead(in ReadOnlySequence<byte> buffer)
    {
        Volatile.Write(ref _headStarted, 0);
        Framing.Connection = _head.Nominations;
        Framing.ClaimedScheme = _head.Scheme;
        _bodyLeft = Math.Max(0, _head.ContentLength);
        _stage =
            _head.IsChunked ? Stage.Chunked
            : _bodyLeft > 0 ? Stage.Sized
            : Stage.Whole;
        if (_head.IsChunked)
            (_chunked ??= new ChunkedCheck(_head)).Reset();
        if (_head.Rewrite != HeadRewrite.None)
        {
            _visible = 0;
            _substitute = HeadBytes.Rewrite(buffer.Slice(0, _checked), _head.Rewrite);
            return true;
        }

        _visible = _checked;
        if (_stage == Stage.Chunked && !CheckChunks(buffer))
            return Refuse(_chunked!.Refusal!, buffer); // came with its head: Kestrel need not begin with it
        return _stage != Stage.Sized || Check(buffer, isCompleted: false);
    }

    /// <returns>False when the body is wrong.</returns>
    private bool CheckChunks(in ReadOnlySequence<byte> buffer)
    {
        var chunks = _chunked!;
        while (!chunks.HasEnded && _visible < buffer.Length)
        {
            if (!chunks.AwaitsLine)
            {
                _visible += chunks.TakeData(buffer.Length - _visible);
                continue;
            }

            var length = NextLine(buffer, _visible, out var line);
            if (length == 0 ? chunks.ExceedsLimit(buffer.Length - _visible) : !chunks.TakeLine(line))
                return false;
            if (length == 0)
                break;
            _visible += length;
        }

        if (chunks.HasEnded)
            _stage = Stage.Whole;
        return true;
    }

    /// <summary>A request that is under way already ends as if Kestrel itself had found the mistake.</summary>
    private void EndBody(in ReadOnlySequence<byte> buffer)
    {
        var refusal = Framing.Refusal = _chunked!.Refusal!;
        _stage = Stage.Refused;
        inner.AdvanceTo(buffer.End);
        throw new BadHttpRequestException(refusal.Detail ?? refusal.Rule.Title, refusal.Rule.Status);
    }

    private bool Refuse(GatewayError error, in ReadOnlySequence<byte> buffer)
    {
        Volatile.Write(ref _headStarted, 0);
        Framing.Refused = HeadBytes.Describe(buffer);

        // RFC 9112 section 3: what is too long may be the method.
        if (error.Kind == GatewayErrorKind.TargetTooLong && HeadBytes.IsEndlessMethod(Framing.Refused))
            error = new GatewayError(GatewayErrorKind.UnknownMethod);
        Framing.Refusal = error;
        _stage = Stage.Refused;
        _substitute = StandIn;
        return false;
    }

    /// <summary>The line that begins at an offset, without its line feed.</summary>
    /// <returns>Its length with the line feed; 0 when its end has not come.</returns>
    private int NextLine(in ReadOnlySequence<byte> buffer, long start, out ReadOnlySpan<byte> line)
    {
        var first = buffer.FirstSpan;
        if (start < first.Length)
        {
            var rest = first[(int)start..];
            var end = rest.IndexOf((byte)'\n');
            if (end >= 0)
            {
                line = rest[..end];
                return end + 1;
            }
        }

        line = default;
        return buffer.IsSingleSegment ? 0 : HeadBytes.NextLineAcross(buffer.Slice(start), ref _scratch, out line);
    }
}
