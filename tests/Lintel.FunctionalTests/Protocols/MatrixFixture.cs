using System.Globalization;
using System.Net;
using System.Net.WebSockets;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Lintel.FunctionalTests.Protocols;

/// <summary>
/// A gateway that listens for HTTP/1.1 and HTTP/2, in front of one service with HTTP/1.1 (<c>/h1/…</c>) and one with HTTP/2
/// (<c>/h2/…</c>).
/// </summary>
public class MatrixFixture : IAsyncLifetime
{
    private readonly List<HttpClient> _clients = [];
    private TestService _http1 = null!;
    private TestService _http2 = null!;

    internal RunningProgram Gateway { get; private set; } = null!;

    /// <summary>Set by a test for the handler <c>/wait</c>, which answers when it is completed.</summary>
    public TaskCompletionSource Go { get; set; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public async ValueTask InitializeAsync()
    {
        _http1 = await TestService.StartAsync(ServeAsync);
        _http2 = await TestService.StartAsync(ServeAsync, l => l.Protocols = HttpProtocols.Http2);
        Gateway = await StartAsync(
            $$"""
            listeners: { public: "http://127.0.0.1:0", h2: { address: "http://127.0.0.1:0", protocols: [http2] } }
            services:
              h1: { instances: ["{{_http1.Address}}"] }
              h2: { instances: ["{{_http2.Address}}"], protocol: http2 }
              h1-idle: { instances: ["{{_http1.Address}}"], timeouts: { idle: 400ms } }
              h2-idle: { instances: ["{{_http2.Address}}"], protocol: http2, timeouts: { idle: 400ms } }
            routes:
              h1: { match: "/h1/{**rest}", forward: "h1/{rest}" }
              h2: { match: "/h2/{**rest}", forward: "h2/{rest}" }
              h1-idle: { match: "/h1-idle/{**rest}", forward: "h1-idle/{rest}" }
              h2-idle: { match: "/h2-idle/{**rest}", forward: "h2-idle/{rest}" }
            """
        );
    }

    public async ValueTask DisposeAsync()
    {
        _clients.ForEach(c => c.Dispose());
        await Gateway.DisposeAsync();
        await _http1.DisposeAsync();
        await _http2.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>A client for exactly one version, and the listener that accepts it.</summary>
    internal HttpClient Client(string version)
    {
        var client = new HttpClient(
            new SocketsHttpHandler
            {
                AllowAutoRedirect = false,
                UseProxy = false,
                UseCookies = false,
                Expect100ContinueTimeout = GatewayProcess.Patience,
            }
        )
        {
            BaseAddress = Address(version),
            Timeout = TimeSpan.FromMinutes(2),
            DefaultRequestVersion = version == "h2" ? HttpVersion.Version20 : HttpVersion.Version11,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        lock (_clients)
            _clients.Add(client);
        return client;
    }

    /// <summary>Starts the gateway.</summary>
    private protected virtual async Task<RunningProgram> StartAsync(string yaml) => await LocalProgram.StartAsync(yaml);

    internal Uri Address(string version) => Gateway.AddressOf(version == "h2" ? "h2" : "public");

    private async Task ServeAsync(HttpContext context)
    {
        context.Features.Get<IHttpMinRequestBodyDataRateFeature>()?.MinDataRate = null;
        context.Features.Get<IHttpMinResponseDataRateFeature>()?.MinDataRate = null;
        var (request, response) = (context.Request, context.Response);
        switch (request.Path.Value)
        {
            case "/echo":
                await EchoAsync(context);
                break;
            case "/trailers":
                response.DeclareTrailer("X-Sum");
                await response.WriteAsync("body");
                response.AppendTrailer("X-Sum", "42");
                break;
            case "/early": // whole answers before the request is
                await response.WriteAsync("early");
                break;
            case "/early-length":
                response.ContentLength = 5;
                await response.WriteAsync("early");
                break;
            case "/refuse":
                response.StatusCode = 401;
                await response.WriteAsync("no");
                break;
            case "/wait":
                await Go.Task;
                await EchoAsync(context);
                break;
            case "/expects":
                await response.WriteAsync($"{request.Headers.Expect}|{await new StreamReader(request.Body).ReadToEndAsync()}");
                break;
            case "/empty":
                response.StatusCode = int.Parse(request.Query["status"]!, CultureInfo.InvariantCulture);
                response.Headers.ETag = "\"e\"";
                break;
            case "/head":
                response.ContentLength = 12345;
                break;
            case "/sink":
                await response.WriteAsync((await CountAsync(request.Body)).ToString(CultureInfo.InvariantCulture));
                break;
            case "/source":
                await PourAsync(response, long.Parse(request.Query["bytes"]!, CultureInfo.InvariantCulture), context.RequestAborted);
                break;
            case "/ws":
                await TalkAsync(context);
                break;
            default:
                response.StatusCode = 404;
                break;
        }
    }

    private static async Task EchoAsync(HttpContext context)
    {
        await context.Response.Body.FlushAsync();
        var buffer = new byte[64 * 1024];
        for (int count; (count = await context.Request.Body.ReadAsync(buffer)) > 0; )
        {
            await context.Response.Body.WriteAsync(buffer.AsMemory(0, count));
            await context.Response.Body.FlushAsync();
        }
    }

    private static async Task<long> CountAsync(Stream body)
    {
        var buffer = new byte[128 * 1024];
        var total = 0L;
        for (int count; (count = await body.ReadAsync(buffer)) > 0; )
            total += count;
        return total;
    }

    private static async Task PourAsync(HttpResponse response, long bytes, CancellationToken aborted)
    {
        response.ContentLength = bytes;
        var block = new byte[128 * 1024];
        for (var left = bytes; left > 0; left -= block.Length)
            await response.Body.WriteAsync(block.AsMemory(0, (int)Math.Min(left, block.Length)), aborted);
    }

    /// <summary>Echoes what it receives; on <c>three</c> it sends three further messages after the client has closed its side.</summary>
    private static async Task TalkAsync(HttpContext context)
    {
        if (context.Request.Query["refuse"] is [{ } refusal, ..])
        {
            context.Response.StatusCode = int.Parse(refusal, CultureInfo.InvariantCulture);
            context.Response.Headers["X-Why"] = "because";
            await context.Response.WriteAsync("refused");
            return;
        }

        using var socket = await context.WebSockets.AcceptWebSocketAsync(
            new WebSocketAcceptContext
            {
                SubProtocol = context.WebSockets.WebSocketRequestedProtocols.FirstOrDefault(),
                DangerousEnableCompression = true,
            }
        );
        var buffer = new byte[64 * 1024];
        while (true)
        {
            var got = await socket.ReceiveAsync(buffer.AsMemory(), CancellationToken.None);
            if (got.MessageType == WebSocketMessageType.Close)
                break;
            await socket.SendAsync(buffer.AsMemory(0, got.Count), got.MessageType, got.EndOfMessage, CancellationToken.None);
        }

        for (var i = 0; socket.CloseStatusDescription == "three" && i < 3; i++)
            await socket.SendAsync(new[] { (byte)('0' + i) }, WebSocketMessageType.Text, true, CancellationToken.None);
        await socket.CloseOutputAsync(socket.CloseStatus!.Value, "done", CancellationToken.None);
    }
}
