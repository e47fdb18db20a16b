using Lintel.Config;
using Lintel.Control.Status;
using Lintel.Services;

namespace Lintel.Tests.Control.Status;

/// <summary>The status types of the admin API.</summary>
public sealed class StatusTests
{
    [Fact]
    public void Service_MadeInCodeWithCredentialsInItsAddress_ShowsNone()
    {
        var config = new ServiceConfig
        {
            Instances = [new InstanceConfig { Address = new Uri("https://user:secret@10.0.0.1:8443/base/?token=secret") }],
        };
        var status = ServiceStatus.Of("s", config, new TimeoutsConfig { Request = TimeSpan.FromSeconds(7) }, running: null);
        var instance = Assert.Single(status.Instances);
        Assert.Equal(("https://10.0.0.1:8443/base", 1, 0), (instance.Address, instance.Weight, instance.RequestsInFlight));
        Assert.Equal(
            new ServiceTimeouts(TimeoutsConfig.DefaultConnect, TimeSpan.FromSeconds(7), TimeoutsConfig.DefaultIdle),
            status.Timeouts
        );
    }

    [Fact]
    public void Service_ThatRuns_ShowsTheShareOfEachInstance_AndWhatChangesIt_ButNoKey()
    {
        using var registry = new ServiceRegistry(new Random(1), TestMetrics.Dependencies());
        var config = new ServiceConfig
        {
            Instances =
            [
                new InstanceConfig { Address = new Uri("http://10.0.0.1"), Zone = "a" },
                new InstanceConfig { Address = new Uri("http://10.0.0.2"), Zone = "b" },
                new InstanceConfig { Address = new Uri("http://10.0.0.3"), Weight = 3 },
                new InstanceConfig { Address = new Uri("http://10.0.0.4"), Priority = 1 },
            ],
            Balancing = new()
            {
                ConsistentHash = new() { Query = "user", BoundedLoad = 150 },
            },
            Affinity = new() { Cookie = "stick", Key = "0123456789abcdef" },
        };
        var service = registry.Acquire("s", config, new TimeoutsConfig());
        service.Instances.All[1].Health.IsUnhealthy = true;
        service.Renew();
        var status = ServiceStatus.Of("s", config, new TimeoutsConfig(), service);
        Assert.Equal([(23.33, "priority"), (0, "unavailable"), (70, "priority"), (6.67, "priority")], Shares(status));
        Assert.Equal(("query parameter user", 150.0, "stick"), (status.HashedBy, status.BoundedLoad, status.AffinityCookie));
        Assert.DoesNotContain("0123456789abcdef", status.ToString(), StringComparison.Ordinal);

        service.Instances.All[1].Health.IsUnhealthy = false;
        service.Renew();
        Assert.Equal([(20, null), (20, null), (60, null), (0, "priority")], Shares(ServiceStatus.Of("s", config, new(), service)));
        Assert.All(ServiceStatus.Of("s", config, new(), running: null).Instances, i => Assert.Null(i.Share));
    }

    private static IEnumerable<(double, string?)> Shares(ServiceStatus status) =>
        status.Instances.Select(i => (i.Share!.Value, i.ShareReason));

    [Fact]
    public void Route_WithoutPoliciesOfItsOwn_ShowsTheDefaults()
    {
        var config = new GatewayConfig { Defaults = new DefaultsConfig { Policies = ["a", "b"] } };
        var route = new RouteConfig
        {
            Match = new MatchConfig { Paths = ["/x"] },
            Respond = new RespondConfig { Status = 204 },
        };
        Assert.Equal(["a", "b"], RouteStatus.Of("r", route, config).Policies);
        Assert.Empty(RouteStatus.Of("r", route with { Policies = [] }, config).Policies);
        Assert.Equal(["c"], RouteStatus.Of("r", route with { Policies = ["c"] }, config).Policies);
    }

    [Fact]
    public void Route_WithASplit_ShowsSharesOfAHundred()
    {
        var route = new RouteConfig
        {
            Match = new MatchConfig { Paths = ["/x"] },
            Forward = new ForwardConfig
            {
                Split = new()
                {
                    ["a"] = 2,
                    ["b"] = 1,
                    ["c"] = 0,
                },
            },
        };
        Assert.Equal([new("a", 66.667), new("b", 33.333), new("c", 0)], RouteStatus.Of("r", route, new GatewayConfig()).Services);
    }
}
