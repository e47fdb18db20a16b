using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Lintel.Bench.Clients;

/// <summary>The outcome of a response.</summary>
internal enum Answer
{
    Part,
    Whole,

    /// <summary>No 200, no HTTP, or the connection has ended.</summary>
    Wrong,
}

/// <summary>A keep-alive connection with at most one request on it. Nothing is allocated for a request.</summary>
internal sealed class Client : IDisposable
{
    private readonly byte[] _buffer;
    private int _count;

    /// <param name="server">Whom to connect.</param>
    /// <param name="room">Bytes of the longest answer.</param>
    public Client(IPEndPoint server, int room = 64 * 1024)
    {
        _buffer = new byte[room];
        Socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        Socket.Connect(server);
        Socket.Blocking = false;
    }

    public Socket Socket { get; }

    /// <summary>When the request under way should have been sent.</summary>
    public long Due { get; private set; }

    public bool IsBusy { get; private set; }

    public static byte[] Get(string path) => Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: bench.test\r\n\r\n");

    public bool TrySend(byte[] request, long due)
    {
        Due = due;
        IsBusy = true;
        _count = 0;
        return Socket.Send(request, SocketFlags.None, out _) == request.Length;
    }

    public Answer Receive()
    {
        var count = Socket.Receive(_buffer.AsSpan(_count), SocketFlags.None, out var error);
        if (error == SocketError.WouldBlock)
            return Answer.Part;
        if (error != SocketError.Success || count == 0 || !IsBusy)
            return Answer.Wrong;
        _count += count;
        var answer = Read(_buffer.AsSpan(0, _count));
        IsBusy = answer == Answer.Part;
        return answer;
    }

    public void Dispose() => Socket.Dispose();

    private static Answer Read(ReadOnlySpan<byte> bytes)
    {
        if (!bytes.StartsWith("HTTP/1.1 200"u8[..Math.Min(bytes.Length, 12)]))
            return Answer.Wrong;
        var end = bytes.IndexOf("\r\n\r\n"u8);
        if (end < 0)
            return Answer.Part;
        var head = bytes[..(end + 2)];
        var body = bytes[(end + 4)..];
        if (LengthIn(head) is >= 0 and var length)
            return body.Length < length ? Answer.Part
                : body.Length == length ? Answer.Whole
                : Answer.Wrong;
        return body.EndsWith("0\r\n\r\n"u8) ? Answer.Whole : Answer.Part; // chunked, and short
    }

    /// <summary>-1 where there is no Content-Length.</summary>
    private static int LengthIn(ReadOnlySpan<byte> head)
    {
        foreach (var range in head.Split("\r\n"u8))
        {
            var line = head[range];
            if (line.Length > 15 && Ascii.EqualsIgnoreCase(line[..15], "content-length:"u8))
                return int.Parse(line[15..], NumberStyles.AllowLeadingWhite, CultureInfo.InvariantCulture);
        }

        return -1;
    }
}
