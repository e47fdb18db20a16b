using System.Net.Sockets;

namespace Lintel.TestKit;

/// <summary>A client that sends exactly the given bytes, and disconnects with a reset when it is disposed.</summary>
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

    /// <summary>Sends a request without body on a kept-alive connection and reads the answer.</summary>
    public async Task<RawResponse> GetAsync(string target, string headers = "")
    {
        await SendAsync($"GET {target} HTTP/1.1\r\nHost: test\r\n{headers}\r\n");
        return await ReadResponseAsync();
    }
}
