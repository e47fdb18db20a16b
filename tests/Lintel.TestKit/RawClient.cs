using System.Net.Sockets;

namespace Lintel.TestKit;

/// <summary>A client that sends exactly what it is told, and leaves with a reset when it is disposed of.</summary>
public sealed class RawClient : RawConnection
{
    private RawClient(Socket socket)
        : base(socket) { }

    public static async Task<RawClient> ConnectAsync(Uri address, int receiveBuffer = 0)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp)
        {
            NoDelay = true,
            LingerState = new LingerOption(true, 0),
        };
        if (receiveBuffer > 0)
            socket.ReceiveBufferSize = receiveBuffer;
        await socket.ConnectAsync(address.Host, address.Port).InTimeAsync();
        return new RawClient(socket);
    }

    /// <summary>Sends a request without body on a kept connection and reads the answer.</summary>
    public async Task<RawResponse> GetAsync(string target, string headers = "")
    {
        await SendAsync($"GET {target} HTTP/1.1\r\nHost: test\r\n{headers}\r\n");
        return await ReadResponseAsync();
    }
}
