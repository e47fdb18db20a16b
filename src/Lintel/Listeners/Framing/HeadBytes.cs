using System.Buffers;
using System.Text;
using Lintel.Carriers;

namespace Lintel.Listeners.Framing;

/// <summary>Looks at the bytes of a head where its lines are not enough, and changes them.</summary>
internal static class HeadBytes
{
    /// <summary>Of a head that is refused, for the log.</summary>
    private const int MostDescribed = 8 * 1024;

    /// <summary>The first line of bytes that lie in several pieces, without its line feed.</summary>
    /// <param name="rest">The bytes.</param>
    /// <param name="scratch">A scratch buffer; grows with the line.</param>
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

    /// <summary>
    /// The head without what Kestrel would stumble over. Other names in <c>Connection</c> are in <see cref="RequestFraming.Connection"/>.
    /// </summary>
    public static byte[] Rewrite(in ReadOnlySequence<byte> head, HeadRewrite what)
    {
        var lines = Encoding.Latin1.GetString(head).Split("\r\n", StringSplitOptions.RemoveEmptyEntries).ToList();
        if (what.HasFlag(HeadRewrite.Upgrade))
        {
            var closes = lines.Exists(l => Is(l, "Connection") && l.Contains("close", StringComparison.OrdinalIgnoreCase));
            lines.RemoveAll(l => Is(l, "Connection") || Is(l, "Upgrade"));
            if (closes)
                lines.Add("Connection: close");
        }

        if (what.HasFlag(HeadRewrite.Expect))
            lines.RemoveAll(l => Is(l, "Expect"));
        var host = what.HasFlag(HeadRewrite.Port) ? lines.FindIndex(l => Is(l, "Host")) : -1;
        if (host >= 0)
            lines[host] = lines[host].TrimEnd(' ', '\t').TrimEnd(':');
        return Encoding.Latin1.GetBytes(string.Join("\r\n", lines) + "\r\n\r\n");

        static bool Is(string line, string name) =>
            line.Length > name.Length && line[name.Length] == ':' && line.StartsWith(name, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>
    /// The readable part of a refused head: its bytes as received, with bytes that are not allowed in a request line escaped.
    /// </summary>
    public static RefusedHead Describe(in ReadOnlySequence<byte> buffer)
    {
        var text = Encoding.Latin1.GetString(buffer.Slice(0, Math.Min(buffer.Length, MostDescribed))).TrimStart('\r', '\n');
        var end = text.IndexOf('\n');
        var line = (end < 0 ? text : text[..end]).TrimEnd('\r');
        var first = line.IndexOf(' ');
        var last = line.LastIndexOf(' ');
        var hasProtocol = last > first && line.AsSpan(last + 1).StartsWith("HTTP/");
        return new RefusedHead(
            Escape(first < 0 ? line : line[..first], 32),
            Escape(first < 0 ? "" : line[(first + 1)..(hasProtocol ? last : line.Length)], 1024),
            hasProtocol ? Escape(line[(last + 1)..], 16) : "-",
            end < 0 ? "" : Escape(HostOf(text.AsSpan(end)).ToString(), 256)
        );
    }

    /// <summary>Whether a head with a too long request line consists of letters only where its method should end.</summary>
    public static bool IsEndlessMethod(RefusedHead head) => head is { Method: [>= 'A' and <= 'Z', .., '.', '.', '.'], Target: "" };

    private static ReadOnlySpan<char> HostOf(ReadOnlySpan<char> fields)
    {
        foreach (var line in fields.EnumerateLines())
        {
            if (line.StartsWith("Host:", StringComparison.OrdinalIgnoreCase))
                return line["Host:".Length..].Trim(" \t");
        }

        return default;
    }

    private static string Escape(string text, int most)
    {
        var isCut = text.Length > most;
        if (isCut)
            text = text[..most];
        if (text.AsSpan().ContainsAnyExceptInRange('!', '~'))
            text = string.Concat(text.Select(c => c is >= '!' and <= '~' ? c.ToString() : $"%{(int)c:X2}"));
        return isCut ? text + "..." : text;
    }
}

/// <summary>The fields that are removed from a head before Kestrel reads it.</summary>
[Flags]
internal enum HeadRewrite
{
    /// <summary>None: the bytes are forwarded unchanged.</summary>
    None = 0,

    /// <summary>A wish for another protocol that is not followed.</summary>
    Upgrade = 1,

    /// <summary><c>Expect</c> in HTTP/1.0.</summary>
    Expect = 2,

    /// <summary>The colon of an empty port in <c>Host</c>.</summary>
    Port = 4,
}
