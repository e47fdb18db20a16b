using System.Text.Json;
using Lintel.TestKit;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using static Lintel.FunctionalTests.FrameClient;

namespace Lintel.FunctionalTests;

/// <summary>Every cause that cuts off a request has a name in the access log; a client disconnect is one of many.</summary>
[EveryTransport]
public sealed class AbortTests : IAsyncLifetime
{
    private const string Routes = """
        routes:
          composed: { match: "/composed", compose: { calls: { a: s/hold } } }
          streamed: { match: "/streamed", compose: { calls: { q: s/quick, a: s/hold }, stream: true } }
          grpc: { match: "/probe.Probe/{method}", forward: h2 }
          s: { match: "/{**rest}", forward: s }
        """;

    private readonly TaskCompletionSource _release = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TestService _service = null!;
    private TestService _grpc = null!;

    private string Services => $$"""services: { s: "{{_service.Address}}", h2: { instances: ["{{_grpc.Address}}"], protocol: http2 } }""";

    public async ValueTask InitializeAsync()
    {
        _service = await TestService.StartAsync(ServeAsync);
        _grpc = await TestService.StartAsync(ServeAsync, l => l.Protocols = HttpProtocols.Http2);
    }

    public async ValueTask DisposeAsync()
    {
        await _service.DisposeAsync();
        await _grpc.DisposeAsync();
    }

    [Fact]
    public async Task Stop_AtTheEndOfItsPatience_CutsOffRequestsAsStopped_AndCountsThem()
    {
        await using var gateway = await LoggedGateway.StartAsync(
            $$"""
            listeners: { public: "http://127.0.0.1:0", h2: { address: "http://127.0.0.1:0", protocols: [http2] } }
            drainTimeout: 2s
            {{Services}}
            {{Routes}}
            """
        );
        string[] held =
        [
            "GET /hold HTTP/1.1\r\nHost: t\r\n\r\n",
            "GET /begun HTTP/1.1\r\nHost: t\r\n\r\n",
            "POST /upload HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\nhalf",
            "GET /composed HTTP/1.1\r\nHost: t\r\n\r\n",
            "GET /streamed HTTP/1.1\r\nHost: t\r\n\r\n",
            "GET /tunnel HTTP/1.1\r\nHost: t\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
                + "13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        ];
        var clients = new List<RawClient>();
        foreach (var request in held)
        {
            clients.Add(await gateway.ConnectAsync());
            await clients[^1].SendAsync(request);
        }

        using var h2 = await FrameClient.ConnectAsync(gateway.Running.AddressOf("h2"));
        await h2.SendAsync(Frame(Headers, EndHeaders | EndStream, 1, Get("/hold")));
        await h2.SendAsync(
            Frame(
                Headers,
                EndHeaders,
                3,
                Block(
                    (":method", "POST"),
                    (":scheme", "http"),
                    (":path", "/probe.Probe/Hold"),
                    (":authority", "t"),
                    ("content-type", "application/grpc"),
                    ("te", "trailers")
                )
            )
        );
        using var quick = await gateway.ConnectAsync();
        await quick.SendAsync("GET /release HTTP/1.1\r\nHost: t\r\n\r\n");
        await WaitFor(() => _service.Seen.Count == held.Length + 3 && _grpc.Seen.Count == 1 && _tunnels == 1);

        var stopping = gateway.StopAsync();
        await WaitFor(() => gateway.Running.Log.Any(l => l.Contains("Draining", StringComparison.Ordinal)));
        _release.SetResult();
        var lines = (await stopping).ToLookup(l => l.GetProperty("path").GetString()!);
        clients.ForEach(c => c.Dispose());

        Assert.Contains(gateway.Running.Log, l =>
            l.StartsWith("Information: Draining: 9 requests active, 8 connections; waiting up to 00:00:02", StringComparison.Ordinal)
        );
        Assert.All(lines.Where(l => l.Key != "/release"), path =>
            Assert.All(path, line => Assert.Equal((path.Key, "stopped"), (path.Key, Error(line))))
        );
        Assert.Equal(
            "Information: Stopped: 1 requests completed, 8 aborted",
            Assert.Single(gateway.Running.Log, l => l.Contains("Stopped: ", StringComparison.Ordinal)).Trim()
        );
        Assert.Equal(8, lines.Where(l => l.Key != "/release").Sum(l => l.Count()));
        Assert.Equal([503, 503], lines["/hold"].Select(l => l.GetProperty("status").GetInt32()));
        Assert.Equal(200, Assert.Single(lines["/begun"]).GetProperty("status").GetInt32());
        Assert.Null(Error(Assert.Single(lines["/release"])));
        Assert.Contains(gateway.Running.Log, l =>
            l.StartsWith("Warning:", StringComparison.Ordinal)
            && l.Contains("stopped", StringComparison.Ordinal)
            && l.Contains("drainTimeout", StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task Reload_ThatClosesAListener_CutsOffItsRequestsAsStopped()
    {
        await using var gateway = await LoggedGateway.StartAsync(
            $$"""
            listeners: { public: "http://127.0.0.1:0", other: "http://localhost:0" }
            drainTimeout: 100ms
            {{Services}}
            {{Routes}}
            """
        );
        using var client = await RawClient.ConnectAsync(
            new Uri(gateway.Running.AddressOf("other").ToString().Replace("localhost", "127.0.0.1", StringComparison.Ordinal))
        );
        await client.SendAsync("GET /hold HTTP/1.1\r\nHost: t\r\n\r\n");
        await WaitFor(() => !_service.Seen.IsEmpty);
        await gateway.Running.ReloadAsync(", other: \"http://localhost:0\"", "");
        await Assert.ThrowsAnyAsync<IOException>(client.ReadToEndAsync);
        var line = Assert.Single(await gateway.StopAsync());
        Assert.Equal((503, "stopped"), (line.GetProperty("status").GetInt32(), Error(line)));
        Assert.Contains("reload", line.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Client_ThatLeaves_IsTheOnlyOneToldWithoutAReason()
    {
        await using var gateway = await LoggedGateway.StartAsync(
            Services
                + "\nlisteners: { public: \"http://127.0.0.1:0\", h2: { address: \"http://127.0.0.1:0\", protocols: [http2] } }\n"
                + Routes
        );
        using (var client = await gateway.ConnectAsync())
        using (var h2 = await FrameClient.ConnectAsync(gateway.Running.AddressOf("h2")))
        {
            await client.SendAsync("GET /hold HTTP/1.1\r\nHost: t\r\n\r\n");
            await h2.SendAsync(Frame(Headers, EndHeaders | EndStream, 1, Get("/hold")));
            await WaitFor(() => _service.Seen.Count == 2);
        }

        await WaitFor(() => _left == 2);
        var lines = await gateway.StopAsync();
        Assert.Equal(2, lines.Length);
        Assert.All(lines, l =>
            Assert.Equal((499, "client-aborted", false), (l.GetProperty("status").GetInt32(), Error(l), l.TryGetProperty("detail", out _)))
        );
    }

    /// <summary>Kestrel's least rate is measured after a grace of 5 s.</summary>
    [Fact]
    public async Task Client_SlowerThanTheLeastRate_IsToldAsASlowReader()
    {
        await using var gateway = await LoggedGateway.StartAsync(
            $$"""
            listeners: { public: { address: "http://127.0.0.1:0", limits: { minResponseRate: 100MiB } }, h2: { address: "http://127.0.0.1:0", protocols: [http2], limits: { minResponseRate: 100MiB } } }
            {{Services}}
            {{Routes}}
            """
        );
        using var client = await RawClient.ConnectAsync(gateway.Address, receiveBuffer: 4096);
        await client.SendAsync("GET /endless HTTP/1.1\r\nHost: t\r\n\r\n");
        using var h2 = await FrameClient.ConnectAsync(gateway.Running.AddressOf("h2"), (4, int.MaxValue));
        await h2.SendAsync(Frame(WindowUpdate, 0, 0, [0x7f, 0, 0, 0]));
        await h2.SendAsync(Frame(Headers, EndHeaders | EndStream, 1, Get("/endless")));
        await WaitFor(() => _left == 2);
        var lines = await gateway.StopAsync();
        Assert.Equal(["slow-reader", "slow-reader"], lines.Select(Error));
    }

    /// <summary>There the host's server has the connections, and waits for the requests.</summary>
    [Fact]
    public async Task Stop_InsideAnotherHost_TellsOfItsRequests()
    {
        var gateway = await InProcessGateway.StartInApplicationAsync(Services + "\n" + Routes, application => application.MapLintel());
        await gateway.DisposeAsync();
        Assert.Contains(gateway.Log, l =>
            l.StartsWith("Information: Draining: 0 requests active; the host's server", StringComparison.Ordinal)
        );
    }

    private static string? Error(JsonElement line) => line.TryGetProperty("error", out var error) ? error.GetString() : null;

    private static async Task WaitFor(Func<bool> condition) => await Until.SeenAsync(() => condition() ? "" : null);

    private int _tunnels;
    private int _left;

    private async Task ServeAsync(HttpContext context)
    {
        context.RequestAborted.Register(() => Interlocked.Increment(ref _left));
        switch (context.Request.Path.Value)
        {
            case "/release":
                await _release.Task;
                return;
            case "/quick":
                await context.Response.WriteAsync("1");
                return;
            case "/begun":
                await context.Response.WriteAsync("begun");
                await context.Response.Body.FlushAsync();
                break;
            case "/tunnel":
                using (var socket = await context.WebSockets.AcceptWebSocketAsync())
                {
                    Interlocked.Increment(ref _tunnels);
                    await Task.Delay(Timeout.Infinite, context.RequestAborted);
                }

                return;
            case "/endless":
                var piece = new byte[64 * 1024];
                while (!context.RequestAborted.IsCancellationRequested)
                    await context.Response.Body.WriteAsync(piece, context.RequestAborted);
                return;
        }

        await Task.Delay(Timeout.Infinite, context.RequestAborted);
    }
}
