using System.Net;
using Lintel.Config;
using Lintel.Services.Discovery;
using Lintel.TestKit;

namespace Lintel.Tests.Services.Discovery;

public sealed class HostDiscoveryTests
{
    [Fact]
    public async Task Endpoints_OfTheApplication_AreInstances_AndItsChangesToo()
    {
        var host = new Endpoints
        {
            Current = [IPEndPoint.Parse("10.0.0.1:8080"), new DnsEndPoint("users.internal", 0), new Odd("https://x:1")],
        };
        using var services = new DiscoveredServices(host: host);
        var service = services.Start(new DiscoverConfig { Host = "users" });
        await DiscoveredServices.SeesAsync(service, "http://10.0.0.1:8080 http://users.internal");
        Assert.Equal("http://users", host.Asked);
        Assert.Contains(services.Log, l => l.Contains("it is at https, and not at http", StringComparison.Ordinal));
        host.Current = [new Odd("http://10.0.0.2:8081/")];
        host.Change();
        await DiscoveredServices.SeesAsync(service, "http://10.0.0.2:8081");
        Assert.Equal(TimeSpan.Zero, service.Discovery!.Status.Age);
    }

    [Fact]
    public async Task Application_WithoutServiceDiscovery_GivesNone()
    {
        using var services = new DiscoveredServices();
        var service = services.Start(new DiscoverConfig { Host = "users" });
        await Until.TrueAsync(() => service.Discovery!.Status.Error == "the application has no service discovery");
        Assert.False(services.Registry.HasHostDiscovery);
    }

    private sealed class Endpoints : IHostEndpoints
    {
        private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public IReadOnlyList<EndPoint> Current { get; set; } = [];

        public string? Asked { get; private set; }

        public void Change() => Interlocked.Exchange(ref _changed, new(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();

        public Task<(IReadOnlyList<EndPoint> Endpoints, Task Changed)> ResolveAsync(string name, CancellationToken cancellation)
        {
            Asked = name;
            return Task.FromResult((Current, (Task)Volatile.Read(ref _changed).Task));
        }
    }

    /// <summary>An endpoint of a kind that only its text tells.</summary>
    private sealed class Odd(string text) : EndPoint
    {
        public override string ToString() => text;
    }
}
