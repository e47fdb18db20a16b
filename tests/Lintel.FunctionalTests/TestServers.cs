using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Lintel.FunctionalTests;

/// <summary>A real HTTP service with a handler of the test's.</summary>
internal sealed class TestService : IAsyncDisposable
{
    private readonly WebApplication _application;

    private TestService(WebApplication application) => _application = application;

    public string Address => _application.Urls.First();

    public static async Task<TestService> StartAsync(RequestDelegate handle)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(o =>
        {
            o.Limits.MaxRequestBodySize = null;
            o.RequestHeaderEncodingSelector = _ => Encoding.Latin1;
        });
        builder.Logging.ClearProviders();
        var application = builder.Build();
        application.Urls.Add("http://127.0.0.1:0");
        application.UseWebSockets();
        application.Run(handle);
        await application.StartAsync();
        return new TestService(application);
    }

    public ValueTask DisposeAsync() => _application.DisposeAsync();
}

/// <summary>Takes connections and lets the test speak bytes.</summary>
internal sealed class RawServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);

    public RawServer(Func<Socket, string, Task> answer)
    {
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
