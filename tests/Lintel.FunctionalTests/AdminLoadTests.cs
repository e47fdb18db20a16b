using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary>The admin address under load, and client requests meanwhile.</summary>
[Collection(nameof(Alone))]
[EveryTransport]
public sealed class AdminLoadTests(AdminLoadTests.ManyRoutes shared) : IClassFixture<AdminLoadTests.ManyRoutes>
{
    private const string Routes =
        "observability: { accessLog: { to: none } }\nservices: { s: \"http://127.0.0.1:1\" }\nroutes:\n  live: { match: /live, "
        + "respond: { body: ok } }\n";

    private static readonly CancellationToken None = CancellationToken.None;

    private static readonly string TenThousand =
        Routes + string.Concat(Enumerable.Range(0, 10_000).Select(i => $"  r{i}: {{ match: \"GET /api/v{i}/{{id}}\", forward: s }}\n"));

    [Fact]
    [AnyTransport]
    public async Task Routes_TenThousandOfThem_ArriveQuicklyAndPieceByPiece()
    {
        var gateway = await shared.StartAsync();
        using var admin = new AdminClient(gateway.Admin);
        await admin.GetAsync("/api/v1/routes"); // the first answer compiles code too
        var started = Stopwatch.GetTimestamp();
        using var response = await admin.SendAsync("/api/v1/routes");
        var all = JsonNode.Parse(await response.Content.ReadAsStreamAsync(None))!["items"]!.AsArray();
        var took = Stopwatch.GetElapsedTime(started);
        Assert.Equal(10_001, all.Count);
        Assert.Equal("r9999", (string?)all[^1]!["name"]);
        Assert.True(response.Headers.TransferEncodingChunked);
        Assert.True(took < TimeSpan.FromSeconds(3), $"took {took}"); // 0.06 to 0.3 s alone
        started = Stopwatch.GetTimestamp();
        await admin.GetAsync("/api/v1/routes/r9999");
        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(2));
    }

    [Fact]
    [AnyTransport]
    public async Task Flood_OfTheAdminAddress_LeavesRequestsAlone()
    {
        var gateway = await shared.StartAsync();
        using var admin = new AdminClient(gateway.Admin);
        using var stop = new CancellationTokenSource();

        // Half of all connections request everything, the rest are idle; some are refused.
        var idle = new List<RawClient>();
        for (var i = 0; i < 200; i++)
            idle.Add(await RawClient.ConnectAsync(gateway.Admin));
        var answered = 0;
        var flood = Enumerable
            .Range(0, 100)
            .Select(async _ =>
            {
                using var client = new AdminClient(gateway.Admin);
                while (!stop.IsCancellationRequested)
                {
                    try
                    {
                        using var response = await client.SendAsync("/api/v1/routes");
                        Interlocked.Increment(ref answered);
                    }
                    catch (HttpRequestException)
                    {
                        await Task.Delay(20); // turned away, as it should be
                    }
                }
            })
            .ToList();
        await Until.TrueAsync(() => answered > 3);

        var slowest = TimeSpan.Zero;
        for (var i = 0; i < 100; i++)
        {
            var started = Stopwatch.GetTimestamp();
            Assert.Equal("ok", await gateway.Client.GetStringAsync(new Uri("/live", UriKind.Relative), None));
            var took = Stopwatch.GetElapsedTime(started);
            slowest = took > slowest ? took : slowest;
        }

        await stop.CancelAsync();
        idle.ForEach(c => c.Dispose());
        await Task.WhenAll(flood);
        Assert.True(slowest < TimeSpan.FromSeconds(1), $"slowest {slowest}");
        await admin.GetAsync("/api/v1/snapshot"); // and it is itself again
    }

    [Fact]
    public async Task Flood_OfTheListeners_LeavesTheAdminAddressAlone()
    {
        await using var gateway = await GatewayProcess.StartAsync(Routes);
        using var admin = new AdminClient(gateway.Admin);
        using var stop = new CancellationTokenSource();
        var idle = new List<RawClient>();
        for (var i = 0; i < 1000; i++)
            idle.Add(await RawClient.ConnectAsync(gateway.Address));
        var load = Enumerable
            .Range(0, 32)
            .Select(async _ =>
            {
                while (!stop.IsCancellationRequested)
                    Assert.Equal("ok", await gateway.Client.GetStringAsync(new Uri("/live", UriKind.Relative), None));
            })
            .ToList();
        var slowest = TimeSpan.Zero;
        for (var i = 0; i < 50; i++)
        {
            var started = Stopwatch.GetTimestamp();
            using var ready = await admin.SendAsync("/health/ready");
            Assert.Equal(HttpStatusCode.OK, ready.StatusCode);
            await admin.GetAsync("/api/v1/snapshot");
            var took = Stopwatch.GetElapsedTime(started);
            slowest = took > slowest ? took : slowest;
        }

        await stop.CancelAsync();
        await Task.WhenAll(load);
        idle.ForEach(c => c.Dispose());
        Assert.True(slowest < TimeSpan.FromSeconds(2), $"slowest {slowest}");
    }

    /// <summary>A process with ten thousand routes, for those tests that want one.</summary>
    public sealed class ManyRoutes : IAsyncDisposable
    {
        private GatewayProcess? _gateway;

        public async ValueTask DisposeAsync()
        {
            if (_gateway is not null)
                await _gateway.DisposeAsync();
        }

        internal async Task<GatewayProcess> StartAsync() => _gateway ??= await GatewayProcess.StartAsync(TenThousand);
    }
}
