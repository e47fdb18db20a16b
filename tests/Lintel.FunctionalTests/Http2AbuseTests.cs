using System.Diagnostics;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;
using static Lintel.FunctionalTests.FrameClient;

namespace Lintel.FunctionalTests;

/// <summary>
/// Hostile HTTP/2 that floods or stalls: it is bounded, and others are served all the while.
/// </summary>
[EveryTransport]
public sealed class Http2AbuseTests : IAsyncLifetime
{
    private TestService _service = null!;
    private InProcessGateway _gateway = null!;

    private static string Config(TestService service) =>
        $$"""
            listeners: { public: { address: "http://127.0.0.1:0", protocols: [http2], limits: { minResponseRate: 1MiB } } }
            observability: { accessLog: { to: none } }
            services: { s: "{{service.Address}}" }
            routes:
              s: { match: "/s/{**rest}", forward: s }
              big: { match: "/big", forward: s }
            """;

    public async ValueTask InitializeAsync()
    {
        _service = await TestService.StartAsync();
        _gateway = await InProcessGateway.StartAsync(Config(_service));
    }

    public async ValueTask DisposeAsync()
    {
        await _gateway.DisposeAsync();
        await _service.DisposeAsync();
    }

    [Fact]
    public async Task Host_BesideAnAuthority_IsNotForwarded()
    {
        using var client = await ConnectAsync(_gateway.Address);
        await client.SendAsync(Frame(Headers, EndHeaders | EndStream, 1, Get("/s", ("host", "u"))));
        Assert.Equal("200", await client.OutcomeAsync(1));
        Assert.Equal("t", Assert.Single(_service.Seen).Host);
    }

    [Fact]
    public async Task RapidReset_OfThousandsOfStreams_EndsTheConnection()
    {
        var never = new TaskCompletionSource();
        _service.Handler = async c => await never.Task.WaitAsync(c.RequestAborted);
        using var client = await ConnectAsync(_gateway.Address);
        var sent = 0u;
        while (sent < 20_000)
        {
            var stream = (sent++ * 2) + 1;
            if (
                !await client.TrySendAsync(
                    (byte[])[.. Frame(Headers, EndHeaders | EndStream, stream, Get()), .. Frame(Reset, 0, stream, [0, 0, 0, 8])],
                    TimeSpan.FromSeconds(5)
                )
            )
                break;
        }

        Assert.Matches("goaway (ENHANCE_YOUR_CALM|2)|closed", await LastWordAsync(client));
        never.SetResult();
        _service.Handler = c => c.Response.WriteAsync("ok");
        await AssertServesOthersAsync();
        Assert.InRange(_service.Seen.Count, 0, 2000); // a tenth of what was asked at the most
    }

    [Fact]
    public async Task ContinuationFlood_WithoutEnd_EndsTheConnection()
    {
        using var client = await ConnectAsync(_gateway.Address);
        await client.SendAsync(Frame(Headers, EndStream, 1, Get()));
        var piece = Frame(Continuation, 0, 1, Block(("x-a", new string('a', 8000))));
        var count = 0;
        while (count < 2000 && await client.TrySendAsync(piece, TimeSpan.FromSeconds(5)))
            count++;
        Assert.InRange(count, 0, 1999);
        await AssertServesOthersAsync();
        Assert.DoesNotContain(_service.Seen, s => s.Headers.ContainsKey("x-a"));
    }

    /// <summary>The memory is that of a process.</summary>
    [Fact]
    public async Task Flood_OfFramesThatWantAnAnswer_IsHeldBack()
    {
        await using var gateway = await GatewayProcess.StartAsync(Config(_service));
        await AssertServesOthersAsync(gateway.Address);
        foreach (var (type, length) in ((byte, int)[])[(Ping, 8), (Settings, 0)])
        {
            // The client never reads: answers pile up until the gateway stops reading or gives up. Either way it takes no more than its
            // buffers hold.
            using var client = await ConnectAsync(gateway.Address);
            var frames = Enumerable.Repeat(Frame(type, 0, 0, new byte[length]), 4096).SelectMany(f => f).ToArray();
            var before = gateway.PeakMemoryKiB();
            var taken = 0L;
            while (taken < 256L * 1024 * 1024 && await client.TrySendAsync(frames, TimeSpan.FromSeconds(2)))
                taken += frames.Length;
            Assert.InRange(taken, 0, 255L * 1024 * 1024);
            Assert.InRange(gateway.PeakMemoryKiB() - before, 0, 64 * 1024);
            await AssertServesOthersAsync(gateway.Address);
        }
    }

    [Fact]
    public async Task WindowThatStaysShut_OnManyStreams_EndsTheConnection()
    {
        _service.Handler = c => c.Response.WriteAsync(new string('a', 1024 * 1024));
        using var client = await ConnectAsync(_gateway.Address, (4, 0));
        for (var i = 0u; i < 50; i++)
            await client.SendAsync(Frame(Headers, EndHeaders | EndStream, (i * 2) + 1, Get("/big")));
        var started = Stopwatch.GetTimestamp();
        while (await client.ReadAsync() is not null) { }

        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(20));
        _service.Handler = c => c.Response.WriteAsync("ok");
        await AssertServesOthersAsync();
    }

    [Fact]
    public async Task Streams_BeyondTheLimit_AreRefused()
    {
        var answer = new TaskCompletionSource();
        _service.Handler = async c =>
        {
            await answer.Task.WaitAsync(c.RequestAborted);
            await c.Response.WriteAsync("ok");
        };
        using var client = await ConnectAsync(_gateway.Address);
        for (var i = 0u; i < 101; i++)
            await client.SendAsync(Frame(Headers, EndHeaders | EndStream, (i * 2) + 1, Get()));
        Assert.Equal("reset REFUSED_STREAM", await client.OutcomeAsync(201));
        answer.SetResult();
        Assert.Equal("200", await client.OutcomeAsync(1));
    }

    private static async Task<string> LastWordAsync(FrameClient client)
    {
        var last = "closed";
        while (await client.ReadAsync() is { } frame)
        {
            if (frame.Type == GoAway && frame.Payload[7] != 0)
                last = frame.Payload[7] == 11 ? "goaway ENHANCE_YOUR_CALM" : $"goaway {frame.Payload[7]}";
        }

        return last;
    }

    private Task AssertServesOthersAsync() => AssertServesOthersAsync(_gateway.Address);

    private static async Task AssertServesOthersAsync(Uri address)
    {
        using var client = await ConnectAsync(address);
        await client.SendAsync(Frame(Headers, EndHeaders | EndStream, 1, Get()));
        Assert.Equal("200", await client.OutcomeAsync(1));
    }
}
