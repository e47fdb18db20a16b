using Lintel.Config;
using Lintel.Config.Reading;
using Lintel.Policies.Access;

namespace Lintel.Tests.Runtime;

public sealed class CodeCheckTests
{
    private static readonly RouteConfig Good = new()
    {
        Match = new MatchConfig { Paths = ["/a"] },
        Respond = new RespondConfig(),
    };

    public static TheoryData<string, GatewayConfig> Empty =>
        new()
        {
            {
                "policies.auth",
                new GatewayConfig
                {
                    Policies = new() { ["auth"] = new AccessConfig() },
                    Routes = new() { ["r"] = Good with { Policies = ["auth"] } },
                }
            },
            {
                "clients.c",
                new GatewayConfig
                {
                    Clients = new() { ["c"] = new ClientConfig { When = new WhenConfig() } },
                    Routes = new() { ["r"] = Good },
                }
            },
            {
                "clients.c.when.query.q",
                new GatewayConfig
                {
                    Clients = new()
                    {
                        ["c"] = new ClientConfig
                        {
                            When = new WhenConfig { Query = new() { ["q"] = new ConditionConfig { Prefix = "" } } },
                        },
                    },
                }
            },
            {
                "services.s.instances",
                new GatewayConfig { Services = new() { ["s"] = new ServiceConfig { Instances = [] } } }
            },
            { "routes.r", Of(new RouteConfig { Match = Good.Match }) },
            { "routes.r", Of(Good with { Redirect = new RedirectConfig { To = "/b" } }) },
            { "routes.r.match", Of(Good with { Match = new MatchConfig { Paths = [] } }) },
            { "routes.r.forward", Of(new RouteConfig { Match = Good.Match, Forward = new ForwardConfig() }) },
            {
                "routes.r.match.headers.X-A",
                Of(Good with { Match = Good.Match with { Headers = new() { ["X-A"] = new ConditionConfig() } } })
            },
            {
                "routes.r.match.headers.X-A.not",
                Of(
                    Good with
                    {
                        Match = Good.Match with
                        {
                            Headers = new() { ["X-A"] = new ConditionConfig { Not = new ConditionConfig { Regex = "" } } },
                        },
                    }
                )
            },
        };

    [Theory]
    [MemberData(nameof(Empty))]
    public void Configuration_InCodeThatSaysNothing_IsRefused(string path, GatewayConfig config)
    {
        var report = Compile(config);
        Assert.Equal([path], report.Problems.Select(p => p.Path));
    }

    [Fact]
    public void Configuration_InCodeThatIsWhole_IsTaken() => Assert.True(Compile(Of(Good)).IsValid);

    private static GatewayConfig Of(RouteConfig route) => new() { Routes = new() { ["r"] = route } };

    private static ConfigReport Compile(GatewayConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        var report = new ConfigReport();
        GatewayReader.Compiler().Compile(config, new MapNode(default), report)?.Retire();
        return report;
    }
}
