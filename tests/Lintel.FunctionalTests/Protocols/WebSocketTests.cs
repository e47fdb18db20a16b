using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using Lintel.TestKit;

namespace Lintel.FunctionalTests.Protocols;

/// <summary>WebSocket over HTTP/1.1 and over HTTP/2 (RFC 8441), on either side of the gateway.</summary>
[EveryTransport]
public sealed class WebSocketTests(MatrixFixture fixture) : IClassFixture<MatrixFixture>
{
    private static readonly CancellationToken None = CancellationToken.None;

    public static TheoryData<string, string> Ways =>
        new()
        {
            { "h1", "h1" },
            { "h1", "h2" },
            { "h2", "h1" },
            { "h2", "h2" },
        };

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Talk_PassesBothWays_WithSubprotocolAndExtension(string client, string service)
    {
        using var socket = await ConnectAsync(client, $"{service}/ws", o =>
        {
            o.AddSubProtocol("chat.v2");
            o.DangerousDeflateOptions = new WebSocketDeflateOptions();
        });
        Assert.Equal("chat.v2", socket.SubProtocol);
        Assert.Equal("permessage-deflate", socket.HttpResponseHeaders!["Sec-WebSocket-Extensions"].Single().Split(';')[0]);
        for (var i = 0; i < 20; i++)
        {
            await socket.SendAsync(Encoding.UTF8.GetBytes("hello " + i), WebSocketMessageType.Text, true, None);
            Assert.Equal("hello " + i, await ReceiveAsync(socket));
        }

        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "bye", None);
        Assert.Equal("done", socket.CloseStatusDescription);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Message_OfSixteenMebibytes_IsWhole(string client, string service)
    {
        using var socket = await ConnectAsync(client, $"{service}/ws");
        var message = new byte[16 << 20];
        new Random(7).NextBytes(message);
        var sending = socket.SendAsync(message, WebSocketMessageType.Binary, true, None);
        var received = new MemoryStream();
        var buffer = new byte[256 * 1024];
        while (received.Length < message.Length)
        {
            var got = await socket.ReceiveAsync(buffer.AsMemory(), None).AsTask().WaitAsync(GatewayProcess.Patience);
            received.Write(buffer, 0, got.Count);
        }

        await sending;
        Assert.True(received.ToArray().AsSpan().SequenceEqual(message));
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Close_OfOneSide_LetsTheOtherFinish(string client, string service)
    {
        using var socket = await ConnectAsync(client, $"{service}/ws");
        await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "three", None);
        for (var i = 0; i < 3; i++)
            Assert.Equal(i.ToString(System.Globalization.CultureInfo.InvariantCulture), await ReceiveAsync(socket));
        Assert.Null(await ReceiveAsync(socket));
        Assert.Equal("done", socket.CloseStatusDescription);
    }

    [Theory]
    [InlineData("h1", "h1", 403)]
    [InlineData("h1", "h1", 426)]
    [InlineData("h1", "h1", 200)]
    [InlineData("h1", "h2", 403)]
    [InlineData("h2", "h1", 403)]
    [InlineData("h2", "h1", 426)]
    [InlineData("h2", "h2", 403)]
    public async Task Refusal_OfTheService_Passes(string client, string service, int status)
    {
        using var socket = new ClientWebSocket();
        var failure = await Assert.ThrowsAsync<WebSocketException>(() => ConnectAsync(socket, client, $"{service}/ws?refuse={status}"));
        Assert.Equal(status, (int)socket.HttpStatusCode);
        Assert.Equal("because", socket.HttpResponseHeaders!["X-Why"].Single());
        Assert.NotNull(failure);
    }

    [Fact]
    public async Task Ok_InsteadOfASwitch_IsNoTunnelForHttp2()
    {
        using var socket = new ClientWebSocket();
        await Assert.ThrowsAsync<WebSocketException>(() => ConnectAsync(socket, "h2", "h1/ws?refuse=200"));
        Assert.Equal(502, (int)socket.HttpStatusCode);
        Assert.Equal("lintel; error=http_upgrade_failed", socket.HttpResponseHeaders!["Proxy-Status"].Single());
    }

    [Theory]
    [InlineData("h1", "h1")]
    [InlineData("h2", "h2")]
    public async Task Silence_LongerThanTheIdleTimeout_EndsTheConnection(string client, string service)
    {
        using var socket = await ConnectAsync(client, $"{service}-idle/ws");
        await socket.SendAsync("a"u8.ToArray(), WebSocketMessageType.Text, true, None);
        Assert.Equal("a", await ReceiveAsync(socket));
        await Assert.ThrowsAsync<WebSocketException>(() => ReceiveAsync(socket));
        await Until.TrueAsync(() =>
            fixture.Gateway.AccessLog.Any(l =>
                l.Contains($"{service}-idle", StringComparison.Ordinal) && l.Contains("idle-timeout", StringComparison.Ordinal)
            )
        );
    }

    [Theory]
    [InlineData("", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")] // nobody asked
    [InlineData(
        "Connection: upgrade\r\nUpgrade: websocket\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: tcp\r\n\r\n"
    )]
    [InlineData("Connection: upgrade\r\nUpgrade: websocket\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")]
    [InlineData("Connection: upgrade\r\nUpgrade: websocket\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n")]
    public async Task Switch_ThatDoesNotFit_IsAnUpgradeFailure(string asked, string answer)
    {
        using var server = new RawServer((socket, _) => socket.SendAsync(Encoding.ASCII.GetBytes(answer)));
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: "{{server.Address}}" }
            routes: { s: { match: "/{**rest}", forward: s } }
            """
        );
        using var client = await gateway.ConnectAsync();
        var response = await client.GetAsync("/", asked + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
        Assert.Equal(502, response.Status);
        Assert.Contains("urn:problem-type:lintel:upgrade-failed", response.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Service_ThatNeverAnswers_IsATimeout()
    {
        using var server = new RawServer(async (socket, _) => await socket.ReceiveAsync(new byte[1]));
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: { instances: ["{{server.Address}}"], timeouts: { request: 300ms } } }
            routes: { s: { match: "/{**rest}", forward: s } }
            """
        );
        using var client = await gateway.ConnectAsync();
        var response = await client.GetAsync(
            "/",
            "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        Assert.Equal(504, response.Status);
    }

    [Fact]
    public async Task Key_ThatIsNone_IsABadUpgrade()
    {
        using var client = await RawClient.ConnectAsync(fixture.Gateway.Address);
        var response = await client.GetAsync(
            "/h2/ws",
            "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n"
        );
        Assert.Equal(400, response.Status);
        Assert.Contains("urn:problem-type:lintel:bad-upgrade", response.Body, StringComparison.Ordinal);
    }

    /// <summary>
    /// The key of an extended CONNECT means nothing (RFC 8441 section 5), and the handshake with the service has its own.
    /// </summary>
    [Fact]
    public async Task Key_OfAnExtendedConnect_IsNotPassedOn()
    {
        const string key = "dGhlIHNhbXBsZSBub25jZQ==";
        var heads = new TaskCompletionSource<string>();
        using var server = new RawServer(
            async (socket, head) =>
            {
                heads.TrySetResult(head);
                await socket.SendAsync("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"u8.ToArray());
            }
        );
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            listeners: { public: { address: "http://127.0.0.1:0", protocols: [http2] } }
            services: { s: "{{server.Address}}" }
            routes: { s: { match: "/{**rest}", forward: s }, none: { match: /none, forward: s, upgrades: [] } }
            """
        );
        using var client = await FrameClient.ConnectAsync(gateway.Address);
        byte[] Connect(string path) =>
            FrameClient.Block(
                (":method", "CONNECT"),
                (":protocol", "websocket"),
                (":scheme", "http"),
                (":path", path),
                (":authority", "t"),
                ("sec-websocket-version", "13"),
                ("sec-websocket-key", key)
            );
        await client.SendAsync(FrameClient.Frame(FrameClient.Headers, FrameClient.EndHeaders, 1, Connect("/ws")));
        Assert.Equal("403", await client.OutcomeAsync(1));
        var head = await heads.Task.InTimeAsync();
        Assert.DoesNotContain(key, head, StringComparison.Ordinal);
        Assert.Single(head.Split("\r\n"), l => l.StartsWith("Sec-WebSocket-Key:", StringComparison.OrdinalIgnoreCase));

        await client.SendAsync(FrameClient.Frame(FrameClient.Headers, FrameClient.EndHeaders, 3, Connect("/none")));
        Assert.Equal("400", await client.OutcomeAsync(3));
    }

    [Fact]
    public async Task OtherProtocols_AreAnsweredAsOrdinaryRequests()
    {
        using var client = await RawClient.ConnectAsync(fixture.Gateway.Address);
        var response = await client.GetAsync(
            "/h1/expects",
            "Connection: upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
        );
        Assert.Equal(200, response.Status);
    }

    [Fact]
    public async Task End_OfTheClientsConnection_ReachesTheService()
    {
        // TCP's half-close is no part of WebSocket: Kestrel, like nginx, takes it for the end of both sides.
        var arrived = new TaskCompletionSource();
        var received = new TaskCompletionSource<int>();
        using var server = new RawServer(
            async (socket, _) =>
            {
                await socket.SendAsync("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"u8.ToArray());
                var buffer = new byte[16];
                var total = 0;
                for (int count; (count = await socket.ReceiveAsync(buffer)) > 0; )
                {
                    total += count;
                    if (total == 5)
                        arrived.SetResult();
                }

                received.SetResult(total);
            }
        );
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: "{{server.Address}}" }
            routes: { s: { match: "/{**rest}", forward: s } }
            """
        );
        using var client = await gateway.ConnectAsync();
        Assert.Equal(
            101,
            (
                await client.GetAsync(
                    "/",
                    "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                        + "dGhlIHNhbXBsZSBub25jZQ==\r\n"
                )
            ).Status
        );
        await client.SendAsync("12345");
        await arrived.Task.WaitAsync(GatewayProcess.Patience); // what is still on its way when the connection ends may be lost
        client.Socket.Shutdown(SocketShutdown.Send);
        Assert.Equal(5, await received.Task.WaitAsync(GatewayProcess.Patience));
        Assert.Equal("", await client.ReadToEndAsync());
    }

    /// <summary>The end of a stream corresponds to the end of a TCP connection (RFC 8441 section 5).</summary>
    [Fact]
    public async Task End_OfTheClientsStream_ReachesTheService()
    {
        var received = new TaskCompletionSource<int>();
        using var server = new RawServer(
            async (socket, head) =>
            {
                var key = head.Split("\r\n")
                    .Single(l => l.StartsWith("Sec-WebSocket-Key:", StringComparison.OrdinalIgnoreCase))
                    .Split(':')[1]
                    .Trim();
                await socket.SendAsync(
                    Encoding.ASCII.GetBytes(
                        $"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: "
                            + $"{Accept(key)}\r\n\r\n"
                    )
                );
                var buffer = new byte[16];
                var total = 0;
                for (int count; (count = await socket.ReceiveAsync(buffer)) > 0; )
                    total += count;
                received.SetResult(total);
            }
        );
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            listeners: { public: { address: "http://127.0.0.1:0", protocols: [http2] } }
            services: { s: "{{server.Address}}" }
            routes: { s: { match: "/{**rest}", forward: s } }
            """
        );
        using var client = await FrameClient.ConnectAsync(gateway.Address);
        var head = FrameClient.Block(
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "http"),
            (":path", "/"),
            (":authority", "t"),
            ("sec-websocket-version", "13")
        );
        await client.SendAsync(FrameClient.Frame(FrameClient.Headers, FrameClient.EndHeaders, 1, head));
        Assert.Equal("200", await client.OutcomeAsync(1));
        await client.SendAsync(FrameClient.Frame(FrameClient.Data, FrameClient.EndStream, 1, "12345"u8));
        Assert.Equal(5, await received.Task.InTimeAsync());
    }

#pragma warning disable CA5350 // RFC 6455 section 4.2.2 wants SHA-1
    private static string Accept(string key) =>
        Convert.ToBase64String(
            System.Security.Cryptography.SHA1.HashData(Encoding.ASCII.GetBytes(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
        );
#pragma warning restore CA5350

    private static async Task<string?> ReceiveAsync(WebSocket socket)
    {
        var buffer = new byte[1024];
        var got = await socket.ReceiveAsync(buffer, None).WaitAsync(GatewayProcess.Patience);
        return got.MessageType == WebSocketMessageType.Close ? null : Encoding.UTF8.GetString(buffer, 0, got.Count);
    }

    private async Task<ClientWebSocket> ConnectAsync(string version, string path, Action<ClientWebSocketOptions>? configure = null)
    {
        var socket = new ClientWebSocket();
        configure?.Invoke(socket.Options);
        await ConnectAsync(socket, version, path);
        return socket;
    }

    private async Task ConnectAsync(ClientWebSocket socket, string version, string path)
    {
        socket.Options.HttpVersion = version == "h2" ? HttpVersion.Version20 : HttpVersion.Version11;
        socket.Options.HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact;
        socket.Options.CollectHttpResponseDetails = true;
        using var invoker = new HttpClient(new SocketsHttpHandler { UseProxy = false }, disposeHandler: false);
        await socket
            .ConnectAsync(new Uri($"ws://{fixture.Address(version).Authority}/{path}"), invoker, None)
            .WaitAsync(GatewayProcess.Patience);
    }
}
