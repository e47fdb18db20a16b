using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Lintel.Carriers;
using Microsoft.AspNetCore.Http;

namespace Lintel.Listeners.Framing;

/// <summary>Passes Kestrel's bytes on, and puts trailers into the last chunk of a response that has some.</summary>
/// <remarks>
/// Thread rule: Kestrel's output, one writer at a time. Between <see cref="Send"/> and the next flush Kestrel writes nothing but the end of
/// the body.
/// </remarks>
internal sealed class TrailerOutput(PipeWriter inner) : PipeWriter, ITrailerOutputFeature
{
    private static readonly byte[] LastChunk = "0\r\n\r\n"u8.ToArray();

    private byte[]? _trailers;
    private ArrayBufferWriter<byte>? _held;

    public override bool CanGetUnflushedBytes => inner.CanGetUnflushedBytes;

    public override long UnflushedBytes => inner.UnflushedBytes;

    public void Send(IHeaderDictionary trailers)
    {
        var text = new StringBuilder().AppendFields(trailers);
        if (text.Length > 0)
            _trailers = Encoding.Latin1.GetBytes(text.ToString());
    }

    public override Memory<byte> GetMemory(int sizeHint = 0) => _trailers is null ? inner.GetMemory(sizeHint) : Held.GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => _trailers is null ? inner.GetSpan(sizeHint) : Held.GetSpan(sizeHint);

    public override void Advance(int bytes)
    {
        if (_trailers is null)
            inner.Advance(bytes);
        else
            Held.Advance(bytes);
    }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        Release();
        return inner.FlushAsync(cancellationToken);
    }

    public override void CancelPendingFlush() => inner.CancelPendingFlush();

    public override void Complete(Exception? exception = null)
    {
        Release();
        inner.Complete(exception);
    }

    private ArrayBufferWriter<byte> Held => _held ??= new ArrayBufferWriter<byte>(64);

    private void Release()
    {
        if (_trailers is not { } trailers || _held is not { WrittenCount: > 0 } held)
            return;
        var bytes = held.WrittenSpan;
        if (bytes.EndsWith(LastChunk))
        {
            inner.Write(bytes[..^2]);
            inner.Write(trailers);
            inner.Write("\r\n"u8);
        }
        else
        {
            inner.Write(bytes); // the body ends in another way, which has no place for trailers
        }

        held.ResetWrittenCount();
        _trailers = null;
    }
}
