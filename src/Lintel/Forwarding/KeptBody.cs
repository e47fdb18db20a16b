using Lintel.Carriers;
using Lintel.Pipeline;
using Lintel.Services.Attempts;
using Lintel.Transport.Memory;

namespace Lintel.Forwarding;

/// <summary>
/// Keeps the beginning of a request body while it is sent, so that another attempt can send it again: all of it if it is short, what was
/// read so far if the attempt ends early.
/// </summary>
/// <remarks>Thread rule: one flow, that of the attempts; an attempt has ended with its reading before <see cref="Rewind"/>.</remarks>
internal sealed class KeptBody : IDisposable
{
    private readonly ClientRequest _request;
    private readonly BodyRecorder _recorder;
    private ReplayedBody? _replayed;

    private KeptBody(ClientRequest request, int limit, MemoryBudget memory)
    {
        _request = request;
        _recorder = new BodyRecorder(request, canHaveBody: true, limit, memory, BufferUse.RequestBody);
    }

    /// <summary>Returns the body of a request if the rules may send it twice; <see langword="null"/> otherwise.</summary>
    public static KeptBody? For(Exchange exchange, RetryRules rules, bool isIdempotent, MemoryBudget memory) =>
        exchange.HasBody
        && rules.BufferUpTo > 0
        && !exchange.WantsUpgrade
        && (isIdempotent ? rules.RetriesWhatWasSent : rules.OnNotProcessed)
        && !(exchange.Request.ContentLength > rules.BufferUpTo)
            ? new KeptBody(exchange.Request, rules.BufferUpTo, memory)
            : null;

    /// <summary>Whether everything that was read is kept.</summary>
    public bool CanRewind() => _recorder.GaveUp == BodyRecorder.NoCopyReason.Nothing;

    /// <summary>Lets the next attempt read the body from its beginning.</summary>
    public void Rewind()
    {
        _replayed?.Stop();
        _replayed = new ReplayedBody(_request, _recorder);
    }

    /// <summary>Restores the request's own body and releases the memory.</summary>
    public void Dispose()
    {
        _replayed?.Stop();
        _recorder.Stop();
        _recorder.Discard();
    }

    /// <summary>First what was recorded, then the rest of the body, which is recorded in turn.</summary>
    private sealed class ReplayedBody(ClientRequest request, BodyRecorder recorder) : RequestBody(request)
    {
        private readonly int _length = recorder.Body?.Length ?? 0;
        private int _position;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_position == _length || buffer.IsEmpty)
                return base.ReadAsync(buffer, cancellationToken);
            var count = Math.Min(buffer.Length, _length - _position);
            recorder.Body!.Value.Slice(_position, count).CopyTo(buffer);
            _position += count;
            return new(count);
        }

        protected override void Passed(ReadOnlySpan<byte> bytes) { }

        protected override void Ended() { }
    }
}
