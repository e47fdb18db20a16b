using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Lintel.Soak;

/// <summary>
/// A service on raw sockets that behaves as real services do at the worst moment: it closes idle connections just when the next
/// request arrives, and sends endless interim responses or chunk extensions.
/// </summary>
internal sealed class RestlessService : IDisposable
{
    private static readonly byte[] Ok = Encoding.ASCII.GetBytes(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    );
    private static readonly byte[] Interim = Repeat("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n", 256);
    private static readonly byte[] ChunkedHead = Encoding.ASCII.GetBytes(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1;"
    );
    private static readonly byte[] Extension = Repeat("extension=value;", 1024);

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);

    public RestlessService()
    {
        _listener.Start(512);
        _ = AcceptAsync();
    }

    public string Address => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    public void Dispose() => _listener.Dispose();

    private static byte[] Repeat(string text, int count) => Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(text, count)));

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                _ = ServeAsync(await _listener.AcceptSocketAsync());
        }
        catch (Exception e) when (e is ObjectDisposedException or SocketException)
        {
            // The soak is over.
        }
    }

    private static async Task ServeAsync(Socket socket)
    {
        using (socket)
        {
            socket.NoDelay = true;
            var buffer = new byte[64 * 1024];
            try
            {
                while (await ReadRequestAsync(socket, buffer) is { } head)
                {
                    if (head.Contains(" /interim", StringComparison.Ordinal))
                        await SendForEverAsync(socket, Interim);
                    if (head.Contains(" /extensions", StringComparison.Ordinal))
                    {
                        await socket.SendAsync(ChunkedHead);
                        await SendForEverAsync(socket, Extension);
                    }

                    await socket.SendAsync(Ok);
                    switch (Random.Shared.Next(8))
                    {
                        case 0:
                            return; // at once, with the answer
                        case 1 or 2:
                            if (!await StaysIdleAsync(socket, Random.Shared.Next(4)))
                                continue;
                            return; // about when the next request comes
                    }
                }
            }
            catch (SocketException)
            {
                // The gateway has had enough.
            }
        }
    }

    private static async Task SendForEverAsync(Socket socket, byte[] bytes)
    {
        while (true)
            await socket.SendAsync(bytes);
    }

    private static async Task<bool> StaysIdleAsync(Socket socket, int milliseconds)
    {
        await Task.Delay(milliseconds);
        return socket.Available == 0;
    }

    /// <summary>Reads a head, and a body with a Content-Length.</summary>
    private static async Task<string?> ReadRequestAsync(Socket socket, byte[] buffer)
    {
        var count = 0;
        while (true)
        {
            var end = buffer.AsSpan(0, count).IndexOf("\r\n\r\n"u8);
            if (end >= 0)
            {
                var head = Encoding.Latin1.GetString(buffer, 0, end);
                var length = head.IndexOf("\r\nContent-Length: ", StringComparison.OrdinalIgnoreCase) is >= 0 and var at
                    ? int.Parse(head[(at + 18)..].Split('\r')[0], System.Globalization.CultureInfo.InvariantCulture)
                    : 0;
                if (count >= end + 4 + length)
                    return head;
            }

            var received = await socket.ReceiveAsync(buffer.AsMemory(count));
            if (received == 0)
                return null;
            count += received;
        }
    }
}
