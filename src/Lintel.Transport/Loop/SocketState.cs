using System.Net.Sockets;

namespace Lintel.Transport.Loop;

/// <summary>Queries the state of a socket that other code reads and writes (Linux).</summary>
public static class SocketState
{
    /// <summary>
    /// Whether data can still be sent to the peer: not after a reset, nor after our own shutdown. Checks by sending no data.
    /// </summary>
    public static bool TakesBytes(Socket socket)
    {
        ArgumentNullException.ThrowIfNull(socket);
        try
        {
            return Libc.Send(socket.SafeHandle, default) is >= 0 or -Libc.Eagain;
        }
        catch (ObjectDisposedException)
        {
            return false;
        }
    }
}
