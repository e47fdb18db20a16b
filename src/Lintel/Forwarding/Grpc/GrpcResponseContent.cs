using System.Buffers.Text;

namespace Lintel.Forwarding.Grpc;

/// <summary>
/// The body of a gRPC response. A failure of the service ends it like a normal end of the body, so that trailers can report the failure;
/// for gRPC-Web's text form it is encoded as base64.
/// </summary>
internal sealed class GrpcResponseContent(GrpcCall call, HttpContent original, bool asText, Deadline deadline) : ReplacedContent(original)
{
    protected override Stream Replace(Stream body) => new Body(call, body, asText, deadline);

    private sealed class Body(GrpcCall call, Stream inner, bool asText, Deadline deadline) : ForwardOnlyStream
    {
        private byte[]? _bytes;
        private bool _hasEnded;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_hasEnded)
                return 0;
            try
            {
                return asText && !buffer.IsEmpty
                    ? await ReadTextAsync(buffer, cancellationToken).ConfigureAwait(false)
                    : await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is IOException or OperationCanceledException or HttpRequestException && call.TryFail(e, deadline))
            {
                _hasEnded = true;
                return 0;
            }
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                inner.Dispose();
            base.Dispose(disposing);
        }

        /// <summary>Encodes each read as one padded piece of base64, so that the client can decode it immediately.</summary>
        private async ValueTask<int> ReadTextAsync(Memory<byte> buffer, CancellationToken cancellationToken)
        {
            _bytes ??= new byte[12 * 1024];
            var room = Math.Min(buffer.Length / 4 * 3, _bytes.Length);
            if (room == 0)
                throw new ArgumentException("the buffer must hold at least four characters of base64", nameof(buffer));
            var count = await inner.ReadAsync(_bytes.AsMemory(0, room), cancellationToken).ConfigureAwait(false);
            Base64.EncodeToUtf8(_bytes.AsSpan(0, count), buffer.Span, out _, out var written);
            return written;
        }
    }
}
