using System.Buffers;
using System.Text;
using Lintel.Pipeline;

namespace Lintel.Listeners.Framing;

/// <summary>Looks at the bytes of a head where its lines are not enough, and changes them.</summary>
internal static class HeadBytes
{
    /// <summary>The first line of bytes that lie in several pieces, without its line feed.</summary>
    /// <param name="rest">The bytes.</param>
    /// <param name="scratch">Where they are put together; grows with the line.</param>
    /// <param name="line">The line.</param>
    /// <returns>Its length with the line feed; 0 when its end has not come.</returns>
    public static int NextLineAcross(ReadOnlySequence<byte> rest, ref byte[] scratch, out ReadOnlySpan<byte> line)
    {
        line = default;
        if (rest.PositionOf((byte)'\n') is not { } end)
            return 0;
        var found = rest.Slice(0, end);
        var length = (int)found.Length;
        if (scratch.Length < length)
            scratch = new byte[Math.Max(256, length)];
        found.CopyTo(scratch);
        line = scratch.AsSpan(0, length);
        return length + 1;
    }

    public static bool IsHalfEmptyLine(in ReadOnlySequence<byte> buffer) => buffer.Length == 1 && buffer.FirstSpan[0] == '\r';

    public static bool StartsWithEmptyLine(in ReadOnlySequence<byte> buffer)
    {
        Span<byte> two = stackalloc byte[2];
        buffer.Slice(0, 2).CopyTo(two);
        return two.SequenceEqual("\r\n"u8);
    }

    /// <summary>The head without its wish for another protocol. Other names in <c>Connection</c> are in <see cref="RequestFraming.Connection"/>.</summary>
    public static byte[] WithoutUpgrade(in ReadOnlySequence<byte> head)
    {
        var lines = Encoding.Latin1.GetString(head).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        var isConnection = lines.ToLookup(l => l.StartsWith("Connection:", StringComparison.OrdinalIgnoreCase));
        var kept = isConnection[false].Where(l => !l.StartsWith("Upgrade:", StringComparison.OrdinalIgnoreCase));
        if (isConnection[true].Any(l => l.Contains("close", StringComparison.OrdinalIgnoreCase)))
            kept = kept.Append("Connection: close");
        return Encoding.Latin1.GetBytes(string.Join("\r\n", kept) + "\r\n\r\n");
    }
}
