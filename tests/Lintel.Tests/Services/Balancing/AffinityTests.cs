using System.Globalization;
using Lintel.Config;
using Lintel.Services;
using Lintel.Services.Balancing;
using Lintel.TestKit;

namespace Lintel.Tests.Services.Balancing;

/// <summary>Clients that are kept on an instance, through the whole gateway.</summary>
public sealed class AffinityTests : IDisposable
{
    private const string Key = "0123456789abcdef";

    private readonly MemoryService[] _services = [new(), new(), new()];
    private readonly MemoryService _copies = new();
    private readonly List<MemoryGateway> _gateways = [];

    public AffinityTests()
    {
        foreach (var service in _services)
        {
            service.On("x", $"\"{service.Host}\"");
            service.On("json", $$"""{"host":"{{service.Host}}"}""");
        }
    }

    public void Dispose() => _gateways.ForEach(g => g.Dispose());

    [Fact]
    public async Task Client_WithoutACookie_GetsOne_AndStaysWithItsInstance()
    {
        var gateway = Create();
        var first = await gateway.GetAsync("/x");
        var cookie = first["Set-Cookie"]!;
        Assert.Matches("^stick=[0-9a-f]{32}; Path=/; HttpOnly; SameSite=Lax$", cookie);
        Assert.DoesNotContain(first.Body, cookie, StringComparison.Ordinal);
        for (var i = 0; i < 20; i++)
        {
            var next = await gateway.GetAsync("/x", ("Cookie", "a=1; " + ValueOf(cookie) + "; b=2"));
            Assert.Equal(first.Body, next.Body);
            Assert.Null(next["Set-Cookie"]);
        }

        var seen = _services.SelectMany(s => s.Seen).Where(s => s.Headers.ContainsKey("Cookie")).ToList();
        Assert.Equal(20, seen.Count);
        Assert.All(seen, s => Assert.Equal(["a=1; b=2"], s.Headers["Cookie"]));
    }

    [Fact]
    public async Task Cookie_OverTls_IsSecure_AndHasItsLifetime()
    {
        var gateway = Create(affinity: "{ cookie: stick, lifetime: 1h }", rest: "trustedProxies: [192.0.2.0/24]\n");
        var answer = await gateway.GetAsync("/x", ("X-Forwarded-Proto", "https"));
        Assert.EndsWith("; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax; Secure", answer["Set-Cookie"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("stick=00000000000000000000000000000000")]
    [InlineData("stick=0123456789abcdef0123456789abcdef")]
    [InlineData("stick=+123456789abcdef0123456789abcdef")]
    [InlineData("stick=xyz")]
    [InlineData("stick=")]
    public async Task Cookie_ThatIsForged_PinsToNothing_AndIsReplaced(string cookie)
    {
        var gateway = Create();
        var hosts = new HashSet<string>();
        for (var i = 0; i < 30; i++)
        {
            var answer = await gateway.GetAsync("/x", ("Cookie", cookie));
            hosts.Add(answer.Body);
            Assert.NotNull(answer["Set-Cookie"]);
        }

        Assert.Equal(3, hosts.Count);
        Assert.DoesNotContain(_services.SelectMany(s => s.Seen), s => s.Headers.ContainsKey("Cookie"));
    }

    [Fact]
    public async Task Cookie_OfAnInstanceThatIsGone_PinsAnew()
    {
        var cookie = ValueOf((await Create(hosts: [_services[0]]).GetAsync("/x"))["Set-Cookie"]!);
        var gateway = Create(hosts: [_services[1]]);
        var answer = await gateway.GetAsync("/x", ("Cookie", cookie));
        Assert.Equal($"\"{_services[1].Host}\"", answer.Body);
        Assert.NotEqual(cookie, ValueOf(answer["Set-Cookie"]!));
        Assert.Null((await gateway.GetAsync("/x", ("Cookie", ValueOf(answer["Set-Cookie"]!))))["Set-Cookie"]);
    }

    [Fact]
    public async Task Token_WithOneKey_IsTheSameOnEveryNode_AndWithoutOneIsNot()
    {
        async Task<string> TokenAsync(string affinity) =>
            ValueOf((await Create(affinity, hosts: [_services[0]]).GetAsync("/x"))["Set-Cookie"]!);
        Assert.Equal(await TokenAsync($"{{ cookie: stick, key: {Key} }}"), await TokenAsync($"{{ cookie: stick, key: {Key} }}"));
        Assert.NotEqual(await TokenAsync($"{{ cookie: stick, key: {Key} }}"), await TokenAsync($"{{ cookie: stick, key: {Key}0 }}"));
        Assert.NotEqual(await TokenAsync("{ cookie: stick }"), await TokenAsync("{ cookie: stick }"));
    }

    [Theory]
    [InlineData(503)]
    [InlineData(500)]
    public async Task Failure_OfTheInstance_PinsNobody(int status)
    {
        foreach (var service in _services)
            service.On("x", status, "null");
        Assert.Null((await Create().GetAsync("/x"))["Set-Cookie"]);
    }

    [Fact]
    public async Task Problem_OfTheGateway_PinsNobody()
    {
        var gateway = Create(hosts: [new MemoryService()], reachable: []);
        var answer = await gateway.GetAsync("/x");
        Assert.Equal((502, null), (answer.Status, answer["Set-Cookie"]));
    }

    [Fact]
    public async Task Cookies_OfTheService_StayBesideIt()
    {
        foreach (var service in _services)
            service.On("x", "null", ("Set-Cookie", "own=1"));
        var cookies = (await Create().GetAsync("/x")).Response.Headers.SetCookie;
        Assert.Equal(2, cookies.Count);
        Assert.Equal("own=1", cookies[0]);
    }

    [Fact]
    public async Task Cookie_OfAMirrorsService_IsNotSentToIt()
    {
        var gateway = Create();
        Assert.Equal(200, (await gateway.GetAsync("/m/x", ("Cookie", "a=1; copy=2"))).Status);
        await Until.TrueAsync(() => _copies.Seen.Count == 1);
        Assert.Equal(["a=1"], _copies.Seen.First().Headers["Cookie"]);
        Assert.Equal(["a=1; copy=2"], _services.SelectMany(s => s.Seen).Single().Headers["Cookie"]);
    }

    [Fact]
    public async Task Composition_PinsToTheFirstInstanceOfEachService_AndLaterCallsFollow()
    {
        var gateway = Create();
        var answer = await gateway.GetAsync("/c");
        var host = (string)answer.Json["first"]!["host"]!;
        Assert.Equal(host, (string)answer.Json["second"]!["host"]!);
        var cookie = Assert.Single(answer.Response.Headers.SetCookie)!;
        for (var i = 0; i < 10; i++)
        {
            var next = await gateway.GetAsync("/c", ("Cookie", ValueOf(cookie) + "; a=1"));
            Assert.Equal(host, (string)next.Json["first"]!["host"]!);
            Assert.Null(next["Set-Cookie"]);
        }

        var sent = _services.SelectMany(s => s.Seen).Select(s => s.Headers.GetValueOrDefault("Cookie")).OfType<string[]>().ToList();
        Assert.Equal(20, sent.Count);
        Assert.All(sent, s => Assert.Equal(["a=1"], s));
    }

    [Fact]
    public void Reload_KeepsPinsAndCounters()
    {
        using var registry = new ServiceRegistry(new Random(1), TestMetrics.Dependencies());
        var config = new ServiceConfig
        {
            Instances = [.. Enumerable.Range(0, 5).Select(i => Pool.Config(i))],
            Affinity = new() { Cookie = "stick" },
        };
        var before = registry.Acquire("s", config, new());
        var pinned = before.Instances.All[3];
        var key = new RequestKey(0, TokenOf(before, pinned));
        pinned.Enter();
        var after = registry.Acquire(
            "s",
            config with
            {
                Balancing = new() { Kind = BalancingKind.RoundRobin },
                Instances = [.. config.Instances.Skip(1), Pool.Config(9)],
            },
            new()
        );
        Assert.NotSame(before, after);
        Assert.Same(pinned, after.Instances.Pick(key));
        Assert.Null(after.PinTo(pinned, key, false));
        Assert.Equal(1, after.Instances.Pick(key)!.Active);
    }

    [Fact]
    public void PinnedInstance_ThatIsUnavailable_IsNotPicked_UnlessItsLevelPanics()
    {
        using var registry = new ServiceRegistry(new Random(1), TestMetrics.Dependencies());
        var service = registry.Acquire(
            "s",
            new ServiceConfig
            {
                Instances = [Pool.Config(0), Pool.Config(1), Pool.Config(2, priority: 1)],
                Affinity = new() { Cookie = "stick" },
                Health = new() { Passive = new() { MaxEjected = 100 } },
            },
            new()
        );
        var all = service.Instances.All;
        RequestKey[] keys = [.. all.Select(i => new RequestKey(0, TokenOf(service, i)))];
        Assert.Same(all[2], service.Instances.Pick(keys[2])); // of another level, and available
        all[0].Health.IsUnhealthy = true;
        service.Renew();
        Assert.NotSame(all[0], service.Instances.Pick(keys[0]));
        Assert.NotNull(service.PinTo(all[1], keys[0], false));
        Assert.Null(service.PinTo(all[1], keys[1], false));
        Assert.Same(all[2], service.Instances.PickOther([all[1]], keys[1]));
        all[1].Health.IsUnhealthy = all[2].Health.IsUnhealthy = true;
        service.Renew();
        Assert.Same(all[0], service.Instances.Pick(keys[0]));
    }

    [Fact]
    public void Key_IsInNoText() =>
        Assert.DoesNotContain(Key, new AffinityConfig { Cookie = "stick", Key = Key }.ToString(), StringComparison.Ordinal);

    private static UInt128 TokenOf(Service service, Instance instance) =>
        UInt128.Parse(
            ValueOf(service.PinTo(instance, default, false)!)["stick=".Length..],
            NumberStyles.HexNumber,
            CultureInfo.InvariantCulture
        );

    private static string ValueOf(string cookie) => cookie[..cookie.IndexOf(';', StringComparison.Ordinal)];

    private MemoryGateway Create(
        string affinity = "{ cookie: stick }",
        MemoryService[]? hosts = null,
        MemoryService[]? reachable = null,
        string rest = ""
    )
    {
        var gateway = new MemoryGateway(
            $$"""
            services:
              s: { instances: [{{string.Join(", ", (hosts ?? _services).Select(s => s.Address))}}], affinity: {{affinity}} }
              copies: { instances: [{{_copies.Address}}], affinity: { cookie: copy } }
            routes:
              m: { match: /m/x, forward: { service: s, path: /x, mirror: { service: copies, percent: 100% } } }
              x: { match: /x, forward: s }
              c:
                match: /c
                compose:
                  forwardHeaders: [Cookie]
                  calls:
                    first: { request: s/json }
                    second: { request: "s/json?after={first.host}" }
            {{rest}}
            """,
            new MemoryNet([.. reachable ?? hosts ?? _services, _copies])
        );
        _gateways.Add(gateway);
        return gateway;
    }
}
