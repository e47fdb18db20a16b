using System.Collections.Concurrent;
using System.Net;
using Lintel.Config;
using Lintel.Services;
using Lintel.Services.Connections;
using Lintel.Services.Discovery;
using Lintel.TestKit;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Services.Discovery;

/// <summary>Services whose instances are looked up in sources that the test makes, by a clock that it sets.</summary>
internal sealed class DiscoveredServices : IDisposable
{
    private readonly ILoggerFactory _loggers;

    public DiscoveredServices(Func<HttpMessageHandler>? http = null, IHostEndpoints? host = null)
    {
        _loggers = LoggerFactory.Create(b => b.AddProvider(new LogLines(Log)));
        var names = NameResolver.OfSystem(Time);
        Parts = new DiscoveryParts(Time, new Random(1), names, _loggers.CreateLogger("discovery"))
        {
            Dns = server =>
            {
                Server = server;
                return Dns;
            },
            Http = http,
            Host = host,
        };
        Registry = new ServiceRegistry(new Random(1), TestMetrics.Dependencies(time: Time) with { Discovery = Parts });
    }

    public FakeTimeProvider Time { get; } = new();

    public FakeDns Dns { get; } = new();

    /// <summary>The DNS server that the configuration asked for.</summary>
    public IPEndPoint? Server { get; private set; }

    public ConcurrentQueue<string> Log { get; } = new();

    public DiscoveryParts Parts { get; }

    public ServiceRegistry Registry { get; }

    /// <summary>A service that is live.</summary>
    public Service Start(DiscoverConfig discover, Func<ServiceConfig, ServiceConfig>? change = null)
    {
        var service = Acquire(discover, change);
        service.Discovery!.Start();
        return service;
    }

    /// <summary>A service of a configuration that is not live yet.</summary>
    public Service Acquire(DiscoverConfig discover, Func<ServiceConfig, ServiceConfig>? change = null)
    {
        var config = new ServiceConfig { Discover = discover };
        return Registry.Acquire("orders", change is null ? config : change(config), new());
    }

    public static string Names(Service service) =>
        string.Join(' ', service.Instances.All.Select(i => i.Address.GetLeftPart(UriPartial.Authority)));

    public static Task SeesAsync(Service service, string names) => Until.TrueAsync(() => Names(service) == names);

    /// <summary>Lets time pass until it is so.</summary>
    public Task AdvanceAsync(Func<bool> until, double step = 0.25) =>
        Until.TrueAsync(() =>
        {
            if (until())
                return true;
            Time.Advance(TimeSpan.FromSeconds(step));
            return false;
        });

    public void Dispose()
    {
        Registry.Dispose();
        _loggers.Dispose();
    }
}
