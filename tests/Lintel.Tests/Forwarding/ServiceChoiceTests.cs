using System.Net;
using Lintel.Config;
using Lintel.Forwarding;
using Lintel.Pipeline;
using Lintel.Services;

namespace Lintel.Tests.Forwarding;

public sealed class ServiceChoiceTests
{
    private static readonly Snapshot Snapshot = GatewayReader.Snapshot(
        "services: { s: http://127.0.0.1:1 }\nroutes: { r: { match: '/x', forward: s } }\n"
    );

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Split_OverManyClients_IsInProportion(bool isSticky)
    {
        using var registry = new ServiceRegistry(new Random(1), TestMetrics.Dependencies());
        var services = Services(registry, 3);
        var choice = new ServiceChoice([(services[0], 90), (services[1], 0), (services[2], 10)], isSticky, new Random(5));
        var picks = Enumerable.Range(0, 20_000).Select(i => choice.Pick(From(i))).GroupBy(s => s).ToDictionary(g => g.Key, g => g.Count());
        Assert.InRange(picks[services[0]] / 20_000.0, 0.88, 0.92);
        Assert.False(picks.ContainsKey(services[1]));
        Assert.InRange(picks[services[2]] / 20_000.0, 0.08, 0.12);
    }

    [Fact]
    public void StickySplit_ForOneClient_IsAlwaysTheSameAndOnEveryNode()
    {
        using var registry = new ServiceRegistry(new Random(1), TestMetrics.Dependencies());
        var services = Services(registry, 2);
        var (one, other) = (
            new ServiceChoice([(services[0], 1), (services[1], 1)], true, new Random(1)),
            new ServiceChoice([(services[0], 1), (services[1], 1)], true, new Random(2))
        );
        for (var i = 0; i < 500; i++)
            Assert.Equal(one.Pick(From(i)).Name, other.Pick(From(i)).Name);
    }

    /// <summary>A canary that grows takes clients from the others and gives none back.</summary>
    [Fact]
    public void StickySplit_WithAGrowingLastShare_MovesClientsOneWayOnly()
    {
        using var registry = new ServiceRegistry(new Random(1), TestMetrics.Dependencies());
        var services = Services(registry, 2);
        var before = new ServiceChoice([(services[0], 95), (services[1], 5)], true, new Random(1));
        var after = new ServiceChoice([(services[0], 50), (services[1], 50)], true, new Random(1));
        var moved = 0;
        for (var i = 0; i < 2_000; i++)
        {
            if (before.Pick(From(i)) == services[1])
                Assert.Same(services[1], after.Pick(From(i)));
            else if (after.Pick(From(i)) == services[1])
                moved++;
        }

        Assert.InRange(moved, 800, 1_000);
    }

    [Fact]
    public void OnlyShare_IsAlwaysPicked()
    {
        using var registry = new ServiceRegistry(new Random(1), TestMetrics.Dependencies());
        var services = Services(registry, 2);
        Assert.Same(services[1], new ServiceChoice([(services[0], 0), (services[1], 3)], false, new Random(1)).Pick(From(1)));
    }

    private static Exchange From(int client)
    {
        var context = TestRequest.Create("GET", "/x");
        context.Connection.RemoteIpAddress = new IPAddress([10, (byte)(client >> 16), (byte)(client >> 8), (byte)client]);
        return TestRequest.Matched(Snapshot, context);
    }

    private static Service[] Services(ServiceRegistry registry, int count) =>
        [
            .. Enumerable
                .Range(0, count)
                .Select(i =>
                    registry.Acquire(
                        "s" + i,
                        new ServiceConfig { Instances = [new InstanceConfig { Address = new Uri("http://127.0.0.1:1") }] },
                        new TimeoutsConfig()
                    )
                ),
        ];
}
