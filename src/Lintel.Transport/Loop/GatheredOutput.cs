using System.Buffers;
using System.IO.Pipelines;

namespace Lintel.Transport.Loop;

/// <summary>Collects the data written to a connection during one turn of its loop, and flushes it at the end of the turn.</summary>
/// <remarks>
/// The streams of an HTTP/2 connection each flush their own answer. Answers that came from services in the same turn go into one TLS record
/// and one <c>send</c> this way, and the client reads them, and asks anew, together too. A turn is as long as its events take: where one
/// answer comes at a time, it goes out at once. Thread rule: that of a <see cref="Pipe"/>: one writer, on any thread; the rest happens on
/// the loop's thread, or where the connection's own output goes on.
/// </remarks>
public sealed class GatheredOutput : IAsyncDisposable
{
    /// <summary>A frame of HTTP/2's usual largest size and its head: most are handed on in one piece.</summary>
    private const int PieceSize = 16 * 1024 + 9;

    private readonly Pipe _pipe;
    private readonly PipeWriter _output;
    private readonly Task _passing;

    /// <param name="loop">The connection's loop.</param>
    /// <param name="output">Where the bytes go. Its writer is this object alone, until this is disposed of.</param>
    public GatheredOutput(EventLoop loop, PipeWriter output)
    {
        // The thresholds are Kestrel's MaxResponseBufferSize, and what its own transport does with it.
        _pipe = new Pipe(
            new PipeOptions(
                MemoryPool<byte>.Shared,
                new TurnEnd(loop),
                PipeScheduler.Inline,
                64 * 1024,
                32 * 1024,
                PieceSize,
                useSynchronizationContext: false
            )
        );
        _output = output;
        _passing = PassAsync();
    }

    /// <summary>The writer. A flush completes when the bytes are queued, and waits only while the queue is full.</summary>
    public PipeWriter Writer => _pipe.Writer;

    /// <summary>Flushes the remaining data. Completes when the connection has accepted it, or is broken.</summary>
    public async ValueTask DisposeAsync()
    {
        await _pipe.Writer.CompleteAsync().ConfigureAwait(false);
        await _passing.ConfigureAwait(false);
    }

    private async Task PassAsync()
    {
        var reader = _pipe.Reader;
        try
        {
            for (var isOver = false; !isOver; )
            {
                var result = await reader.ReadAsync().ConfigureAwait(false);
                isOver = result.IsCompleted || result.IsCanceled;
                foreach (var piece in result.Buffer)
                    isOver |= (await _output.WriteAsync(piece).ConfigureAwait(false)).IsCompleted;
                reader.AdvanceTo(result.Buffer.End);
            }
        }
        catch (Exception e) when (e is IOException or InvalidOperationException or OperationCanceledException)
        {
            // The connection is broken, or TLS was ended: the reader learns why, and the writer that nobody takes its bytes.
        }

        await reader.CompleteAsync().ConfigureAwait(false);
    }

    /// <summary>The end of the turn under way, or of the next one.</summary>
    private sealed class TurnEnd(EventLoop loop) : PipeScheduler, ILoopWork
    {
        private Action<object?>? _action; // one at a time: the pipe's reader waits for one thing
        private object? _state;

        public override void Schedule(Action<object?> action, object? state)
        {
            _state = state;
            Volatile.Write(ref _action, action);
            if (!loop.Post(this))
                System.Threading.ThreadPool.UnsafeQueueUserWorkItem(static end => end.Run(), this, preferLocal: false);
        }

        public void Run() => Interlocked.Exchange(ref _action, null)?.Invoke(_state);
    }
}
