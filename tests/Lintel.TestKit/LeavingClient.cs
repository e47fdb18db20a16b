using System.Net.Sockets;

namespace Lintel.TestKit;

/// <summary>
/// Connections of clients that go away like a killed process or a closed tab whose answer is under way: by a reset. A plain close could be
/// the end of sending alone.
/// </summary>
public static class LeavingClient
{
    /// <summary>The value for <see cref="SocketsHttpHandler.ConnectCallback"/>.</summary>
    public static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellation)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, LingerState = new LingerOption(true, 0) };
        try
        {
            await socket.ConnectAsync(context.DnsEndPoint, cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
