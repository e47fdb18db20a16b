using System.Collections.Concurrent;
using System.Text.Json;
using Lintel.TestKit;
using static Lintel.FunctionalTests.FrameClient;

namespace Lintel.FunctionalTests;

/// <summary>Requests that the RFCs have a word for and few clients send.</summary>
[EveryTransport]
public sealed class EdgeRequestTests
{
    [Theory]
    [InlineData("OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n")]
    [InlineData("OPTIONS http://t HTTP/1.1\r\nHost: t\r\n\r\n")]
    [InlineData("OPTIONS /s HTTP/1.1\r\nHost: t\r\nMax-Forwards: 0\r\n\r\n")]
    public async Task Options_OfTheGatewayItself_AreAnsweredHere(string request)
    {
        await using var service = await TestService.StartAsync();
        await using var gateway = await LoggedGateway.StartAsync(Yaml(service.Address));
        using var client = await gateway.ConnectAsync();
        await client.SendAsync(request);
        var response = await client.ReadResponseAsync();
        Assert.Equal(204, response.Status);
        Assert.Contains("GET", response["Allow"], StringComparison.Ordinal);
        Assert.Empty(service.Seen);
        Assert.Equal([204], (await gateway.StopAsync()).Select(AnswerContentTests.Status));
    }

    [Fact]
    public async Task MaxForwards_OfOptionsAlone_IsDecremented()
    {
        await using var service = await TestService.StartAsync();
        await using var gateway = await LoggedGateway.StartAsync(Yaml(service.Address));
        using var client = await gateway.ConnectAsync();
        await client.SendAsync("OPTIONS /s HTTP/1.1\r\nHost: t\r\nMax-Forwards: 3\r\n\r\n");
        Assert.Equal(200, (await client.ReadResponseAsync()).Status);
        await client.SendAsync("GET /s HTTP/1.1\r\nHost: t\r\nMax-Forwards: 3\r\n\r\n");
        Assert.Equal(200, (await client.ReadResponseAsync()).Status);
        await client.SendAsync("OPTIONS /s HTTP/1.1\r\nHost: t\r\nMax-Forwards: many\r\n\r\n");
        Assert.Equal(200, (await client.ReadResponseAsync()).Status);
        Assert.Equal(["2", "3", "many"], service.Seen.Select(s => s["Max-Forwards"]));
    }

    [Fact]
    public async Task Trace_OnAnyRoute_IsNotAllowed()
    {
        await using var service = await TestService.StartAsync();
        await using var gateway = await LoggedGateway.StartAsync(Yaml(service.Address));
        using var client = await gateway.ConnectAsync();
        foreach (var headers in new[] { "", "Max-Forwards: 0\r\n" })
        {
            await client.SendAsync($"TRACE /s HTTP/1.1\r\nHost: t\r\n{headers}\r\n");
            var response = await client.ReadResponseAsync();
            Assert.Equal(405, response.Status);
            Assert.DoesNotContain("TRACE", response["Allow"], StringComparison.Ordinal);
        }

        Assert.Empty(service.Seen);
    }

    [Theory]
    [InlineData("", "", 421, null)]
    [InlineData("trustedProxies: [127.0.0.1]", "", 200, "https")]
    [InlineData("trustedProxies: [127.0.0.1]", "https", 200, "https")]
    [InlineData("trustedProxies: [127.0.0.1]", "http", 421, null)]
    [InlineData("trustedProxies: [10.0.0.1]", "https", 421, null)]
    public async Task Scheme_OtherThanTheConnections_IsForTrustedProxies(string trust, string forwarded, int status, string? scheme)
    {
        await using var service = await TestService.StartAsync();
        await using var gateway = await LoggedGateway.StartAsync(trust + "\n" + Yaml(service.Address));
        using (var client = await gateway.ConnectAsync())
        {
            await client.SendAsync(
                $"GET https://t/s HTTP/1.1\r\nHost: t\r\n{(forwarded.Length > 0 ? $"X-Forwarded-Proto: {forwarded}\r\n" : "")}\r\n"
            );
            Assert.Equal(status, (await client.ReadResponseAsync()).Status);
        }

        using (var client = await FrameClient.ConnectAsync(gateway.Running.AddressOf("h2")))
        {
            (string, string)[] more = forwarded.Length > 0 ? [("x-forwarded-proto", forwarded)] : [];
            await client.SendAsync(
                Frame(
                    Headers,
                    EndHeaders | EndStream,
                    1,
                    Block([(":method", "GET"), (":scheme", "https"), (":path", "/s"), (":authority", "t"), .. more])
                )
            );
            Assert.Equal($"{status}", await client.OutcomeAsync(1));
        }

        Assert.All(service.Seen, s => Assert.Equal(scheme, s["X-Forwarded-Proto"]));
        Assert.Equal([status, status], (await gateway.StopAsync()).Select(AnswerContentTests.Status));
    }

    [Theory]
    [InlineData("request", "")]
    [InlineData("instance", "")]
    [InlineData("request", "sockets")]
    public async Task Host_ThatHttp10DoesNotSay_IsTheInstances(string host, string protocol)
    {
        Assert.NotNull(protocol);
        await using var service = await TestService.StartAsync();
        await using var gateway = await LoggedGateway.StartAsync(
            $$"""
            services: { s: { instances: ["{{service.Address}}"], host: {{host}} } }
            routes: { s: { match: "/{**rest}", forward: s } }
            """
        );
        using var client = await gateway.ConnectAsync();
        await client.SendAsync("GET /s HTTP/1.0\r\n\r\n");
        Assert.Equal(200, (await client.ReadResponseAsync()).Status);
        var seen = Assert.Single(service.Seen);
        Assert.Equal($"127.0.0.1:{service.Port}", seen.Host);
        Assert.Null(seen["X-Forwarded-Host"]);
    }

    [Theory]
    [InlineData(
        "patch /cart/7?a=b HTTP/1.1\r\nHost: shop.test\r\n\r\n",
        "patch",
        "/cart/7",
        "shop.test",
        "HTTP/1.1",
        "bad-framing",
        "the method does not consist of upper-case letters"
    )]
    [InlineData(
        "GET /gr\u00c3\u00b6\u00c3\u009fe HTTP/1.1\r\nHost: shop.test\r\n\r\n",
        "GET",
        "/gr%C3%B6%C3%9Fe",
        "shop.test",
        "HTTP/1.1",
        "bad-framing",
        "the request target contains a character that must be percent-encoded"
    )]
    [InlineData("GET /s HTTP/2.0\r\nHost: a b\r\n\r\n", "GET", "/s", "a%20b", "HTTP/2.0", "version-not-supported", null)]
    [InlineData("\u0016\u0003\u0001\r\n\r\n", "%16%03%01", "", "", "-", "bad-framing", "the request line is not METHOD TARGET VERSION")]
    public async Task RefusedHead_InTheAccessLog_IsAsItWasSent(
        string request,
        string method,
        string path,
        string host,
        string protocol,
        string error,
        string? detail
    )
    {
        await using var gateway = await LoggedGateway.StartAsync(Yaml("http://127.0.0.1:1"));
        using (var client = await gateway.ConnectAsync())
        {
            await client.SendAsync(request);
            Assert.InRange((await client.ReadResponseAsync()).Status, 400, 505);
        }

        var line = Assert.Single(await gateway.StopAsync());
        Assert.Equal(
            (method, path, host, protocol, error, detail),
            (
                Text(line, "method"),
                Text(line, "path"),
                Text(line, "host"),
                Text(line, "protocol"),
                Text(line, "error"),
                Text(line, "detail")
            )
        );
    }

    [Theory]
    [InlineData("POST", "", "0")]
    [InlineData("PUT", "", "0")]
    [InlineData("PATCH", "", "0")]
    [InlineData("POST", "Content-Length: 0\r\n", "0")]
    [InlineData("DELETE", "", null)]
    [InlineData("GET", "", null)]
    [InlineData("DELETE", "Content-Length: 0\r\n", "0")]
    public async Task RequestWithoutBody_OfAMethodThatUsuallyHasOne_SaysSo(string method, string headers, string? length)
    {
        var heads = new ConcurrentQueue<string>();
        using var server = new RawServer(
            async (socket, head) =>
            {
                heads.Enqueue(head);
                await socket.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"u8.ToArray());
            }
        );
        await using var gateway = await LoggedGateway.StartAsync(
            Yaml(server.Address)
                + """

                  composed: { match: "/composed", compose: { calls: { a: POST s/s } } }
                """
        );
        using var client = await gateway.ConnectAsync();
        await client.SendAsync($"{method} /s HTTP/1.1\r\nHost: t\r\n{headers}\r\n");
        Assert.Equal(200, (await client.ReadResponseAsync()).Status);
        Assert.Equal(200, (await client.GetAsync("/composed")).Status);
        var lengths = heads
            .Select(h =>
                string.Join(
                    "|",
                    h.Split("\r\n")
                        .Where(l => l.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase))
                        .Select(l => l["Content-Length:".Length..].Trim())
                )
            )
            .ToList();
        if (!Transport.IsSockets || method != "DELETE")
            Assert.Equal([length ?? "", "0"], lengths);
        Assert.All(heads, h => Assert.DoesNotContain("Transfer-Encoding", h, StringComparison.OrdinalIgnoreCase));
    }

    [Theory]
    [InlineData(8)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(0)]
    [InlineData(11)]
    public async Task Service_ThatResetsAnUpload_IsAtFault(int code)
    {
        await using var service = await TestService.StartAsync(
            async c =>
            {
                var buffer = new byte[16 * 1024];
                for (var read = 0; read < 50_000; )
                    read += await c.Request.Body.ReadAsync(buffer);
                c.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpResetFeature>()!.Reset(code);
            },
            l => l.Protocols = Microsoft.AspNetCore.Server.Kestrel.Core.HttpProtocols.Http2
        );
        await using var gateway = await LoggedGateway.StartAsync(
            $$"""
            services: { s: { instances: ["{{service.Address}}"], protocol: http2 } }
            routes: { s: { match: "/{**rest}", forward: s } }
            """
        );
        for (var i = 0; i < 3; i++)
        {
            using var client = await gateway.ConnectAsync();
            await client.SendAsync($"POST /s HTTP/1.1\r\nHost: t\r\nContent-Length: 200000\r\n\r\n{new string('a', 100_000)}");
            Assert.InRange((await client.ReadResponseAsync()).Status, 502, 503);
        }

        Assert.All(await gateway.StopAsync(), l => Assert.InRange(AnswerContentTests.Status(l), 502, 503));
    }

    [Fact]
    public async Task Errors_OfARequestThatIsNoGrpcCall_AreProblems()
    {
        await using var gateway = await LoggedGateway.StartAsync(Yaml("http://127.0.0.1:1"));
        using (var client = await gateway.ConnectAsync())
        {
            foreach (
                var (method, type, isGrpc) in new[]
                {
                    ("GET", "application/grpc", false),
                    ("GET", "application/grpc-web", false),
                    ("POST", "application/grpc", false),
                    ("POST", "application/grpc-web", true),
                }
            )
            {
                await client.SendAsync($"{method} /s HTTP/1.1\r\nHost: t\r\nContent-Type: {type}\r\ngrpc-timeout: 1n\r\n\r\n");
                var response = await client.ReadResponseAsync();
                Assert.Equal(isGrpc ? 200 : 502, response.Status);
                Assert.Equal("no-store", response["Cache-Control"]);
            }
        }

        using (var client = await FrameClient.ConnectAsync(gateway.Running.AddressOf("h2")))
        {
            await client.SendAsync(Frame(Headers, EndHeaders | EndStream, 1, Get("/s", ("content-type", "application/grpc"))));
            Assert.Equal("502", await client.OutcomeAsync(1));
            await client.SendAsync(
                Frame(
                    Headers,
                    EndHeaders | EndStream,
                    3,
                    Block(
                        (":method", "POST"),
                        (":scheme", "http"),
                        (":path", "/s"),
                        (":authority", "t"),
                        ("content-type", "application/grpc")
                    )
                )
            );
            Assert.Equal("200", await client.OutcomeAsync(3));
        }

        var lines = await gateway.StopAsync();
        Assert.Equal(
            [(502, null), (502, null), (502, null), (200, "4"), (502, null), (200, "14")],
            lines.Select(l => (AnswerContentTests.Status(l), Text(l, "grpcStatus")))
        );
        Assert.All(lines, l => Assert.True(Text(l, "error") is "connection-refused" or "deadline-exceeded"));
    }

    internal static string? Text(JsonElement line, string name) => line.TryGetProperty(name, out var value) ? value.ToString() : null;

    private static string Yaml(string service) =>
        $$"""
            listeners: { public: "http://127.0.0.1:0", h2: { address: "http://127.0.0.1:0", protocols: [http2] } }
            services: { s: "{{service}}" }
            routes:
              s: { match: "/{**rest}", forward: s }
            """;
}
