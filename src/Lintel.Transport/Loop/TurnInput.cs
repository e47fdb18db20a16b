using System.Buffers;
using System.Diagnostics;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;

namespace Lintel.Transport.Loop;

/// <summary>
/// An input pipe whose reader yields the loop at the end of its turn, even if more data is available: requests that one client pipelines do
/// not delay other clients.
/// </summary>
/// <remarks>
/// <para>
/// A reader that finds what it needs goes on inline, request after request, as long as bytes are there: 10 000 pipelined requests would
/// hold the loop for 100 ms and more. After a few
/// such reads the clock is looked at, and beyond a millisecond the next read ends in the loop's next turn. A read that has to wait ends the
/// turn itself, and costs nothing here.
/// </para>
/// <para>
/// Kestrel takes all frames of HTTP/2 that a read brings before it reads again, and 32 KiB are two thousand requests. So they are shown a
/// kilobyte at a time, or one whole frame.
/// </para>
/// <para>Thread rule: that of the input below: one reader at a time; <see cref="CancelPendingRead"/> from anywhere.</para>
/// </remarks>
/// <param name="inner">The input.</param>
/// <param name="loop">The connection's loop.</param>
/// <param name="isFramed">Whether it carries HTTP/2.</param>
internal sealed class TurnInput(PipeReader inner, EventLoop loop, bool isFramed) : PipeReader, ILoopWork, IValueTaskSource<ReadResult>
{
    /// <summary>The number of consecutive reads without checking the clock; a read that has to wait resets it.</summary>
    private const int FreeReads = 8;

    /// <summary>Some eighty requests of HTTP/2 at their smallest.</summary>
    private const int Piece = 1024;

    private const int FrameHead = 9;

    private static readonly long Turn = Stopwatch.Frequency / 1000;

    private ManualResetValueTaskSourceCore<ReadResult> _wait;
    private ConfiguredValueTaskAwaitable<ReadResult>.ConfiguredValueTaskAwaiter _reading;
    private Action? _resume;
    private ReadResult _held;
    private int _inARow;

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        if (++_inARow > FreeReads && IsTurnExceeded() && TryRead(out _held))
        {
            _inARow = 0;
            _wait.Reset();
            return loop.Post(this) ? new ValueTask<ReadResult>(this, _wait.Version) : new(_held);
        }

        var reading = inner.ReadAsync(cancellationToken);
        if (!reading.IsCompleted)
            _inARow = 0;
        return isFramed ? Show(reading) : reading;
    }

    public override bool TryRead(out ReadResult result)
    {
        if (!inner.TryRead(out result))
            return false;
        if (isFramed)
            result = Show(result);
        return true;
    }

    public override void AdvanceTo(SequencePosition consumed) => inner.AdvanceTo(consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined) => inner.AdvanceTo(consumed, examined);

    public override void CancelPendingRead() => inner.CancelPendingRead();

    public override void Complete(Exception? exception = null) => inner.Complete(exception);

    /// <summary>The loop's next turn.</summary>
    public void Run()
    {
        var held = _held;
        _held = default;
        _wait.SetResult(held);
    }

    ReadResult IValueTaskSource<ReadResult>.GetResult(short token) => _wait.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<ReadResult>.GetStatus(short token) => _wait.GetStatus(token);

    void IValueTaskSource<ReadResult>.OnCompleted(
        Action<object?> continuation,
        object? state,
        short token,
        ValueTaskSourceOnCompletedFlags flags
    ) => _wait.OnCompleted(continuation, state, token, flags);

    private bool IsTurnExceeded() => EventLoop.Current == loop && Stopwatch.GetTimestamp() - loop.Entered > Turn;

    private ValueTask<ReadResult> Show(ValueTask<ReadResult> reading)
    {
        if (reading.IsCompletedSuccessfully)
            return new(Show(reading.Result));
        _wait.Reset();
        var version = _wait.Version;
        _reading = reading.ConfigureAwait(false).GetAwaiter();
        _reading.UnsafeOnCompleted(_resume ??= Resume);
        return new(this, version);
    }

    private void Resume()
    {
        ReadResult result;
        try
        {
            result = Show(_reading.GetResult());
        }
        catch (Exception e)
        {
            _wait.SetException(e);
            return;
        }

        _wait.SetResult(result);
    }

    /// <summary>
    /// The first kilobyte, or the first frame where that is longer. (HTTP/2's preface looks like a frame of 5 MB, and is shown with what
    /// follows.)
    /// </summary>
    private static ReadResult Show(in ReadResult all)
    {
        var buffer = all.Buffer;
        if (buffer.Length <= Piece)
            return all;
        Span<byte> size = stackalloc byte[3];
        buffer.Slice(0, 3).CopyTo(size);
        var shown = Math.Max(Piece, FrameHead + ((size[0] << 16) | (size[1] << 8) | size[2]));
        return buffer.Length <= shown ? all : new ReadResult(buffer.Slice(0, shown), all.IsCanceled, isCompleted: false);
    }
}
