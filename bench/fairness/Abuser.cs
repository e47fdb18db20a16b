using System.Net;
using System.Net.Sockets;

namespace Lintel.Bench.Fairness;

/// <summary>A client that is no good neighbour. It does a little at each turn.</summary>
internal abstract class Abuser(IPEndPoint server)
{
    private Socket? _socket;

    public int Connections { get; private set; }

    /// <summary>How often it has done its deed.</summary>
    public long Done { get; protected set; }

    /// <summary>What is counted by <see cref="Done"/>.</summary>
    public abstract string Deed { get; }

    protected Socket? Socket => _socket;

    public abstract void Turn();

    public void Close()
    {
        _socket?.Dispose();
        _socket = null;
    }

    protected Socket Connect(int receiveBuffer = 0)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        if (receiveBuffer > 0)
            socket.ReceiveBufferSize = receiveBuffer;
        socket.Connect(server);
        socket.Blocking = false;
        Connections++;
        return _socket = socket;
    }

    /// <summary>Reads what is there without waiting.</summary>
    /// <returns>Whether anything was.</returns>
    /// <exception cref="SocketException">The connection is broken, or has ended.</exception>
    protected bool Read(Span<byte> buffer)
    {
        var count = _socket!.Receive(buffer, SocketFlags.None, out var error);
        if (error == SocketError.WouldBlock)
            return false;
        return error == SocketError.Success && count > 0
            ? true
            : throw new SocketException((int)(error == SocketError.Success ? SocketError.ConnectionReset : error));
    }

    /// <exception cref="SocketException">The connection is broken.</exception>
    protected void Send(ReadOnlySpan<byte> bytes)
    {
        _socket!.Send(bytes, SocketFlags.None, out var error);
        if (error is not (SocketError.Success or SocketError.WouldBlock))
            throw new SocketException((int)error);
    }
}
