#pragma warning disable LINTEL001 // the policies of applications are experimental

using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Lintel.Hosting;
using Lintel.Pipeline;
using Lintel.Policies.Custom;
using Lintel.TestKit;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Lintel.FunctionalTests;

/// <summary>Load shedding with real sockets, queues and files.</summary>
[EveryTransport]
public sealed class OverloadTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    /// <summary>
    /// A policy of the application blocks the threads that serve, and requests queue up behind it. Those of low priority are shed before
    /// those of normal priority; when the policy stops blocking everybody is served.
    /// </summary>
    [Fact]
    public async Task Threads_ThatAreKeptBusy_ShedLowBeforeNormalAndRecover()
    {
        Assert.SkipWhen(Transport.IsSockets, "it would block the pool's threads, which the tests beside it need");
        using var calm = new ManualResetEventSlim();
        await using var gateway = await InProcessGateway.StartAsync(
            """
            overload: { memory: off, loopDelay: 10ms }
            routes:
              low: { match: /low, priority: low, respond: { body: served } }
              normal: { match: /normal, respond: { body: served } }
              slow: { match: /slow, priority: high, policies: [blocking], respond: { body: served } }
            """,
            services: s => s.AddSingleton(calm).AddLintelPolicy<BlockingPolicy>("blocking")
        );
        var overload = gateway.Gateway.Parts.Overload;
        var shed = new ConcurrentQueue<string>();
        var clients = new List<Task>();
        for (var i = 0; i < 8; i++)
            clients.AddRange([CallAsync("/low"), CallAsync("/normal"), CallAsync("/slow")]);
        await Until.TrueAsync(() => shed.Contains("/normal"));
        Assert.Equal("/low", shed.First());
        Assert.Equal(ScarceResource.LoopDelay, overload.Reason);

        calm.Set();
        await Task.WhenAll(clients).InTimeAsync();
        await Until.TrueAsync(() => overload.Level == 0);
        foreach (var path in (string[])["/low", "/normal", "/slow"])
            Assert.Equal("served", await gateway.Client.GetStringAsync(new Uri(path, UriKind.Relative), None));
        await Until.TrueAsync(() => gateway.Log.Any(l => l.Contains("no longer overloaded", StringComparison.Ordinal)));
        Assert.Contains(gateway.Log, l => l.Contains("sheds requests, those of low priority first: loopDelay", StringComparison.Ordinal));

        async Task CallAsync(string path)
        {
            while (!calm.IsSet)
            {
                using var answer = await gateway.Client.GetAsync(new Uri(path, UriKind.Relative), None);
                if (answer.StatusCode == HttpStatusCode.ServiceUnavailable)
                    shed.Enqueue(path);
            }
        }
    }

    [Fact]
    public async Task Memory_OfAFullControlGroup_ShedsUntilThereIsRoom()
    {
        using var folder = new ConfigFolder();
        folder.Write("proc/cgroup", "0::/pod\n");
        folder.Write("groups/pod/memory.max", "1000000\n");
        folder.Write("groups/pod/memory.current", "100000\n");
        await using var gateway = await InProcessGateway.StartAsync(
            "overload: { loopDelay: off }\nroutes: { a: { match: /a, priority: low, respond: { body: served } } }",
            services: s => s.AddSingleton(new ControlGroups(folder["proc"], folder["groups"]))
        );
        var overload = gateway.Gateway.Parts.Overload;
        Assert.Equal(HttpStatusCode.OK, await StatusAsync());
        Replace("920000"); // 47 % of the rest: level 1.9 at most
        await Until.TrueAsync(async () => await StatusAsync() == HttpStatusCode.ServiceUnavailable);
        Assert.Equal(ScarceResource.Memory, overload.Reason);
        Replace("300000");
        await Until.TrueAsync(() => overload.Level == 0);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync());

        async Task<HttpStatusCode> StatusAsync()
        {
            using var answer = await gateway.Client.GetAsync(new Uri("/a", UriKind.Relative), None);
            return answer.StatusCode;
        }

        // in one step: a file that is being written is empty for a moment
        void Replace(string used) => File.Move(folder.Write("next", used + "\n"), folder["groups/pod/memory.current"], overwrite: true);
    }

    [Fact]
    public async Task Reload_ThatSwitchesSheddingOff_ServesEverybody()
    {
        const string Routes = "routes: { a: { match: /a, priority: low, respond: { body: served } } }";
        await using var gateway = await InProcessGateway.StartAsync("overload: { memory: 10%, loopDelay: off }\n" + Routes, services: Full);
        var overload = gateway.Gateway.Parts.Overload;
        await Until.TrueAsync(() => overload.Level >= 1);
        await gateway.ReloadAsync("overload: off\n" + Routes);
        Assert.Equal(0, overload.Level);
        Assert.Equal("served", await gateway.Client.GetStringAsync(new Uri("/a", UriKind.Relative), None));
    }

    /// <summary>The body is announced and never sent: the answer comes all the same, and the connection is closed.</summary>
    [Theory]
    [InlineData("Content-Length: 1000000\r\n", true)]
    [InlineData("Transfer-Encoding: chunked\r\n", true)]
    [InlineData("Content-Length: 100000\r\nExpect: 100-continue\r\n", true)]
    [InlineData("Content-Length: 3\r\n", false)]
    public async Task Body_OfAShedRequest_IsNotWaitedFor(string fields, bool closes)
    {
        await using var gateway = await InProcessGateway.StartAsync(
            "overload: off\nroutes: { a: { match: /a, priority: low, respond: { body: served } } }"
        );
        gateway.Gateway.Parts.Overload.Shedding.Set(1, ScarceResource.Memory);
        using var client = await gateway.ConnectAsync();
        await client.SendAsync($"POST /a HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        var answer = await client.ReadResponseAsync();
        Assert.Equal(503, answer.Status);
        Assert.Contains("short of memory", answer.Body, StringComparison.Ordinal);
        Assert.Equal(closes ? "close" : null, answer["Connection"]);
    }

    [Fact]
    public async Task Application_WithAFullControlGroup_ShedsTheGatewaysRoutesAlone()
    {
        await using var gateway = await InProcessGateway.StartInApplicationAsync(
            "overload: { memory: 10%, loopDelay: off }\nroutes: { a: { match: /a, priority: low, respond: { body: served } } }",
            app =>
            {
                app.MapGet("/own", () => "own");
                app.MapLintel();
            },
            Full
        );
        await Until.TrueAsync(() => gateway.Gateway.Parts.Overload.Level >= 1);
        using var shed = await gateway.Client.GetAsync(new Uri("/a", UriKind.Relative), None);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, shed.StatusCode);
        Assert.Equal("own", await gateway.Client.GetStringAsync(new Uri("/own", UriKind.Relative), None));
    }

    /// <summary>Health and the admin API answer while everything is shed that can be.</summary>
    [Fact]
    public async Task AdminAddress_UnderFullShedding_Answers()
    {
        await using var gateway = await LocalProgram.StartAsync(
            "overload: { memory: off, loopDelay: off, cpu: 10% }\nroutes: { a: { match: /a, priority: low, respond: { body: served } } }"
        );
        using var admin = new HttpClient { BaseAddress = gateway.Admin };
        var (level, notes, metrics) = (0.0, "", "");
        await Until.TrueAsync(async () =>
        {
            // four at a time: more than a tenth of the processors
            var answers = await Task.WhenAll(
                Enumerable.Range(0, 4).Select(_ => gateway.Client.GetAsync(new Uri("/a", UriKind.Relative), None))
            );
            Array.ForEach(answers, a => a.Dispose());

            // each of these fails the test if it is refused
            await admin.GetStringAsync(new Uri("/health/live", UriKind.Relative), None);
            notes += await admin.GetStringAsync(new Uri("/health/ready", UriKind.Relative), None);
            metrics = await admin.GetStringAsync(new Uri("/metrics", UriKind.Relative), None);
            using var status = JsonDocument.Parse(await admin.GetStringAsync(new Uri("/api/v1/snapshot", UriKind.Relative), None));
            var overload = status.RootElement.GetProperty("overload");
            level = Math.Max(level, overload.GetProperty("level").GetDouble());
            Assert.True(overload.GetProperty("level").GetDouble() == 0 || overload.GetProperty("reason").GetString() == "cpu");
            return level >= 1 && metrics.Contains("lintel_requests_shed_total{", StringComparison.Ordinal);
        });
        Assert.Contains("requests are shed: the gateway is short of CPU time", notes, StringComparison.Ordinal);
    }

    /// <summary>A control group in which every percentage is beyond its limit.</summary>
    private static void Full(IServiceCollection services) => services.AddSingleton(FullGroups.Value);

    private static readonly Lazy<ControlGroups> FullGroups = new(() =>
    {
        var folder = Directory.CreateTempSubdirectory("lintel-groups-").FullName;
        Directory.CreateDirectory(Path.Combine(folder, "groups"));
        File.WriteAllText(Path.Combine(folder, "cgroup"), "0::/\n");
        File.WriteAllText(Path.Combine(folder, "groups/memory.max"), "1000\n");
        File.WriteAllText(Path.Combine(folder, "groups/memory.current"), "990\n");
        return new ControlGroups(folder, Path.Combine(folder, "groups"));
    });

    /// <summary>Holds the thread for 10 ms, as code that waits for a lock or a disk does.</summary>
    private sealed class BlockingPolicy(ManualResetEventSlim calm) : GatewayPolicy
    {
        public override ValueTask<PolicyRefusal?> AdmitAsync(PolicyContext context, CancellationToken cancellationToken)
        {
            calm.Wait(10, CancellationToken.None);
            return default;
        }
    }
}
