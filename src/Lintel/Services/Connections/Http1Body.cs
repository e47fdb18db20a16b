using System.Buffers;
using System.Globalization;
using System.Text;

namespace Lintel.Services.Connections;

/// <summary>Frames a request's body for HTTP/1.1 (RFC 9112 sections 6 and 7): with its declared length, or chunked.</summary>
/// <param name="connection">The connection that it is written to.</param>
/// <param name="length">Its <c>Content-Length</c>; <see langword="null"/> for chunks.</param>
/// <param name="trailers">Provides the trailers of a chunked body.</param>
internal sealed class Http1Body(Http1Stream connection, long? length, Func<IEnumerable<KeyValuePair<string, string>>>? trailers = null)
{
    private const int MaxCopied = 16 * 1024;

    private long _left = length ?? 0;

    public static ReadOnlyMemory<byte> LastChunk { get; } = "0\r\n\r\n"u8.ToArray();

    public ValueTask WriteAsync(ReadOnlyMemory<byte> piece, CancellationToken cancellation)
    {
        if (piece.IsEmpty)
            return default; // an empty chunk would end the body
        if (length is null)
            return WriteChunkAsync(piece, cancellation);
        _left -= piece.Length;
        return _left switch
        {
            > 0 => connection.WriteBodyAsync(piece, cancellation),
            0 => connection.EndBodyAsync(piece, cancellation),
            _ => throw new IOException("the request's body is longer than its Content-Length"),
        };
    }

    public ValueTask EndAsync(CancellationToken cancellation)
    {
        if (length is null)
            return connection.EndBodyAsync(End(), cancellation);
        return _left == 0 ? default : throw new IOException("the request's body is shorter than its Content-Length");
    }

    private ReadOnlyMemory<byte> End()
    {
        if (trailers is null)
            return LastChunk;
        var text = new StringBuilder("0\r\n");
        foreach (var (name, value) in trailers())
            text.Append(name).Append(": ").Append(value).Append("\r\n");
        return Encoding.Latin1.GetBytes(text.Append("\r\n").ToString());
    }

    private async ValueTask WriteChunkAsync(ReadOnlyMemory<byte> piece, CancellationToken cancellation)
    {
        var head = Encoding.ASCII.GetBytes(piece.Length.ToString("x", CultureInfo.InvariantCulture) + "\r\n");
        if (piece.Length > MaxCopied)
        {
            await connection.WriteBodyAsync(head, cancellation).ConfigureAwait(false);
            await connection.WriteBodyAsync(piece, cancellation).ConfigureAwait(false);
            await connection.WriteBodyAsync("\r\n"u8.ToArray(), cancellation).ConfigureAwait(false);
            return;
        }

        // A small chunk is sent in one packet.
        var total = head.Length + piece.Length + 2;
        var chunk = ArrayPool<byte>.Shared.Rent(total);
        head.CopyTo(chunk, 0);
        piece.Span.CopyTo(chunk.AsSpan(head.Length));
        "\r\n"u8.CopyTo(chunk.AsSpan(total - 2));
        await connection.WriteBodyAsync(chunk.AsMemory(0, total), cancellation).ConfigureAwait(false);
        ArrayPool<byte>.Shared.Return(chunk);
    }
}
