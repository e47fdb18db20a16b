using Lintel.Config;
using Lintel.Services;
using Lintel.Services.Balancing;
using Lintel.Services.Health;
using Lintel.Tests.Services.Balancing;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Services.Health;

/// <summary>Instances that an operator drains, ejects and returns.</summary>
public sealed class InstanceHoldTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly ServiceRegistry _registry;

    public InstanceHoldTests() => _registry = new ServiceRegistry(new Random(1), TestMetrics.Dependencies(time: _time));

    public void Dispose() => _registry.Dispose();

    [Theory]
    [InlineData(BalancingKind.LeastRequests)]
    [InlineData(BalancingKind.RoundRobin)]
    [InlineData(BalancingKind.Random)]
    [InlineData(BalancingKind.Ewma)]
    [InlineData(BalancingKind.ConsistentHash)]
    public void HeldInstance_IsNotPicked_NorAfterAnotherHasFailed(BalancingKind kind)
    {
        var service = Start(
            Config(3) with
            {
                Balancing = new() { Kind = kind, ConsistentHash = kind == BalancingKind.ConsistentHash ? new() { Header = "X" } : null },
            }
        );
        var held = service.Instances.All[1];
        Assert.Contains(held, Picks(service));
        service.HoldBack(held, HoldKind.Drained, "127.0.0.1", null);
        Assert.DoesNotContain(held, Picks(service));
        Assert.Equal(2, Picks(service).Distinct().Count());
        List<Instance> tried = [service.Instances.All[0], service.Instances.All[2]];
        Assert.Null(service.Instances.PickOther(tried, new RequestKey(1, 0)));
        service.Return(held, "127.0.0.1", null);
        Assert.Contains(held, Picks(service));
    }

    [Fact]
    public void ClientThatIsPinned_ReachesADrainedInstance_AndNotAnEjectedOne()
    {
        var service = Start(Config(2) with { Affinity = new() { Cookie = "stick" } });
        var held = service.Instances.All[0];
        var pinned = new RequestKey(0, service.Instances.Members[0].Token);
        service.HoldBack(held, HoldKind.Drained, "127.0.0.1", null);
        Assert.Same(held, service.Instances.Pick(pinned));
        Assert.Same(held, service.Instances.PickOther([service.Instances.All[1]], pinned));
        service.HoldBack(held, HoldKind.Ejected, "127.0.0.1", null);
        Assert.Same(service.Instances.All[1], service.Instances.Pick(pinned));
        Assert.Null(service.Instances.Pinned(pinned));
    }

    [Fact]
    public void Service_OfWhichAllAreDrained_RefusesWithTheReason_ExceptPinnedClients()
    {
        var service = Start(Config(2) with { Affinity = new() { Cookie = "stick" } });
        service.HoldBack(service.Instances.All[0], HoldKind.Drained, "127.0.0.1", null);
        service.HoldBack(service.Instances.All[1], HoldKind.Drained, "127.0.0.1", null);
        Assert.Null(service.Instances.Pick(default));
        Assert.False(service.Instances.IsPanicking);
        Assert.Equal("all instances are drained or ejected by hand", service.Instances.Refusal.Detail);
        Assert.Same(service.Instances.All[1], service.Instances.Pick(new RequestKey(0, service.Instances.Members[1].Token)));
    }

    [Fact]
    public void UnhealthyInstance_ThatIsDrained_IsReachedByNobody_AndIsHealthyAgainByItself()
    {
        var service = Start(
            Config(2) with
            {
                Affinity = new() { Cookie = "stick" },
                Panic = 0,
                Health = new()
                {
                    Passive = new()
                    {
                        ConsecutiveFailures = 1,
                        EjectFor = TimeSpan.FromSeconds(30),
                        MaxEjected = 100,
                    },
                },
            }
        );
        var held = service.Instances.All[0];
        var pinned = new RequestKey(0, service.Instances.Members[0].Token);
        service.HoldBack(held, HoldKind.Drained, "127.0.0.1", null);
        service.Health!.Attempted(held, Pool.End(503));
        Assert.Same(service.Instances.All[1], service.Instances.Pick(pinned));
        _time.Advance(TimeSpan.FromSeconds(30));
        Assert.True(held.Health.IsAvailable);
        Assert.NotNull(held.Health.Hold);
        Assert.Same(held, service.Instances.Pick(pinned));
    }

    [Fact]
    public void Return_OfAnInstance_EndsAnEjectionToo_AndStartsSlowly()
    {
        var service = Start(
            Config(2) with
            {
                SlowStart = TimeSpan.FromSeconds(10),
                Health = new()
                {
                    Passive = new() { ConsecutiveFailures = 1, EjectFor = TimeSpan.FromHours(1) },
                },
            }
        );
        var held = service.Instances.All[0];
        service.Health!.Attempted(held, Pool.End(503));
        Assert.Equal(Unavailability.Ejected, held.Health.Unavailability);
        service.Return(held, "127.0.0.1", "it was the network");
        Assert.Equal((Unavailability.None, 0), (held.Health.Unavailability, held.Health.FailuresInRow));
        Assert.Equal(ShareReason.SlowStart, service.Instances.Shares.Of[0].Reason);
        _time.Advance(TimeSpan.FromSeconds(11));
        Assert.Equal(ShareReason.None, service.Instances.Shares.Of[0].Reason);

        service.Return(held, "127.0.0.1", null); // it is there already: nothing begins anew
        Assert.Equal(ShareReason.None, service.Instances.Shares.Of[0].Reason);
    }

    /// <summary>Half of the instances may be ejected: with two of four held back, one of the others.</summary>
    [Fact]
    public void MaxEjected_WithHeldInstances_IsAShareOfTheOthers()
    {
        var service = Start(
            Config(4) with
            {
                Health = new()
                {
                    Passive = new()
                    {
                        ConsecutiveFailures = 1,
                        EjectFor = TimeSpan.FromHours(1),
                        MaxEjected = 50,
                    },
                },
            }
        );
        service.HoldBack(service.Instances.All[0], HoldKind.Ejected, "127.0.0.1", null);
        service.HoldBack(service.Instances.All[1], HoldKind.Drained, "127.0.0.1", null);
        service.Health!.Attempted(service.Instances.All[2], Pool.End(503));
        service.Health!.Attempted(service.Instances.All[3], Pool.End(503));
        Assert.Equal([true, true, false, true], service.Instances.All.Select(i => i.Health.IsAvailable));
    }

    [Fact]
    public void Hold_ThatIsRepeated_KeepsItsTime_AndTakesTheNewReason()
    {
        var service = Start(Config(2));
        var held = service.Instances.All[0];
        var began = _time.GetUtcNow();
        service.HoldBack(held, HoldKind.Drained, "127.0.0.1", "a");
        _time.Advance(TimeSpan.FromSeconds(5));
        service.HoldBack(held, HoldKind.Drained, "127.0.0.1", "b");
        Assert.Equal(new InstanceHold(HoldKind.Drained, began, "b"), held.Health.Hold);
        service.HoldBack(held, HoldKind.Ejected, "127.0.0.1", null);
        Assert.Equal(new InstanceHold(HoldKind.Ejected, _time.GetUtcNow(), null), held.Health.Hold);
    }

    [Fact]
    public void Hold_OfAnInstance_SurvivesExchanges_AndEndsWithTheInstance()
    {
        var service = Start(Config(2));
        service.HoldBack(service.Instances.All[0], HoldKind.Ejected, "127.0.0.1", null);
        service.Exchange([Pool.Config(0, 5), Pool.Config(2)]);
        Assert.NotNull(service.Instances.All[0].Health.Hold);
        Assert.Equal(1, Assert.Single(service.Instances.Shares.Taking).Weight);
        service.Exchange([Pool.Config(2)]);
        service.Exchange([Pool.Config(0), Pool.Config(2)]);
        Assert.Null(service.Instances.All[0].Health.Hold);
        Assert.Equal(2, service.Instances.Shares.Taking.Length);
    }

    private Service Start(ServiceConfig config) => _registry.Acquire("s", config, new TimeoutsConfig());

    private static ServiceConfig Config(int instances) =>
        new() { Instances = [.. Enumerable.Range(0, instances).Select(i => Pool.Config(i))] };

    private static List<Instance> Picks(Service service) =>
        [.. Enumerable.Range(1, 200).Select(i => service.Instances.Pick(new RequestKey((ulong)i * 7919, 0))!)];
}
