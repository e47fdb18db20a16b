using System.Net;
using System.Net.Sockets;

namespace Lintel.Bench.Clients;

/// <summary>The outcome of a response.</summary>
internal enum Answer
{
    Part,
    Whole,

    /// <summary>503 with Retry-After, or gRPC's UNAVAILABLE by the gateway: it has refused the request in an orderly way.</summary>
    Shed,

    /// <summary>Any other status, no HTTP, or the connection has ended.</summary>
    Wrong,
}

/// <summary>A keep-alive connection with at most one request on it. Nothing is allocated for a request that is answered well.</summary>
internal abstract class Client : IDisposable
{
    private readonly byte[] _buffer;
    private ReadOnlyMemory<byte> _unsent;
    private int _count;

    /// <param name="server">Whom to connect. The connection may still be under way when this returns.</param>
    /// <param name="room">Bytes of the longest answer.</param>
    protected Client(IPEndPoint server, int room)
    {
        _buffer = new byte[room];
        Socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, Blocking = false };
        try
        {
            Socket.Connect(server);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
        {
            // A server that does not accept must not hold up the others' requests.
        }
        catch (SocketException)
        {
            IsBroken = true;
        }
    }

    public Socket Socket { get; }

    /// <summary>When the request under way should have been sent.</summary>
    public long Due { get; private set; }

    public bool IsBusy { get; private set; }

    /// <summary>Whether some of the request waits for the socket to be writable.</summary>
    public bool HasUnsent => !_unsent.IsEmpty;

    /// <summary>Whether the connection is not good for another request.</summary>
    public bool IsBroken { get; protected set; }

    /// <summary>Why an answer is <see cref="Answer.Wrong"/> or <see cref="Answer.Shed"/>.</summary>
    public string Reason { get; protected set; } = "";

    /// <returns>Whether the request is sent, or on its way.</returns>
    public bool TrySend(long due)
    {
        Due = due;
        IsBusy = true;
        Reason = IsBroken ? "connection refused" : "";
        _unsent = Next();
        return TryFlush();
    }

    /// <summary>Sends what is unsent, as far as the socket takes it.</summary>
    public bool TryFlush()
    {
        while (!_unsent.IsEmpty && !IsBroken)
        {
            var count = Socket.Send(_unsent.Span, SocketFlags.None, out var error);
            if (error == SocketError.WouldBlock)
                return true;
            if (error != SocketError.Success)
                Break(error.ToString());
            else
                _unsent = _unsent[count..];
        }

        return !IsBroken;
    }

    public Answer Receive()
    {
        var count = Socket.Receive(_buffer.AsSpan(_count), SocketFlags.None, out var error);
        if (error == SocketError.WouldBlock)
            return Answer.Part;
        if (error != SocketError.Success || count == 0)
            return Break(
                error != SocketError.Success ? error.ToString()
                : _count == 0 ? "closed without an answer"
                : "closed within an answer"
            );
        _count += count;
        var answer = Read(_buffer.AsSpan(0, _count), out var consumed);
        _buffer.AsSpan(consumed, _count - consumed).CopyTo(_buffer);
        _count -= consumed;
        if (answer == Answer.Part && _count == _buffer.Length)
            return Break("an answer without end");
        if (answer == Answer.Part)
            return answer;
        IsBusy = false;
        if (HasUnsent || _count > 0)
            IsBroken = true; // answered before all of it was sent
        _unsent = default;
        return answer;
    }

    public void Dispose() => Socket.Dispose();

    /// <summary>The bytes of the next request.</summary>
    protected abstract ReadOnlyMemory<byte> Next();

    /// <summary>Reads the answer from what has come.</summary>
    protected abstract Answer Read(ReadOnlySpan<byte> bytes, out int consumed);

    /// <summary>Sends outside of a request, if the socket takes it at once.</summary>
    protected void SendAside(ReadOnlySpan<byte> bytes)
    {
        if (HasUnsent || Socket.Send(bytes, SocketFlags.None, out _) != bytes.Length)
            IsBroken = true;
    }

    private Answer Break(string reason)
    {
        IsBroken = true;
        Reason = reason;
        _unsent = default;
        return Answer.Wrong;
    }
}
