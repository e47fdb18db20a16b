using System.Buffers;
using System.Buffers.Text;
using Lintel.Carriers;
using Microsoft.AspNetCore.Http;

namespace Lintel.Forwarding.Grpc;

/// <summary>
/// Decodes a body of <c>application/grpc-web-text</c> as it arrives: consecutive pieces of base64, each of them padded or not.
/// </summary>
internal sealed class Base64RequestBody(ClientRequest request) : RequestBody(request)
{
    private readonly byte[] _text = new byte[8192];
    private readonly byte[] _bytes = new byte[8192 / 4 * 3];
    private int _textLength;
    private int _start;
    private int _end;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty)
            return _start < _end ? 0 : await base.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        while (_start == _end)
        {
            var count = await base.ReadAsync(_text.AsMemory(_textLength), cancellationToken).ConfigureAwait(false);
            if (count == 0)
                return _textLength == 0 ? 0 : throw Bad();
            _textLength += count;
            Decode();
        }

        var taken = Math.Min(buffer.Length, _end - _start);
        _bytes.AsSpan(_start, taken).CopyTo(buffer.Span);
        _start += taken;
        return taken;
    }

    protected override void Passed(ReadOnlySpan<byte> bytes) { }

    protected override void Ended() { }

    private static BadHttpRequestException Bad() => new("the request body is not valid base64");

    /// <summary>Decodes the complete groups of four; the remainder waits for the rest of its group.</summary>
    private void Decode()
    {
        _start = _end = 0;
        var text = _text.AsSpan(0, _textLength / 4 * 4);
        while (!text.IsEmpty)
        {
            // Padding ends a piece; the next one begins after it.
            var padding = text.IndexOf((byte)'=');
            var piece = padding < 0 ? text : text[..((padding / 4 * 4) + 4)];
            if (
                Base64.DecodeFromUtf8(piece, _bytes.AsSpan(_end), out var read, out var written) != OperationStatus.Done
                || read != piece.Length
            )
                throw Bad();
            _end += written;
            text = text[piece.Length..];
        }

        var left = _textLength % 4;
        _text.AsSpan(_textLength - left, left).CopyTo(_text);
        _textLength = left;
    }
}
