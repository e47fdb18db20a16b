using System.Net;
using Lintel.Control.Status;
using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary>Instances that fail, die and recover, over real sockets.</summary>
[EveryTransport]
public sealed class HealthTests
{
    [Theory]
    [InlineData("path: /healthz")]
    [InlineData("tcp: true")]
    public async Task Instance_ThatDies_GetsNoMoreRequests_UntilItsChecksPass(string check)
    {
        await using var good = await TestService.StartAsync();
        var port = 0;
        await using (var dying = await TestService.StartAsync())
            port = dying.Port;
        await using var gateway = await StartAsync(
            $"instances: [\"{good.Address}\", \"http://127.0.0.1:{port}\"]",
            $"active: {{ {check}, every: 100ms, unhealthyAfter: 2, healthyAfter: 1 }}"
        );
        await Until.TrueAsync(() => State(gateway, 1) == "unhealthy");
        Assert.StartsWith("Connection refused", Health(gateway, 1).Reason, StringComparison.Ordinal);
        for (var i = 0; i < 20; i++)
            Assert.Equal(HttpStatusCode.OK, await GetAsync(gateway));
        Assert.Contains(gateway.Log, l => l.Contains("is unhealthy: Connection refused", StringComparison.Ordinal));

        using var back = new RawServer(
            (socket, _) => socket.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"u8.ToArray()),
            port
        );
        await Until.TrueAsync(() => State(gateway, 1) == "available");
        Assert.Contains(gateway.Log, l => l.Contains("is healthy again", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Instance_ThatAnswersErrors_IsEjected_AndComesBackAfterItsTime()
    {
        var isWell = false;
        await using var good = await TestService.StartAsync();
        await using var bad = await TestService.StartAsync(context =>
        {
            context.Response.StatusCode = isWell ? 200 : 503;
            return Task.CompletedTask;
        });
        await using var gateway = await StartAsync(
            $"instances: [\"{good.Address}\", \"{bad.Address}\"], balancing: roundRobin",
            "passive: { consecutiveFailures: 3, ejectFor: 300ms, maxEjectFor: 300ms }"
        );
        var errors = 0;
        while (State(gateway, 1) == "available")
            errors += await GetAsync(gateway) == HttpStatusCode.OK ? 0 : 1;
        Assert.Equal(3, errors);
        Assert.Equal("3 failures in a row, the last one 503", Health(gateway, 1).Reason);
        isWell = true;
        await Until.TrueAsync(() => State(gateway, 1) == "available");
        for (var i = 0; i < 4; i++)
            Assert.Equal(HttpStatusCode.OK, await GetAsync(gateway));
        Assert.True(bad.Seen.Count >= 5);
    }

    [Fact]
    public async Task Instances_ThatAllRefuse_AreEjected_AndUsedAgainAtOnceWherePanicSaysSo()
    {
        await using var gateway = await StartAsync(
            "instances: [\"http://127.0.0.1:1\", \"http://127.0.0.1:2\"]",
            "passive: { consecutiveFailures: 1, maxEjected: 100% }",
            "panic: 0%"
        );
        Assert.Equal(HttpStatusCode.BadGateway, await GetAsync(gateway));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await GetAsync(gateway));
        await Until.TrueAsync(() => string.Concat(gateway.Log).Contains("no-instance", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Reload_KeepsTheHealthOfInstances()
    {
        await using var good = await TestService.StartAsync();
        await using var gateway = await StartAsync(
            $"instances: [\"{good.Address}\", \"http://127.0.0.1:1\"], balancing: roundRobin",
            "passive: { consecutiveFailures: 1 }"
        );
        while (State(gateway, 1) == "available")
            Assert.Equal(HttpStatusCode.OK, await GetAsync(gateway)); // another instance is tried
        await gateway.ReloadAsync("consecutiveFailures: 1", "consecutiveFailures: 2");
        Assert.Equal("ejected", State(gateway, 1));
    }

    private static string Yaml(string service, string health, string more) =>
        $$"""
            listeners: { public: "http://127.0.0.1:0" }
            services: { s: { {{service}}, health: { {{health}} } {{(more.Length == 0 ? "" : ", " + more)}} } }
            routes: { all: { match: "/{**rest}", forward: s } }
            """;

    private static Task<InProcessGateway> StartAsync(string service, string health, string more = "") =>
        InProcessGateway.StartAsync(Yaml(service, health, more));

    private static string State(InProcessGateway gateway, int instance) => Health(gateway, instance).State;

    private static HealthStatus Health(InProcessGateway gateway, int instance) =>
        gateway.Gateway.FindService("s")!.Instances[instance].Health!;

    private static async Task<HttpStatusCode> GetAsync(InProcessGateway gateway)
    {
        using var response = await gateway.Client.GetAsync(new Uri("/a", UriKind.Relative));
        return response.StatusCode;
    }
}
