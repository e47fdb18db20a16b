using System.Net;
using System.Net.Sockets;

namespace Lintel.Bench.Faulty;

/// <summary>
/// Listening sockets whose queue is full and that nobody accepts from: the kernel drops what wants to connect, as on a machine whose process
/// hangs. Connections are neither established nor refused.
/// </summary>
internal static class DeafListeners
{
    public static async Task<int> RunAsync(IPEndPoint[] addresses)
    {
        List<Socket> sockets = [];
        foreach (var address in addresses)
        {
            var listener = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            sockets.Add(listener);
            listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            listener.Bind(address);
            listener.Listen(1);
            for (var i = 0; i < 4; i++) // the kernel has room for one more than the backlog, and completes handshakes on its own
            {
                var client = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { Blocking = false };
                sockets.Add(client);
                await Begin(client, address);
            }
        }

        Console.WriteLine("deaf");
        await Task.Delay(Timeout.Infinite);
        GC.KeepAlive(sockets);
        return 0;
    }

    private static Task Begin(Socket client, IPEndPoint address)
    {
        try
        {
            client.Connect(address);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
        {
            // Under way, and stays so once the queue is full.
        }

        return Task.CompletedTask;
    }
}
