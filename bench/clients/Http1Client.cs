using System.Globalization;
using System.Net;
using System.Text;

namespace Lintel.Bench.Clients;

/// <summary>HTTP/1.1: always the same request.</summary>
internal sealed class Http1Client(IPEndPoint server, byte[] request, int room = 64 * 1024) : Client(server, room)
{
    public static byte[] Get(string path) => Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: bench.test\r\n\r\n");

    /// <summary>A request that is not idempotent, with a body of so many bytes.</summary>
    public static byte[] Post(string path, int length) =>
        [
            .. Encoding.ASCII.GetBytes(
                string.Create(CultureInfo.InvariantCulture, $"POST {path} HTTP/1.1\r\nHost: bench.test\r\nContent-Length: {length}\r\n\r\n")
            ),
            .. new byte[length],
        ];

    protected override ReadOnlyMemory<byte> Next() => request;

    protected override Answer Read(ReadOnlySpan<byte> bytes, out int consumed)
    {
        consumed = 0;
        var end = bytes.IndexOf("\r\n\r\n"u8);
        if (end < 0)
            return Answer.Part;
        var head = bytes[..(end + 2)];
        var body = bytes[(end + 4)..];
        if (!head.StartsWith("HTTP/1.1 "u8) || !IsBusy)
            return Malformed(IsBusy ? "not HTTP" : "an answer that nobody asked for");
        var length = ValueOf(head, "content-length"u8) is { IsEmpty: false } text
            ? int.Parse(text, NumberStyles.AllowLeadingWhite, CultureInfo.InvariantCulture)
            : ChunkedLength(body); // chunked, and short
        if (length < 0 || body.Length < length)
            return Answer.Part;
        consumed = end + 4 + length;
        if (Ascii.EqualsIgnoreCase(ValueOf(head, "connection"u8).Trim((byte)' '), "close"u8))
            IsBroken = true;
        if (head[9..].StartsWith("200 "u8))
            return Answer.Whole;
        Reason = Encoding.ASCII.GetString(head[9..12]) + " " + ProblemIn(body[..length]);
        return head[9..].StartsWith("503 "u8) && !ValueOf(head, "retry-after"u8).IsEmpty ? Answer.Shed : Answer.Wrong;
    }

    private static int ChunkedLength(ReadOnlySpan<byte> body) => body.IndexOf("0\r\n\r\n"u8) is >= 0 and var at ? at + 5 : -1;

    /// <summary>The kind of a problem: the last part of its <c>type</c>.</summary>
    private static string ProblemIn(ReadOnlySpan<byte> body)
    {
        var mark = "\"type\":\""u8;
        if (body.IndexOf(mark) is not (>= 0 and var at))
            return "of the service";
        var type = body[(at + mark.Length)..];
        type = type[..Math.Max(0, type.IndexOf((byte)'"'))];
        return Encoding.ASCII.GetString(type[(type.LastIndexOfAny((byte)':', (byte)'/') + 1)..]);
    }

    /// <summary>Empty where there is no such field.</summary>
    private static ReadOnlySpan<byte> ValueOf(ReadOnlySpan<byte> head, ReadOnlySpan<byte> name)
    {
        foreach (var range in head.Split("\r\n"u8))
        {
            var line = head[range];
            if (line.Length > name.Length && line[name.Length] == ':' && Ascii.EqualsIgnoreCase(line[..name.Length], name))
                return line[(name.Length + 1)..];
        }

        return [];
    }

    private Answer Malformed(string reason)
    {
        IsBroken = true;
        Reason = reason;
        return Answer.Wrong;
    }
}
