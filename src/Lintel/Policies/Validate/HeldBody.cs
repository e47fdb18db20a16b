using Lintel.Carriers;
using Lintel.Composition.Answers;
using Lintel.Forwarding;

namespace Lintel.Policies.Validate;

/// <summary>The content of a request in memory, until the request has ended: the target reads it as if it arrived only now.</summary>
/// <remarks>Thread rule: that of the request's body, one reader at a time.</remarks>
/// <param name="request">The request.</param>
/// <param name="body">The content.</param>
/// <param name="earlier">What was held before.</param>
internal sealed class HeldBody(ClientRequest request, AnswerBody body, IDisposable? earlier) : IDisposable
{
    private ReadAgain? _stream;

    /// <summary>Lets others read the content from its beginning.</summary>
    public void Replay() => _stream = new ReadAgain(request, body);

    public void Dispose()
    {
        _stream?.Stop();
        body.Release();
        earlier?.Dispose();
    }

    private sealed class ReadAgain(ClientRequest request, AnswerBody body) : RequestBody(request)
    {
        private int _position;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var count = Math.Min(buffer.Length, body.Length - _position);
            body.Memory.Slice(_position, count).CopyTo(buffer);
            _position += count;
            return new(count);
        }

        protected override void Passed(ReadOnlySpan<byte> bytes) { }

        protected override void Ended() { }
    }
}
