using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Lintel.FunctionalTests;

/// <summary>The request that a service receives, and the response.</summary>
[EveryTransport]
public sealed class ForwardingTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    private static Task Echo(HttpContext context) =>
        context.Response.WriteAsync(
            context.Features.Get<IHttpRequestFeature>()!.RawTarget
                + "\n"
                + string.Join("\n", context.Request.Headers.Select(h => h.Key + ": " + h.Value))
        );

    [Theory]
    [InlineData("/s/a/./b//c", "/s/a/b/c")]
    [InlineData("/s/x/../b", "/s/b")]
    [InlineData("/s/%2e%2e/s/b", "/s/b")]
    [InlineData("/s/%7Ea?q=%2F..", "/s/~a?q=%2F..")]
    [InlineData("/s/%c3%a9", "/s/%C3%A9")]
    [InlineData("http://any.example/s/abs", "/s/abs")]
    public async Task Target_Normalised_IsWhatTheServiceGets(string sent, string received)
    {
        await using var service = await TestService.StartAsync(Echo);
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: "{{service.Address}}" }
            routes: { s: { match: "/s/{**rest}", forward: s } }
            """
        );
        var answer = await RawServer.ExchangeAsync(
            gateway.Address,
            $"GET {sent} HTTP/1.1\r\nHost: any.example\r\nConnection: close\r\n\r\n"
        );
        Assert.Contains("\r\n\r\n", answer, StringComparison.Ordinal);
        Assert.Contains(received + "\n", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/s/../../x")]
    [InlineData("/s/..;/x")]
    [InlineData("/s/..%2fx")]
    [InlineData("/s/a%2fb")]
    [InlineData("/s/a;b")]
    [InlineData("/s/a%00")]
    [InlineData("/s/%c0%af")]
    [InlineData("/s/%zz")]
    public async Task Target_Hostile_Is400AndNothingIsSent(string sent)
    {
        var seen = 0;
        await using var service = await TestService.StartAsync(c =>
        {
            Interlocked.Increment(ref seen);
            return Echo(c);
        });
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: "{{service.Address}}" }
            routes: { s: { match: "/s/{**rest}", forward: s } }
            """
        );
        var answer = await RawServer.ExchangeAsync(gateway.Address, $"GET {sent} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 400", answer, StringComparison.Ordinal);
        if (!sent.Contains("%00", StringComparison.Ordinal)) // refused by Kestrel before the gateway sees it
            Assert.Contains("urn:problem-type:lintel:bad-target", answer, StringComparison.Ordinal);
        Assert.Equal(0, seen);
    }

    [Theory]
    [InlineData("X-Drop")]
    [InlineData("close, X-Drop")]
    [InlineData("keep-alive, X-Drop")]
    public async Task Headers_OfOneConnectionOrSpoofed_AreNotForwarded(string connection)
    {
        await using var service = await TestService.StartAsync(Echo);
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: "{{service.Address}}" }
            routes: { s: { match: "/{**rest}", forward: s, transform: { request: { setHeaders: { X-Set: "{query:q}" }, removeHeaders: [X-Gone] }, response: { setHeaders: { X-Served-By: lintel } } } } }
            """
        );
        var answer = await RawServer.ExchangeAsync(
            gateway.Address,
            $"GET /a?q=1%202 HTTP/1.1\r\nHost: shop.example\r\nConnection: {connection}\r\nConnection: close\r\nX-Drop: 1\r\nX-Keep: "
                + $"caf\u00e9\r\nX-Gone: 1\r\nX-Forwarded-For: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\nForwarded: "
                + $"for=6.6.6.6\r\nClient-Cert: :AA==:\r\nKeep-Alive: 5\r\n\r\n"
        );
        Assert.Contains("X-Served-By: lintel", answer, StringComparison.Ordinal);
        Assert.Contains("Host: shop.example", answer, StringComparison.Ordinal);
        Assert.Contains("X-Keep: ", answer, StringComparison.Ordinal);
        Assert.Contains("X-Set: 1 2", answer, StringComparison.Ordinal);
        Assert.Contains("X-Forwarded-For: 127.0.0.1", answer, StringComparison.Ordinal);
        Assert.Contains("Via: 1.1 lintel-", answer, StringComparison.Ordinal);
        foreach (var gone in new[] { "X-Drop", "X-Gone", "6.6.6.6", "Client-Cert", "Keep-Alive" })
            Assert.DoesNotContain(gone, answer, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Events_AreForwardedOneByOne_AndAnAbortCancelsTheService()
    {
        var next = new SemaphoreSlim(0);
        var aborted = new TaskCompletionSource();
        await using var service = await TestService.StartAsync(async context =>
        {
            context.Response.ContentType = "text/event-stream";
            context.RequestAborted.Register(aborted.SetResult);
            for (var i = 0; ; i++)
            {
                await next.WaitAsync(context.RequestAborted);
                await context.Response.WriteAsync($"data: {i}\n\n", context.RequestAborted);
                await context.Response.Body.FlushAsync(context.RequestAborted);
            }
        });
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: "{{service.Address}}" }
            routes: { s: { match: "/{**rest}", forward: s } }
            """
        );
        next.Release();
        using (
            var response = await gateway.Client.GetAsync(new Uri("/e", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead, None)
        )
        using (var reader = new StreamReader(await response.Content.ReadAsStreamAsync(None)))
        {
            for (var i = 0; i < 3; i++)
            {
                Assert.Equal($"data: {i}", await reader.ReadLineAsync(None));
                Assert.Equal("", await reader.ReadLineAsync(None));
                next.Release();
            }
        }

        await aborted.Task.WaitAsync(GatewayProcess.Patience, None);
    }

    [Fact]
    public async Task WebSocket_PassesBothWays()
    {
        await using var service = await TestService.StartAsync(async context =>
        {
            using var socket = await context.WebSockets.AcceptWebSocketAsync();
            var buffer = new byte[1024];
            var got = await socket.ReceiveAsync(buffer, None);
            await socket.SendAsync(buffer.AsMemory(0, got.Count), WebSocketMessageType.Text, true, None);
            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "done", None);
        });
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: "{{service.Address}}" }
            routes: { s: { match: "/{**rest}", forward: s } }
            """
        );
        using var client = new ClientWebSocket();
        await client.ConnectAsync(new Uri($"ws://{gateway.Address.Authority}/ws"), None);
        await client.SendAsync(Encoding.UTF8.GetBytes("hello"), WebSocketMessageType.Text, true, None);
        var answer = new byte[64];
        var received = await client.ReceiveAsync(answer, None);
        Assert.Equal("hello", Encoding.UTF8.GetString(answer, 0, received.Count));
    }

    [Fact]
    public async Task Upload_LargerThanAnyBuffer_IsNotBufferedWhileTheServiceDoesNotRead()
    {
        var read = new TaskCompletionSource();
        await using var service = await TestService.StartAsync(async context =>
        {
            await read.Task;
            var buffer = new byte[128 * 1024];
            long total = 0;
            for (int count; (count = await context.Request.Body.ReadAsync(buffer)) > 0; )
                total += count;
            await context.Response.WriteAsync(total.ToString(System.Globalization.CultureInfo.InvariantCulture));
        });
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: "{{service.Address}}" }
            routes: { s: { match: "/{**rest}", forward: s } }
            """
        );
        using var content = new CountedContent(256 * 1024 * 1024L);
        var answer = gateway.Client.PostAsync(new Uri("/up", UriKind.Relative), content, None);
        // No more bytes are written once kernel and gateway buffers are full: far below the total.
        var last = -1L;
        await Until.SeenAsync(() =>
        {
            var now = content.Written;
            var stands = now > 0 && now == last;
            last = now;
            return stands ? this : null;
        });
        Assert.InRange(content.Written, 1, 64 * 1024 * 1024);
        read.SetResult();
        using var response = await answer;
        Assert.Equal(
            (256 * 1024 * 1024L).ToString(System.Globalization.CultureInfo.InvariantCulture),
            await response.Content.ReadAsStringAsync(None)
        );
    }

    [Fact]
    public async Task Upload_SlowerThanTheRequestTimeout_IsNotCutOff()
    {
        await using var service = await TestService.StartAsync(async c =>
            await c.Response.WriteAsync(await new StreamReader(c.Request.Body).ReadToEndAsync())
        );
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: { instances: ["{{service.Address}}"], timeouts: { request: 300ms } } }
            routes: { s: { match: "/{**rest}", forward: s } }
            """
        );
        using var content = new SlowContent(TimeSpan.FromMilliseconds(900));
        using var response = await gateway.Client.PostAsync(new Uri("/", UriKind.Relative), content, None);
        Assert.Equal("ab", await response.Content.ReadAsStringAsync(None));
    }

    [Fact]
    public async Task Mirror_GetsTheBody_AndItsFailureIsNobodys()
    {
        var copies = new System.Collections.Concurrent.ConcurrentQueue<string>();
        await using var service = await TestService.StartAsync(async c =>
            await c.Response.WriteAsync(await new StreamReader(c.Request.Body).ReadToEndAsync())
        );
        await using var mirror = await TestService.StartAsync(async c =>
        {
            copies.Enqueue(await new StreamReader(c.Request.Body).ReadToEndAsync());
            c.Abort();
        });
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: "{{service.Address}}", m: "{{mirror.Address}}" }
            routes: { s: { match: "/{**rest}", forward: { service: s, mirror: m } } }
            """
        );
        using var content = new StringContent("body");
        using var response = await gateway.Client.PostAsync(new Uri("/x", UriKind.Relative), content, None);
        Assert.Equal("body", await response.Content.ReadAsStringAsync(None));
        Assert.Equal("body", await Until.SeenAsync(() => copies.TryPeek(out var copy) ? copy : null));
    }

    [Fact]
    public async Task Split_ByWeight_ReachesBothInProportion()
    {
        await using var a = await TestService.StartAsync(c => c.Response.WriteAsync("a"));
        await using var b = await TestService.StartAsync(c => c.Response.WriteAsync("b"));
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { a: "{{a.Address}}", b: "{{b.Address}}" }
            routes:
              s: { match: "/split", forward: { split: { a: 80, b: 20 } } }
              t: { match: "/sticky", forward: { split: { a: 50, b: 50 }, sticky: true } }
            """
        );
        var answers = new List<string>();
        for (var i = 0; i < 500; i++)
            answers.Add(await gateway.Client.GetStringAsync(new Uri("/split", UriKind.Relative), None));
        Assert.InRange(answers.Count(x => x == "b"), 50, 160);
        var sticky = new HashSet<string>();
        for (var i = 0; i < 30; i++)
            sticky.Add(await gateway.Client.GetStringAsync(new Uri("/sticky", UriKind.Relative), None));
        Assert.Single(sticky);
    }

    [Fact]
    public async Task DeadInstance_AmongLiveOnes_NeverReachesTheClient()
    {
        await using var service = await TestService.StartAsync(async c =>
            await c.Response.WriteAsync(await new StreamReader(c.Request.Body).ReadToEndAsync())
        );
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: { instances: ["http://127.0.0.1:1", "{{service.Address}}"], balancing: roundRobin } }
            routes: { s: { match: "/{**rest}", forward: s } }
            """
        );
        for (var i = 0; i < 10; i++)
        {
            using var content = new StringContent("n" + i);
            using var response = await gateway.Client.PostAsync(new Uri("/", UriKind.Relative), content, None);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            Assert.Equal("n" + i, await response.Content.ReadAsStringAsync(None));
        }
    }

    [Theory]
    [InlineData("reset", 502, "connection-terminated", "connection_terminated")]
    [InlineData("hang", 504, "response-timeout", "http_response_timeout")]
    [InlineData("garbage", 502, "protocol-error", "http_protocol_error")]
    [InlineData("large", 502, "response-head-too-large", "http_response_header_section_size")]
    public async Task Failure_BeforeTheHead_IsAProblem(string failure, int status, string slug, string proxyStatus)
    {
        using var server = new RawServer((socket, _) => FailAsync(socket, failure));
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: { instances: ["{{server.Address}}"], timeouts: { request: 500ms } } }
            routes: { s: { match: "/{**rest}", forward: s } }
            """
        );
        using var response = await gateway.Client.GetAsync(new Uri("/", UriKind.Relative), None);
        var body = await response.Content.ReadAsStringAsync(None);
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType!.MediaType);
        Assert.Equal("lintel; error=" + proxyStatus, response.Headers.GetValues("Proxy-Status").Single());
        using var problem = JsonDocument.Parse(body);
        Assert.Equal("urn:problem-type:lintel:" + slug, problem.RootElement.GetProperty("type").GetString());
        Assert.Equal(32, problem.RootElement.GetProperty("traceId").GetString()!.Length);
        Assert.DoesNotContain("127.0.0.1", body, StringComparison.Ordinal);
        await Until.TrueAsync(() =>
            gateway.Log.Any(l => l.Contains(problem.RootElement.GetProperty("traceId").GetString()!, StringComparison.Ordinal))
        );
    }

    [Theory]
    [InlineData("cut-length")]
    [InlineData("cut-chunked")]
    [InlineData("stall")]
    public async Task Body_CutOff_IsNeverPassedOnAsComplete(string failure)
    {
        using var server = new RawServer((socket, _) => FailAsync(socket, failure));
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: { instances: ["{{server.Address}}"], timeouts: { idle: 500ms } } }
            routes: { s: { match: "/{**rest}", forward: s } }
            """
        );
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => gateway.Client.GetByteArrayAsync(new Uri("/", UriKind.Relative), None));
    }

    [Fact]
    public async Task Loop_ThroughItself_IsDetected()
    {
        await using var gateway = await InProcessGateway.StartAsync("routes: {}");
        await gateway.ReloadAsync(
            $"services: {{ self: \"{gateway.Address}\" }}\nroutes: {{ s: {{ match: \"/{{**rest}}\", forward: self }} }}"
        );
        using var response = await gateway.Client.GetAsync(new Uri("/", UriKind.Relative), None);
        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Equal("lintel; error=proxy_loop_detected", response.Headers.GetValues("Proxy-Status").Single());
    }

    private static async Task FailAsync(Socket socket, string failure)
    {
        switch (failure)
        {
            case "reset":
                socket.LingerState = new LingerOption(true, 0);
                break;
            case "hang":
                await socket.ReceiveAsync(new byte[1]); // until the gateway gives up
                break;
            case "garbage":
                await socket.SendAsync("SSH-2.0-OpenSSH_9\r\n\r\n"u8.ToArray());
                break;
            case "large":
                await socket.SendAsync(Encoding.ASCII.GetBytes("HTTP/1.1 200 OK\r\nX: " + new string('a', 200_000) + "\r\n\r\n"));
                break;
            case "cut-length":
                await socket.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"u8.ToArray());
                break;
            case "cut-chunked":
                await socket.SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"u8.ToArray());
                break;
            case "stall":
                await socket.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"u8.ToArray());
                await socket.ReceiveAsync(new byte[1]);
                break;
        }
    }

    /// <summary>Two bytes with a pause between them: the pause is what is tested.</summary>
    private sealed class SlowContent(TimeSpan pause) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.WriteAsync("a"u8.ToArray());
            await stream.FlushAsync();
            await Task.Delay(pause);
            await stream.WriteAsync("b"u8.ToArray());
        }

        protected override bool TryComputeLength(out long computed)
        {
            computed = 0;
            return false;
        }
    }

    private sealed class CountedContent(long length) : HttpContent
    {
        private long _written;

        public long Written => Interlocked.Read(ref _written);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            var block = new byte[64 * 1024];
            for (var left = length; left > 0; left -= block.Length)
            {
                await stream.WriteAsync(block);
                Interlocked.Add(ref _written, block.Length);
            }
        }

        protected override bool TryComputeLength(out long computed)
        {
            computed = length;
            return true;
        }
    }
}
