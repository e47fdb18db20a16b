using System.Net.Sockets;

namespace Lintel.Transport.Loop;

/// <summary>What Linux says of a socket that somebody else reads and writes.</summary>
public static class SocketState
{
    /// <summary>Whether bytes may still be sent to the peer: not after a reset, nor after our own end. Asks by sending none.</summary>
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
