using Lintel.Carriers;

namespace Lintel.Forwarding;

/// <summary>
/// The body of a response of unknown length. If no data is available yet, the head is sent to the client alone: an EventSource opens before
/// its first event.
/// </summary>
/// <remarks>Not for gRPC responses: one without messages must be sent in a single head.</remarks>
internal sealed class HeadFirstContent(HttpContent original, ClientResponse response) : ReplacedContent(original)
{
    protected override Stream Replace(Stream body) => new Body(body, response);

    private sealed class Body(Stream inner, ClientResponse response) : ForwardOnlyStream
    {
        private bool _hasBegun;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = inner.ReadAsync(buffer, cancellationToken);
            if (_hasBegun || read.IsCompleted)
            {
                _hasBegun = true;
                return read;
            }

            _hasBegun = true;
            return StartAsync(read, cancellationToken);
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                inner.Dispose();
            base.Dispose(disposing);
        }

        private async ValueTask<int> StartAsync(ValueTask<int> read, CancellationToken cancellationToken)
        {
            var reading = read.AsTask();
            await response.Body.FlushAsync(cancellationToken).ConfigureAwait(false);
            return await reading.ConfigureAwait(false);
        }
    }
}
