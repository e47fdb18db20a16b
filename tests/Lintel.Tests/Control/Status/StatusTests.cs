using Lintel.Config;
using Lintel.Control.Status;

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
