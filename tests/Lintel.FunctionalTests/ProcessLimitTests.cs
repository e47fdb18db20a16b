using System.Diagnostics;
using System.Globalization;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;

namespace Lintel.FunctionalTests;

/// <summary>A gateway that reaches the limits of its process.</summary>
[EveryTransport]
public sealed class ProcessLimitTests
{
    /// <summary>More connections than their usual share of the descriptors: the descriptors end first.</summary>
    private const string Listeners = "listeners: { public: { address: \"http://127.0.0.1:0\", limits: { connections: 10000 } } }";

    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task Descriptors_RunningOut_HoldNewConnectionsBackAndNothingElse()
    {
        await using var service = await TestService.StartAsync(c => c.Response.WriteAsync("ok"));
        await using var gateway = await GatewayProcess.StartAsync(
            $$"""
            {{Listeners}}
            services: { s: "{{service.Address}}" }
            routes: { r: { match: /x, respond: { body: one } }, s: { match: "/s/{**rest}", forward: s } }
            """,
            settings: new ProcessSettings { Wrapper = ["prlimit", "--nofile=512"] }
        );
        Assert.Contains("512 descriptors (few: raise the limit)", gateway.Errors, StringComparison.Ordinal);
        var clients = new List<RawClient>();
        try
        {
            using var first = await RawClient.ConnectAsync(gateway.Address);
            Assert.Equal(200, (await first.GetAsync("/x")).Status);
            for (var n = 0; n < 400; n++)
                clients.Add(await RawClient.ConnectAsync(gateway.Address));
            await Until.TrueAsync(() => gateway.Errors.Contains("Out of file descriptors (the limit is 512)", StringComparison.Ordinal));

            // What is connected is served, connections to services and a reload have descriptors left, operators see it.
            Assert.Equal("one", (await first.GetAsync("/x")).Body);
            Assert.Equal("ok", (await first.GetAsync("/s/1")).Body);
            using var admin = new HttpClient { BaseAddress = gateway.Admin };
            Assert.Contains(
                "ready",
                await admin.GetStringAsync(new Uri("/health/ready", UriKind.Relative), None),
                StringComparison.Ordinal
            );
            await gateway.ReloadAsync(Listeners + "\nroutes: { r: { match: /x, respond: { body: two } } }");
            Assert.Equal("two", (await first.GetAsync("/x")).Body);

            await WaitForRest(gateway.Id);

            // The last of them waits in the queue, and has its answer when others end.
            var last = clients[^1];
            var answer = last.GetAsync("/x");
            Assert.False(answer.IsCompleted);
            foreach (var client in clients.Take(380))
                client.Dispose();
            Assert.Equal("two", (await answer).Body);
            Assert.Equal(1, gateway.Errors.Split("Out of file descriptors").Length - 1);
        }
        finally
        {
            clients.ForEach(c => c.Dispose());
        }

        Assert.Equal("two", await gateway.Client.GetStringAsync(new Uri("/x", UriKind.Relative), None));
    }

    [Fact]
    [AnyTransport]
    public async Task SoftLimit_OfDescriptors_IsRaisedToTheHardOne()
    {
        await using var gateway = await GatewayProcess.StartAsync(
            "routes: { r: { match: /x, respond: {} } }",
            settings: new ProcessSettings { Wrapper = ["prlimit", "--nofile=600:5500"] }
        );
        Assert.Contains(" 5500 descriptors\n", gateway.Errors, StringComparison.Ordinal);
    }

    [Fact]
    [AnyTransport]
    public async Task Start_WithTooFewDescriptors_IsRefusedWithTheRemedy()
    {
        var (code, _, errors) = await GatewayProcess.RunAsync(
            new ProcessSettings { Wrapper = ["prlimit", "--nofile=200"] },
            "run",
            "any.yaml"
        );
        Assert.Equal(2, code);
        Assert.Contains("at least 512 are needed: raise the limit", errors, StringComparison.Ordinal);
    }

    [Fact]
    [AnyTransport]
    public async Task Memory_OfTheControlGroup_BoundsTheHeap()
    {
        // The runtime's own rule for a control group, given by hand: a test may not make groups everywhere.
        await using var gateway = await GatewayProcess.StartAsync(
            "routes: { r: { match: /x, respond: {} } }",
            settings: new ProcessSettings { Environment = { ["DOTNET_GCHeapHardLimit"] = "0x10000000" } }
        );
        Assert.Contains("256 MiB for the heap", gateway.Errors, StringComparison.Ordinal);
    }

    /// <summary>
    /// Waits for a second in which the process does next to nothing: the compiler still works behind the first requests, a loop that asks
    /// again at once never rests.
    /// </summary>
    private static async Task WaitForRest(int process)
    {
        var last = 1.0;
        for (var tries = 0; tries < 20; tries++)
        {
            var before = CpuTime(process);
            var wall = Stopwatch.GetTimestamp();
            await Task.Delay(1000, None); // what is measured is a stretch of time
            last = (CpuTime(process) - before) / Stopwatch.GetElapsedTime(wall);
            if (last < 0.2)
                return;
        }

        Assert.Fail($"{last:P0} of a core while nothing happens");
    }

    private static TimeSpan CpuTime(int process)
    {
        var fields = File.ReadAllText($"/proc/{process}/stat").Split(") ")[1].Split(' ');
        return TimeSpan.FromMilliseconds(
            10 * (long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture))
        );
    }
}
