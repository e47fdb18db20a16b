using Lintel.Config;
using Lintel.Services;
using Lintel.Services.Balancing;
using Lintel.Tests.Services.Balancing;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Services;

public sealed class SlowStartTests : IDisposable
{
    private static readonly ServiceConfig Config = new()
    {
        Instances = [Pool.Config(0), Pool.Config(1)],
        Balancing = new() { Kind = BalancingKind.RoundRobin },
        SlowStart = TimeSpan.FromSeconds(30),
        Health = new()
        {
            Passive = new() { ConsecutiveFailures = 1, EjectFor = TimeSpan.FromSeconds(10) },
        },
    };

    private readonly FakeTimeProvider _time = new();
    private readonly ServiceRegistry _registry;

    public SlowStartTests() => _registry = new ServiceRegistry(new Random(1), TestMetrics.Dependencies(time: _time));

    public void Dispose() => _registry.Dispose();

    [Fact]
    public void Instances_OfANewService_HaveTheirWholeWeight() => Assert.False(Create().Instances.Shares.IsRamping);

    [Fact]
    public void Instance_ThatJoins_GetsItsShareInTenSteps()
    {
        var service = Create();
        service.Exchange([.. Config.Instances, Pool.Config(2)]);
        var sets = new HashSet<InstanceSet>();
        var shares = new List<double>();
        for (var i = 0; i <= 10; i++)
        {
            sets.Add(service.Instances);
            shares.Add(Weight(service, 2));
            _time.Advance(TimeSpan.FromSeconds(3));
        }

        Assert.Equal([0.1, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1], shares);
        Assert.Equal(11, sets.Count);
        var last = service.Instances;
        _time.Advance(TimeSpan.FromMinutes(5));
        Assert.Same(last, service.Instances); // the timer has ended
    }

    [Fact]
    public void Instance_ThatJoinsByAReload_StartsSlowly_AndOthersDoNot()
    {
        Create();
        var after = _registry.Acquire("s", Config with { Instances = [.. Config.Instances, Pool.Config(2)] }, new());
        Assert.Equal([1, 1, 0.1], [Weight(after, 0), Weight(after, 1), Weight(after, 2)]);
    }

    [Fact]
    public void Instance_ThatComesBack_StartsSlowly()
    {
        var service = Create();
        service.Health!.Attempted(service.Instances.All[0], Pool.End(503));
        Assert.Equal(ShareReason.Unavailable, service.Instances.Shares.Of[0].Reason);
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(0.1, Weight(service, 0));
        Assert.Equal(ShareReason.SlowStart, service.Instances.Shares.Of[0].Reason);
        _time.Advance(TimeSpan.FromSeconds(15));
        Assert.Equal(0.5, Weight(service, 0));
    }

    [Fact]
    public void DisposedService_BuildsNoMoreSets()
    {
        var service = Create();
        service.Exchange([.. Config.Instances, Pool.Config(2)]);
        _registry.Release(service);
        var last = service.Instances;
        _time.Advance(TimeSpan.FromSeconds(30));
        Assert.Same(last, service.Instances);
    }

    private static double Weight(Service service, int place) =>
        Math.Round(service.Instances.Shares.Taking.Single(t => t.Instance == service.Instances.All[place]).Weight, 6);

    private Service Create() => _registry.Acquire("s", Config, new());
}
