using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Lintel.FunctionalTests;

/// <summary>Accepts connections and lets the test send and receive bytes.</summary>
internal sealed class RawServer : IDisposable
{
    private readonly TcpListener _listener;

    /// <param name="answer">Answers a request.</param>
    /// <param name="port">Where; 0 for any free port.</param>
    public RawServer(Func<Socket, string, Task> answer, int port = 0)
    {
        _listener = new TcpListener(IPAddress.Loopback, port);
        _listener.Start();
        Address = $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";
        _ = AcceptAsync(answer);
    }

    public string Address { get; }

    public void Dispose() => _listener.Dispose();

    /// <summary>Sends bytes to an address and reads until the other side closes.</summary>
    public static async Task<string> ExchangeAsync(Uri address, string request)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(address.Host, address.Port);
        await client.Client.SendAsync(Encoding.Latin1.GetBytes(request));
        using var deadline = new CancellationTokenSource(GatewayProcess.Patience);
        using var answer = new MemoryStream();
        await client.GetStream().CopyToAsync(answer, deadline.Token);
        return Encoding.Latin1.GetString(answer.ToArray());
    }

    private async Task AcceptAsync(Func<Socket, string, Task> answer)
    {
        while (true)
        {
            Socket socket;
            try
            {
                socket = await _listener.AcceptSocketAsync();
            }
            catch (Exception e) when (e is ObjectDisposedException or SocketException)
            {
                return;
            }

            _ = ServeAsync(socket, answer);
        }
    }

    private static async Task ServeAsync(Socket socket, Func<Socket, string, Task> answer)
    {
        using (socket)
        {
            var head = new StringBuilder();
            var buffer = new byte[64 * 1024];
            try
            {
                while (!head.ToString().Contains("\r\n\r\n", StringComparison.Ordinal))
                {
                    var count = await socket.ReceiveAsync(buffer);
                    if (count == 0)
                        return;
                    head.Append(Encoding.Latin1.GetString(buffer, 0, count));
                }

                await answer(socket, head.ToString());
            }
            catch (SocketException)
            {
                // The gateway gave up first: what some tests wait for.
            }
        }
    }
}
