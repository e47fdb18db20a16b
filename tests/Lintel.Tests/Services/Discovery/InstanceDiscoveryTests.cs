using System.Net;
using Lintel.Config;
using Lintel.Services.Attempts;
using Lintel.Services.Balancing;
using Lintel.TestKit;

namespace Lintel.Tests.Services.Discovery;

/// <summary>What holds for every source.</summary>
public sealed class InstanceDiscoveryTests : IDisposable
{
    private static readonly DiscoverConfig Orders = new() { Dns = "orders:8080" };

    private readonly DiscoveredServices _services = new();

    public void Dispose() => _services.Dispose();

    [Fact]
    public async Task Service_WithoutAnswer_HasNoInstances_UntilTheFirstOne()
    {
        _services.Dns.Addresses["orders"] = null;
        var service = _services.Start(Orders);
        Assert.Null(service.Instances.Pick(default));
        Assert.Equal("waiting for the instances of `orders`", _services.Registry.Waiting());
        Assert.False(service.Discovery!.FirstAnswer.IsCompleted);

        Set("10.0.0.1");
        await _services.AdvanceAsync(() => service.Instances.All.Length == 1);
        Assert.Equal("http://10.0.0.1:8080", DiscoveredServices.Names(service));
        Assert.NotNull(service.Instances.Pick(default));
        Assert.Null(_services.Registry.Waiting());
        await service.Discovery.FirstAnswer.InTimeAsync();
    }

    [Fact]
    public async Task Readiness_WithoutAnswer_WaitsFiveSeconds_AndTheLogSaysForWhat()
    {
        _services.Dns.Addresses["orders"] = null;
        _services.Start(Orders);
        _services.Time.Advance(TimeSpan.FromSeconds(4.9));
        Assert.NotNull(_services.Registry.Waiting());
        _services.Time.Advance(TimeSpan.FromSeconds(0.2));
        Assert.Null(_services.Registry.Waiting());
        await Until.TrueAsync(() =>
            Said("Service orders has no instances: dns orders:8080 has given none in 5s: no DNS server answers") == 1
        );
    }

    [Fact]
    public async Task Service_BeforeItGoesLive_LooksNothingUp()
    {
        Set("10.0.0.1");
        var service = _services.Acquire(Orders);
        _services.Time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(0, _services.Dns.Lookups);
        Assert.Null(_services.Registry.Waiting());
        service.Discovery!.Start();
        service.Discovery.Start(); // once is enough
        await DiscoveredServices.SeesAsync(service, "http://10.0.0.1:8080");
        Assert.Equal(1, _services.Dns.Lookups);
    }

    [Fact]
    public async Task Answer_ThatFailsOrIsEmpty_KeepsTheLastInstances_AndIsToldOnce()
    {
        Set("10.0.0.1", "10.0.0.2");
        var service = _services.Start(Orders);
        await DiscoveredServices.SeesAsync(service, "http://10.0.0.1:8080 http://10.0.0.2:8080");
        foreach (var broken in new IPAddress[]?[] { null, [] })
        {
            _services.Dns.Addresses["orders"] = broken;
            var lookups = _services.Dns.Lookups;
            await _services.AdvanceAsync(() => _services.Dns.Lookups > lookups + 3);
            Assert.Equal(2, service.Instances.All.Length);
        }

        Assert.Equal(1, Said("Service orders gets no instances by dns orders:8080, the last 2 are still used: no DNS server answers"));
        var status = service.Discovery!.Status;
        Assert.Equal("the answer has no instances", status.Error);
        Assert.True(status.Errors >= 6, $"{status.Errors} errors");
        Assert.True(status.Age > TimeSpan.FromSeconds(3), $"{status.Age} old");

        Set("10.0.0.3");
        await _services.AdvanceAsync(() => DiscoveredServices.Names(service) == "http://10.0.0.3:8080");
        Assert.Equal(1, Said("Service orders gets instances by dns orders:8080 again"));
        Assert.Null(service.Discovery.Status.Error);
    }

    [Fact]
    public async Task Retries_OfAFailingSource_BecomeRarer()
    {
        _services.Dns.Addresses["orders"] = null;
        _services.Start(Orders);
        await _services.AdvanceAsync(() => _services.Dns.Lookups >= 8);
        var began = _services.Time.GetUtcNow();
        await _services.AdvanceAsync(() => _services.Dns.Lookups >= 10);
        Assert.InRange((_services.Time.GetUtcNow() - began).TotalSeconds, 29, 65); // two of 15 to 30 s
    }

    [Fact]
    public async Task KeepFor_AfterItsTime_RemovesTheInstances()
    {
        Set("10.0.0.1");
        var service = _services.Start(Orders with { KeepFor = TimeSpan.FromSeconds(20) });
        await DiscoveredServices.SeesAsync(service, "http://10.0.0.1:8080");
        _services.Dns.Addresses["orders"] = null;
        var began = _services.Time.GetUtcNow();
        await _services.AdvanceAsync(() => service.Instances.All.Length == 0);
        Assert.InRange((_services.Time.GetUtcNow() - began).TotalSeconds, 19, 22);
        Assert.Equal(1, Said("Service orders has no instances: dns orders:8080 has given none for 20s (`keepFor`): no DNS server answers"));
        Set("10.0.0.2");
        await _services.AdvanceAsync(() => DiscoveredServices.Names(service) == "http://10.0.0.2:8080");
    }

    [Fact]
    public async Task Instances_ThatStay_KeepTheirState_AndThoseThatGoFinishTheirRequests()
    {
        Set("10.0.0.1", "10.0.0.2");
        var service = _services.Start(Orders);
        await DiscoveredServices.SeesAsync(service, "http://10.0.0.1:8080 http://10.0.0.2:8080");
        var (first, second) = (service.Instances.All[0], service.Instances.All[1]);
        first.Enter();
        second.Enter();

        Set("10.0.0.3", "10.0.0.2"); // in another order
        await _services.AdvanceAsync(() => DiscoveredServices.Names(service) == "http://10.0.0.2:8080 http://10.0.0.3:8080");
        Assert.Same(second, service.Instances.All[0]);
        Assert.Equal(1, second.Active);
        Assert.Equal(1, first.Active);
        for (var i = 0; i < 50; i++)
            Assert.NotSame(first, service.Instances.Pick(default));
        Assert.Equal(1, Said("Service orders has 2 instances by dns orders:8080: 1 added, 1 removed"));
    }

    [Fact]
    public async Task Answer_InAnotherOrder_ChangesNothing()
    {
        Set("10.0.0.1", "10.0.0.2");
        var service = _services.Start(Orders);
        await Until.TrueAsync(() => service.Instances.All.Length == 2);
        var set = service.Instances;
        Set("10.0.0.2", "10.0.0.1", "10.0.0.2");
        await _services.AdvanceAsync(() => _services.Dns.Lookups >= 3);
        Assert.Same(set, service.Instances);
    }

    [Fact]
    public async Task Reload_WithTheSameDiscover_KeepsInstancesAndQueries()
    {
        Set("10.0.0.1");
        var before = _services.Start(Orders);
        await DiscoveredServices.SeesAsync(before, "http://10.0.0.1:8080");
        var after = _services.Acquire(Orders, s => s with { Panic = 10, Timeouts = new() { Idle = TimeSpan.FromSeconds(1) } });
        Assert.NotSame(before, after);
        Assert.Same(before.Discovery, after.Discovery);
        Assert.Same(before.Instances.All[0], after.Instances.All[0]);
        _services.Registry.Release(before);

        Set("10.0.0.2");
        await _services.AdvanceAsync(() => DiscoveredServices.Names(after) == "http://10.0.0.2:8080");
        _services.Registry.Release(after);
        var lookups = _services.Dns.Lookups;
        _services.Time.Advance(TimeSpan.FromMinutes(5));
        Assert.Equal(lookups, _services.Dns.Lookups); // nobody uses it any more
    }

    [Fact]
    public async Task Reload_WithOtherSettingsOfTheSameSource_StartsWithTheLastInstances()
    {
        Set("10.0.0.1");
        var before = _services.Start(Orders);
        await DiscoveredServices.SeesAsync(before, "http://10.0.0.1:8080");
        _services.Dns.Addresses["orders"] = null;
        var after = _services.Acquire(Orders with { Refresh = TimeSpan.FromSeconds(1) });
        Assert.Equal("http://10.0.0.1:8080", DiscoveredServices.Names(after));
        Assert.True(after.Discovery!.FirstAnswer.IsCompleted);
        var other = _services.Acquire(Orders with { Dns = "others:8080" });
        Assert.Empty(other.Instances.All);
    }

    [Fact]
    public async Task MaxInstances_OfALongAnswer_AreUsed_AndTheLogSaysSo()
    {
        Set([.. Enumerable.Range(1, 200).Select(i => $"10.0.0.{i}")]);
        var service = _services.Start(Orders with { MaxInstances = 3 });
        await DiscoveredServices.SeesAsync(service, "http://10.0.0.100:8080 http://10.0.0.101:8080 http://10.0.0.102:8080");
        Assert.Equal(1, Said("Service orders gets 200 instances by dns orders:8080 and uses 3 of them (`maxInstances`)"));
    }

    [Fact]
    public async Task Addresses_ThatNoInstanceHas_AreIgnored_AndToldOnce()
    {
        Set("0.0.0.0", "169.254.169.254", "224.0.0.1", "255.255.255.255", "::", "fe80::1", "ff02::1", "::ffff:169.254.169.254", "10.0.0.1");
        var service = _services.Start(Orders);
        await DiscoveredServices.SeesAsync(service, "http://10.0.0.1:8080");
        await _services.AdvanceAsync(() => _services.Dns.Lookups >= 3);
        Assert.Equal(1, Said("does not use all instances by dns orders:8080: 8 ignored, the first because 0.0.0.0 is not an address"));
    }

    [Fact]
    public async Task Health_OfInstancesThatStay_IsKept_AndGoneOnesAreNotCounted()
    {
        Set("10.0.0.1", "10.0.0.2");
        var service = _services.Start(Orders, s => s with { Health = new() { Passive = new() { ConsecutiveFailures = 1 } } });
        await DiscoveredServices.SeesAsync(service, "http://10.0.0.1:8080 http://10.0.0.2:8080");
        var bad = service.Instances.All[1];
        service.Health!.Attempted(bad, new(AttemptVerdicts.Of(500, null), 500, null, 0, TimeSpan.Zero));
        Assert.False(bad.Health.IsAvailable);
        Set("10.0.0.2", "10.0.0.3");
        await _services.AdvanceAsync(() => DiscoveredServices.Names(service) == "http://10.0.0.2:8080 http://10.0.0.3:8080");
        Assert.Same(bad, service.Instances.All[0]);
        for (var i = 0; i < 20; i++)
            Assert.Equal("10.0.0.3", service.Instances.Pick(default(RequestKey))!.Host);
    }

    [Fact]
    public async Task Tls_OfDiscoveredInstances_VerifiesTheNameThatWasLookedUp()
    {
        Assert.Equal("orders.internal", new DiscoverConfig { Dns = "orders.internal:8443" }.ServerName);
        Assert.Equal("orders.internal", new DiscoverConfig { DnsSrv = "_https._tcp.orders.internal." }.ServerName);
        Assert.Equal("users", new DiscoverConfig { Host = "users" }.ServerName);
        Assert.Null(new DiscoverConfig { Consul = "orders" }.ServerName);
        Set("10.0.0.1");
        var service = _services.Start(new DiscoverConfig { Dns = "orders", Scheme = "https" });
        await DiscoveredServices.SeesAsync(service, "https://10.0.0.1");
    }

    private void Set(params string[] addresses) => _services.Dns.Addresses["orders"] = [.. addresses.Select(IPAddress.Parse)];

    private int Said(string text) => _services.Log.Count(l => l.Contains(text, StringComparison.Ordinal));
}
