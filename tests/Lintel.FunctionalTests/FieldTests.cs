using System.Net;
using System.Net.Sockets;
using System.Text;
using Lintel.Control.Status;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using static Lintel.FunctionalTests.FrameClient;

namespace Lintel.FunctionalTests;

/// <summary>Hosts, fields and sockets over real connections: what a client sends is what a service gets, by every forwarder.</summary>
[EveryTransport]
public sealed class FieldTests
{
    private const string ALabel = "xn--bcher-kva.example";

    [Theory]
    [InlineData(HttpProtocols.Http1, "forward: s")]
    [InlineData(HttpProtocols.Http2, "forward: s")]
    [InlineData(HttpProtocols.Http1, "compose: { calls: { a: { request: s/a } } }")]
    [InlineData(HttpProtocols.Http2, "compose: { calls: { a: { request: s/a } } }")]
    public async Task Host_OfALabels_ReachesTheServiceToTheLetter(HttpProtocols protocol, string action)
    {
        await using var service = await TestService.StartAsync(
            c => c.Response.WriteAsync($"\"{c.Request.Headers.Host}|{c.Request.Headers["X-Forwarded-Host"]}\""),
            l => l.Protocols = protocol
        );
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: { instances: ["{{service.Address}}"], protocol: {{protocol.ToString().ToLowerInvariant()}} } }
            routes: { r: { match: { path: "/{**rest}", hosts: [bücher.example] }, {{action}} } }
            """
        );
        using var client = await gateway.ConnectAsync();
        await client.SendAsync($"GET /a HTTP/1.1\r\nHost: {ALabel}\r\n\r\n");
        var answer = await client.ReadResponseAsync();
        Assert.Equal(200, answer.Status);
        Assert.Contains($"{ALabel}|{ALabel}", answer.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Redirect_OfAHostOfALabels_KeepsIt()
    {
        await using var gateway = await InProcessGateway.StartAsync(
            "routes: { r: { match: { path: '/{**rest}', scheme: http }, redirect: { scheme: https, status: 301 } } }"
        );
        using var client = await gateway.ConnectAsync();
        await client.SendAsync($"GET /a%20b?x=%zz&y HTTP/1.1\r\nHost: {ALabel}:8080\r\n\r\n");
        var answer = await client.ReadResponseAsync();
        Assert.Equal((301, $"https://{ALabel}/a%20b?x=%zz&y"), (answer.Status, answer["Location"]));
    }

    /// <summary>Bytes in, bytes out; strings in the file are UTF-8.</summary>
    [Theory]
    [InlineData(HttpProtocols.Http1)]
    [InlineData(HttpProtocols.Http2)]
    public async Task Fields_AboveAscii_AreUtf8OnTheWire(HttpProtocols protocol)
    {
        await using var service = await TestService.StartAsync(null, l => l.Protocols = protocol);
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: { instances: ["{{service.Address}}"], protocol: {{protocol.ToString().ToLowerInvariant()}} } }
            routes:
              r:
                match: { path: "/{**rest}", headers: { X-City: { regex: "^Zü.ich$" }, X-Name: é } }
                forward: s
                transform: { request: { setHeaders: { X-Q: "日本", X-Copy: "{header:X-Name}" }, setQuery: { n: "{header:X-Name}" } }, response: { setHeaders: { X-R: ü } } }
            """
        );
        using var client = await gateway.ConnectAsync();
        await client.SendAsync($"GET /a HTTP/1.1\r\nHost: t\r\nX-City: {Wire("Zürich")}\r\nX-Name: {Wire("é")}\r\n\r\n");
        var answer = await client.ReadResponseAsync();
        Assert.Equal((200, Wire("ü")), (answer.Status, answer["X-R"]));
        var seen = Assert.Single(service.Seen);
        Assert.Equal(("/a?n=%C3%A9", Wire("日本"), Wire("é"), Wire("Zürich")), (seen.Target, seen["X-Q"], seen["X-Copy"], seen["X-City"]));
    }

    [Theory]
    [InlineData(HttpProtocols.Http1)]
    [InlineData(HttpProtocols.Http2)]
    public async Task Service_OnAUnixSocket_IsForwardedToAndCalled(HttpProtocols protocol)
    {
        using var folder = new ConfigFolder();
        var socket = folder["s.sock"];
        await using var service = await TestService.StartAsync(
            c => c.Response.WriteAsync($"\"{c.Request.Headers.Host}\""),
            l => l.Protocols = protocol,
            socket
        );
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: { instances: ["http://unix:{{socket}}"], protocol: {{protocol.ToString().ToLowerInvariant()}}, host: instance } }
            routes:
              r: { match: /forward, forward: s }
              c: { match: /compose, compose: { calls: { a: { request: s/a } } } }
            """
        );
        Assert.Equal(
            "\"localhost\"",
            await gateway.Client.GetStringAsync(new Uri("/forward", UriKind.Relative), TestContext.Current.CancellationToken)
        );
        Assert.Equal(
            "{\"a\":\"localhost\"}",
            await gateway.Client.GetStringAsync(new Uri("/compose", UriKind.Relative), TestContext.Current.CancellationToken)
        );
        Assert.Equal("http://unix:" + socket, gateway.Gateway.Services.Single().Instances.Single().Address);
    }

    [Fact]
    public async Task Proxy_OnAUnixSocket_IsBelievedWhereItIsTrusted()
    {
        using var folder = new ConfigFolder();
        var socket = folder["s.sock"];
        await using var service = await TestService.StartAsync();
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            listeners: { public: "http://127.0.0.1:0", local: { address: "http://unix:{{socket}}", trustedProxies: ["unix:"], limits: { underscores: allow } } }
            services: { s: "{{service.Address}}" }
            routes: { r: { match: "/{**rest}", forward: s, transform: { request: { setHeaders: { X-Client: "{clientIp}" } } } } }
            """
        );
        using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await client.ConnectAsync(new UnixDomainSocketEndPoint(socket), TestContext.Current.CancellationToken);
        await client.SendAsync(
            Encoding.ASCII.GetBytes(
                "GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\nX-Forwarded-For: 192.0.2.7\r\nX_A: 1\r\nProxy: evil\r\n\r\n"
            )
        );
        using var reader = new StreamReader(new NetworkStream(client));
        Assert.StartsWith(
            "HTTP/1.1 200",
            await reader.ReadToEndAsync(TestContext.Current.CancellationToken).InTimeAsync(),
            StringComparison.Ordinal
        );
        var seen = Assert.Single(service.Seen);
        Assert.Equal(("192.0.2.7", "192.0.2.7", "1", null), (seen["X-Forwarded-For"], seen["X-Client"], seen["X_A"], seen["Proxy"]));
    }

    [Theory]
    [InlineData(HttpProtocols.Http1)]
    [InlineData(HttpProtocols.Http2)]
    public async Task Names_WithUnderscores_ReachNoService(HttpProtocols protocol)
    {
        await using var service = await TestService.StartAsync();
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            listeners: { public: { address: "http://127.0.0.1:0", protocols: [{{protocol.ToString().ToLowerInvariant()}}] } }
            services: { s: "{{service.Address}}" }
            routes: { r: { match: "/{**rest}", forward: s, transform: { request: { setHeaders: { X-User: me } } } } }
            """
        );
        using var request = new HttpRequestMessage(HttpMethod.Get, "/")
        {
            Version = protocol == HttpProtocols.Http2 ? HttpVersion.Version20 : HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        request.Headers.Add("X_User", "admin");
        request.Headers.Add("Proxy", "evil");
        using var response = await gateway.Client.SendAsync(request, TestContext.Current.CancellationToken);
        var seen = Assert.Single(service.Seen);
        Assert.Equal((null, null, "me"), (seen["X_User"], seen["Proxy"], seen["X-User"]));
    }

    /// <summary>Requests that Kestrel would reset without a response are answered, and the connection continues.</summary>
    [Theory]
    [InlineData("path", "414")]
    [InlineData("headers", "431")]
    [InlineData("count", "431")]
    [InlineData("port", "400")]
    [InlineData("labels", "400")]
    public async Task Http2_BeyondALimit_IsAnswered(string what, string status)
    {
        await using var gateway = await InProcessGateway.StartAsync(
            """
            listeners: { public: { address: "http://127.0.0.1:0", protocols: [http2] } }
            routes: { r: { match: "/{**rest}", respond: {} } }
            """
        );
        using var client = await FrameClient.ConnectAsync(gateway.Address);
        var block = Block([
            (":method", "GET"),
            (":scheme", "http"),
            (":path", what == "path" ? "/" + new string('a', 9_000) : "/s"),
            (
                ":authority",
                what == "port" ? "t:99999"
                : what == "labels" ? "a.example.."
                : "t"
            ),
            .. Enumerable
                .Range(
                    0,
                    what == "count" ? 101
                        : what == "headers" ? 34
                        : 0
                )
                .Select(i => ($"x-{i}", new string('a', what == "count" ? 1 : 1_000))),
        ]);
        var pieces = block.Chunk(16_000).ToArray();
        for (var i = 0; i < pieces.Length; i++)
            await client.SendAsync(
                Frame(
                    i == 0 ? Headers : Continuation,
                    (byte)((i == 0 ? EndStream : 0) | (i == pieces.Length - 1 ? EndHeaders : 0)),
                    1,
                    pieces[i]
                )
            );
        Assert.Equal(status, await client.OutcomeAsync(1));
    }

    private static string Wire(string text) => Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(text));
}
