using System.Net;
using Lintel.Config;
using Lintel.Services.Discovery;
using Lintel.TestKit;

namespace Lintel.Tests.Services.Discovery;

public sealed class DnsDiscoveryTests : IDisposable
{
    private readonly DiscoveredServices _services = new();

    public void Dispose() => _services.Dispose();

    [Fact]
    public async Task Addresses_OfBothFamilies_AreInstances()
    {
        _services.Dns.Addresses["orders.internal"] = [IPAddress.Parse("2001:db8::1"), IPAddress.Parse("10.0.0.1")];
        var service = _services.Start(new DiscoverConfig { Dns = "orders.internal", Server = "10.0.0.53:5353" });
        await DiscoveredServices.SeesAsync(service, "http://10.0.0.1 http://[2001:db8::1]");
        Assert.Equal(IPEndPoint.Parse("10.0.0.53:5353"), _services.Server);
        _services.Start(new DiscoverConfig { Dns = "orders.internal", Server = "10.0.0.53" });
        Assert.Equal(53, _services.Server!.Port);
    }

    [Fact]
    public async Task Addresses_WhereOneFamilyFails_AreThoseOfTheOther_AndItsLastOnes()
    {
        var dns = _services.Dns;
        dns.FailsIPv6 = true;
        dns.Addresses["orders"] = [IPAddress.Parse("2001:db8::1"), IPAddress.Parse("10.0.0.1")];
        var service = _services.Start(new DiscoverConfig { Dns = "orders" });
        await DiscoveredServices.SeesAsync(service, "http://10.0.0.1");
        dns.FailsIPv6 = false;
        await _services.AdvanceAsync(() => DiscoveredServices.Names(service) == "http://10.0.0.1 http://[2001:db8::1]");
        dns.FailsIPv6 = true;
        dns.Addresses["orders"] = [IPAddress.Parse("10.0.0.2")];
        await _services.AdvanceAsync(() => DiscoveredServices.Names(service) == "http://10.0.0.2 http://[2001:db8::1]");
    }

    [Theory]
    [InlineData(60, 5, 5)] // refresh is the longest time
    [InlineData(3, 5, 3)] // the TTL is shorter
    [InlineData(0, 5, 1)] // not in a circle
    [InlineData(0, 0.5, 0.5)]
    public async Task TimeToLive_DecidesWhenToAskAgain_BetweenASecondAndRefresh(double ttl, double refresh, double expected)
    {
        _services.Dns.TimeToLive = TimeSpan.FromSeconds(ttl);
        _services.Dns.Addresses["orders"] = [IPAddress.Parse("10.0.0.1")];
        var service = _services.Start(new DiscoverConfig { Dns = "orders", Refresh = TimeSpan.FromSeconds(refresh) });
        await DiscoveredServices.SeesAsync(service, "http://10.0.0.1");
        var (lookups, began) = (_services.Dns.Lookups, _services.Time.GetUtcNow());
        await _services.AdvanceAsync(() => _services.Dns.Lookups >= lookups + 4, step: 0.05);
        Assert.InRange((_services.Time.GetUtcNow() - began).TotalSeconds / 4, expected - 0.05, expected + 0.5);
    }

    [Fact]
    public async Task Srv_GivesPortAndWeight_OfEachTargetsAddresses()
    {
        var dns = _services.Dns;
        dns.Targets =
        [
            new("b.orders", 8002, 1, 20_000),
            new("a.orders", 8001, 0, 60_000),
            new("A.orders", 8001, 0, 1),
            new("10.0.0.9", 8009, 0, 0),
        ];
        dns.Addresses["a.orders"] = [IPAddress.Parse("10.0.0.1"), IPAddress.Parse("2001:db8::1")];
        dns.Addresses["b.orders"] = [IPAddress.Parse("2001:db8::2")];
        var service = _services.Start(new DiscoverConfig { DnsSrv = "_http._tcp.orders" });
        await DiscoveredServices.SeesAsync(service, "http://10.0.0.1:8001 http://10.0.0.9:8009 http://[2001:db8::2]:8002");
        Assert.Equal([1000, 1, 333], service.Discovery!.Current.Select(i => i.Weight));
        Assert.Equal([0, 0, 1], service.Discovery!.Current.Select(i => i.Priority));
    }

    [Fact]
    public async Task Srv_WhoseTargetFails_KeepsTheLastInstances()
    {
        var dns = _services.Dns;
        dns.Targets = [new("a.orders", 8001, 0, 1)];
        dns.Addresses["a.orders"] = [IPAddress.Parse("10.0.0.1")];
        var service = _services.Start(new DiscoverConfig { DnsSrv = "_http._tcp.orders" });
        await DiscoveredServices.SeesAsync(service, "http://10.0.0.1:8001");
        dns.Targets = [new("a.orders", 8001, 0, 1), new("b.orders", 8001, 0, 1)];
        dns.Addresses["a.orders"] = null;
        await _services.AdvanceAsync(() => service.Discovery!.Status.Error == "no DNS server answers");
        dns.Addresses["a.orders"] = [IPAddress.Parse("10.0.0.2")]; // b has no address
        await _services.AdvanceAsync(() => DiscoveredServices.Names(service) == "http://10.0.0.2:8001");
        Assert.Contains(_services.Log, l => l.Contains("the target of an SRV record has no address", StringComparison.Ordinal));
        dns.Targets = [new("", 0, 0, 0)]; // RFC 2782: there is no such service
        await _services.AdvanceAsync(() => service.Discovery!.Status.Error == "the answer has no instances");
        Assert.Single(service.Instances.All);
    }

    [Fact]
    public void HostsFile_GivesTheAddressesOfAName()
    {
        const string Text =
            "127.0.0.1 localhost\n# 10.0.0.8 orders\n10.0.0.1\tshop Orders # 10.0.0.9\r\n::1 orders\nbroken orders\n10.0.0.2 my-orders\n";
        Assert.Equal([IPAddress.Parse("10.0.0.1"), IPAddress.IPv6Loopback], HostsFile.Find(Text, "orders."));
        Assert.Empty(HostsFile.Find(Text, "other"));
    }

    [Theory]
    [InlineData("", "orders", "orders")]
    [InlineData("search a.example b.example.", "orders", "orders.a.example orders.b.example orders")]
    [InlineData("search a.example\noptions timeout:1 ndots:5", "orders.ns", "orders.ns.a.example orders.ns")]
    [InlineData("domain a.example", "orders.internal", "orders.internal orders.internal.a.example")]
    [InlineData("search a.example", "orders.", "orders.")]
    [InlineData("options ndots:x", "orders.internal", "orders.internal")]
    public void ResolverFile_CompletesNames(string text, string name, string expected) =>
        Assert.Equal(expected, string.Join(' ', ResolverFile.Parse(text).Names(name)));

    [Fact]
    public void ResolverFile_NamesServers_InTheirOrder() =>
        Assert.Equal(
            [IPEndPoint.Parse("10.0.0.2:53"), IPEndPoint.Parse("[2001:db8::53]:53")],
            ResolverFile.Parse("# nameserver 10.0.0.1\nnameserver 10.0.0.2 ; first\nnameserver 2001:db8::53\nnameserver x\n").Servers
        );

    [Fact]
    public async Task SystemDns_FindsNamesOfTheHostsFile_WithoutAServer()
    {
        using var folder = new ConfigFolder();
        folder.Write("hosts", "10.0.0.1 orders\n");
        var dns = new SystemDns(folder.Path);
        var reply = await dns.AddressesAsync("orders", System.Net.Sockets.AddressFamily.InterNetwork, CancellationToken.None);
        Assert.Equal([IPAddress.Parse("10.0.0.1")], reply.Records);
        Assert.Null(reply.TimeToLive);
    }
}
