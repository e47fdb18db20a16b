using System.Diagnostics;
using System.Net.Sockets;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;

namespace Lintel.FunctionalTests;

/// <summary>Floods of connections and slow clients against a real process: others keep their latency, and nothing leaks.</summary>
[Collection(nameof(Alone))]
[EveryTransport]
public sealed class FloodTests(FloodTests.FloodedGateway shared) : IClassFixture<FloodTests.FloodedGateway>
{
    private readonly TestService _service = shared.Service;

    /// <summary>That of all tests, unless one looks at what was never used before.</summary>
    private GatewayProcess _gateway = shared.Gateway;

    [Fact]
    public async Task ThousandsOfIdleConnections_CostLittleAndLeaveNothing()
    {
        await using var fresh = new FloodedGateway();
        await fresh.InitializeAsync();
        _gateway = fresh.Gateway;
        var descriptors = Descriptors();
        var memory = Memory();
        var idle = await OpenAsync(4_000, "");
        await Until.TrueAsync(() => Descriptors() >= descriptors + 4_000);
        await AssertServesAsync();
        var each = (Memory() - memory) * 1024 / idle.Count;
        Assert.InRange(each, long.MinValue, 40 * 1024); // what one costs is in bench/results; this is a bound
        idle.ForEach(c => c.Dispose());
        await Until.TrueAsync(() => Descriptors() <= descriptors + 20);
    }

    [Fact]
    public async Task Slowloris_OfManyConnections_IsEndedWhileOthersAreServed()
    {
        var descriptors = Descriptors();
        var slow = await OpenAsync(1000, "GET / HTTP/1.1\r\nHost: t\r\nX-A: ");
        await AssertServesAsync();
        var answers = await Task.WhenAll(slow.Select(ReadStatusAsync));
        Assert.All(answers, a => Assert.Equal("HTTP/1.1 408 Request Timeout", a));
        slow.ForEach(c => c.Dispose());
        await Until.TrueAsync(() => Descriptors() <= descriptors + 20);
    }

    [Fact]
    public async Task SlowReaders_OfBigAnswers_HoldNeitherMemoryNorOthers()
    {
        var descriptors = Descriptors();
        var memory = Memory();
        var slow = await OpenAsync(50, "GET /big HTTP/1.1\r\nHost: t\r\n\r\n", receiveBuffer: 4096);
        await Until.TrueAsync(() => _service.Seen.Count(s => s.Target == "/big") == slow.Count);

        // First the kernel's buffers fill, some 10 MB for each connection and side, which is work for all. Then they stall.
        var started = Stopwatch.GetTimestamp();
        while (await LatencyAsync(100) is var latency && latency > TimeSpan.FromMilliseconds(500))
            Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, GatewayProcess.Patience);
        Assert.All(slow, s => Assert.True(s.Connected));
        Assert.InRange(Memory() - memory, long.MinValue, 150 * 1024); // 3.2 GB would be due
        slow.ForEach(c => c.Dispose());
        await Until.TrueAsync(() => Descriptors() <= descriptors + 20);
    }

    [Fact]
    public async Task ConnectionsOpenedAndReset_ByThousands_LeaveNothing()
    {
        var descriptors = Descriptors();
        var flood = FloodAsync("/here", 1000); // the gateway alone: the test's own service, flooded too, would answer others late
        await AssertServesAsync();
        await flood;
        await AssertServesAsync();
        await FloodAsync("/small", 250); // and in the midst of exchanges with a service
        await LatencyAsync(20);
        await Until.TrueAsync(() => Descriptors() <= descriptors + 20);
    }

    /// <summary>Four at a time: connections that are reset as soon as they are there, every other one with a request under way.</summary>
    private Task FloodAsync(string path, int rounds) =>
        Task.WhenAll(
            Enumerable
                .Range(0, 4)
                .Select(async i =>
                {
                    var request = System.Text.Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n");
                    for (var round = 0; round < rounds; round++)
                    {
                        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { LingerState = new(true, 0) };
                        await socket.ConnectAsync(_gateway.Address.Host, _gateway.Address.Port);
                        if ((round + i) % 2 == 0)
                            await socket.SendAsync(request);
                    }
                })
        );

    private static async Task<string?> ReadStatusAsync(Socket socket)
    {
        await using var stream = new NetworkStream(socket);
        using var reader = new StreamReader(stream);
        return await reader.ReadLineAsync().InTimeAsync();
    }

    private async Task<List<Socket>> OpenAsync(int count, string text, int receiveBuffer = 0)
    {
        var bytes = System.Text.Encoding.ASCII.GetBytes(text);
        var sockets = new List<Socket>(count);
        for (var i = 0; i < count; i++)
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            if (receiveBuffer > 0)
                socket.ReceiveBufferSize = receiveBuffer;
            await socket.ConnectAsync(_gateway.Address.Host, _gateway.Address.Port).InTimeAsync();
            if (bytes.Length > 0)
                await socket.SendAsync(bytes);
            sockets.Add(socket);
        }

        return sockets;
    }

    /// <summary>A bound that holds on two busy cores: the attack would otherwise cost seconds or an error.</summary>
    private async Task AssertServesAsync() => Assert.InRange(await LatencyAsync(100), TimeSpan.Zero, TimeSpan.FromMilliseconds(500));

    /// <summary>The 99th of a hundred, each asked after the one before.</summary>
    private Task<TimeSpan> LatencyAsync(int count) => LatencyAsync(_gateway, count);

    private static async Task<TimeSpan> LatencyAsync(GatewayProcess gateway, int count)
    {
        var durations = new List<TimeSpan>(count);
        for (var i = 0; i < count; i++)
        {
            var started = Stopwatch.GetTimestamp();
            Assert.Equal("ok", await gateway.Client.GetStringAsync("/small"));
            durations.Add(Stopwatch.GetElapsedTime(started));
        }

        durations.Sort();
        return durations[count * 99 / 100 - 1];
    }

    private int Descriptors() => Directory.GetFiles($"/proc/{_gateway.Id}/fd").Length;

    /// <summary>Resident memory in KiB.</summary>
    private long Memory() =>
        long.Parse(
            File.ReadLines($"/proc/{_gateway.Id}/status")
                .First(l => l.StartsWith("VmRSS", StringComparison.Ordinal))
                .Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1],
            System.Globalization.CultureInfo.InvariantCulture
        );

    /// <summary>A gateway in a process of its own, and a service that answers a little or 64 MiB.</summary>
    public sealed class FloodedGateway : IAsyncLifetime
    {
        internal TestService Service { get; private set; } = null!;

        internal GatewayProcess Gateway { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            var megabyte = new byte[1024 * 1024];
            Service = await TestService.StartAsync(async c =>
            {
                if (c.Request.Path != "/big")
                {
                    await c.Response.WriteAsync("ok");
                    return;
                }

                for (var i = 0; i < 64; i++)
                    await c.Response.Body.WriteAsync(megabyte, c.RequestAborted);
            });
            Gateway = await GatewayProcess.StartAsync(
                $$"""
                listeners: { public: { address: "http://127.0.0.1:0", limits: { headTimeout: 2s, connections: 20000 } } }
                observability: { accessLog: { to: none } }
                services: { s: "{{Service.Address}}" }
                routes: { s: { match: "/{**rest}", forward: s }, here: { match: /here, respond: { body: ok } } }
                """
            );
            await LatencyAsync(Gateway, 200); // both processes have compiled their code
        }

        public async ValueTask DisposeAsync()
        {
            await Gateway.DisposeAsync();
            await Service.DisposeAsync();
        }
    }
}
