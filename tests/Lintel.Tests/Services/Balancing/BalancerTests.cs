using Lintel.Config;
using Lintel.Services;
using Lintel.Services.Balancing;

namespace Lintel.Tests.Services.Balancing;

public sealed class BalancerTests
{
    [Theory]
    [InlineData(BalancingKind.Random)]
    [InlineData(BalancingKind.LeastRequests)]
    public void Picks_OfIdleInstances_AreInProportionToWeight(BalancingKind kind)
    {
        var instances = Instances(1, 2, 7);
        var counts = Counts(Balancer.Create(kind, instances, new Random(7)), 20_000);
        for (var i = 0; i < instances.Length; i++)
            Assert.InRange(counts[instances[i]] / 20_000.0, (instances[i].Weight / 10.0) - 0.02, (instances[i].Weight / 10.0) + 0.02);
    }

    [Theory]
    [InlineData("1 1 1", "0 1 2 0 1 2")]
    [InlineData("5 1 1", "0 0 1 0 2 0 0 0 0 1 0 2 0 0")]
    [InlineData("2 1", "0 1 0 0 1 0")]
    [InlineData("200 100", "0 1 0 0 1 0")]
    public void RoundRobin_WithWeights_IsSmooth(string weights, string expected)
    {
        var instances = Instances([.. weights.Split(' ').Select(int.Parse)]);
        var balancer = Balancer.Create(BalancingKind.RoundRobin, instances, new Random(1));
        Assert.Equal(expected, string.Join(' ', expected.Split(' ').Select(_ => Array.IndexOf(instances, balancer.Pick(0)))));
    }

    [Fact]
    public void LeastRequests_WithABusyInstance_PrefersTheOthers()
    {
        var instances = Instances(1, 1);
        for (var i = 0; i < 100; i++)
            instances[0].Enter();
        Assert.Equal(4_000, Counts(Balancer.Create(BalancingKind.LeastRequests, instances, new Random(7)), 4_000)[instances[1]]);
    }

    /// <summary>
    /// An instance that has frozen is never taken while another one is idle: two draws that fell on it would be no choice.
    /// </summary>
    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(1000, 1, 1)]
    [InlineData(1, 1000, 1)]
    [InlineData(5, 3, 2)]
    public void LeastRequests_WithAFrozenInstance_NeverTakesIt(int frozen, int second, int third)
    {
        var instances = Instances(frozen, second, third);
        for (var i = 0; i < 10_000; i++)
            instances[0].Enter();
        var counts = Counts(Balancer.Create(BalancingKind.LeastRequests, instances, new Random(7)), 9_000);
        Assert.DoesNotContain(instances[0], counts);
    }

    [Theory]
    [InlineData(3, 1, false)]
    [InlineData(3, 2, true)]
    public void LeastRequests_WithWeights_ComparesLoadForWeight(int busyOfHeavy, int busyOfLight, bool heavyIsFreer)
    {
        var heavy = new Instance(new InstanceConfig { Address = new Uri("http://h"), Weight = 2 });
        var light = new Instance(new InstanceConfig { Address = new Uri("http://l"), Weight = 1 });
        for (var i = 0; i < busyOfHeavy; i++)
            heavy.Enter();
        for (var i = 0; i < busyOfLight; i++)
            light.Enter();
        var counts = Counts(Balancer.Create(BalancingKind.LeastRequests, [heavy, light], new Random(7)), 9_000);
        Assert.Equal(heavyIsFreer ? heavy : light, Assert.Single(counts).Key);
    }

    [Theory]
    [InlineData(BalancingKind.Random)]
    [InlineData(BalancingKind.LeastRequests)]
    [InlineData(BalancingKind.RoundRobin)]
    public void PickOther_UntilAllAreTried_GivesEachOnceAndThenNone(BalancingKind kind)
    {
        var instances = Instances(1, 1, 1000);
        var balancer = Balancer.Create(kind, instances, new Random(3));
        var tried = new List<Instance>();
        while (balancer.PickOther(tried, 0) is { } next)
        {
            Assert.DoesNotContain(next, tried);
            tried.Add(next);
        }

        Assert.Equal(3, tried.Count);
    }

    [Fact]
    public void OnlyInstance_IsAlwaysPicked()
    {
        var only = Instances(3);
        var balancer = Balancer.Create(BalancingKind.LeastRequests, only, new Random(1));
        Assert.Same(only[0], balancer.Pick(0));
        Assert.Null(balancer.PickOther([only[0]], 0));
    }

    private static Dictionary<Instance, int> Counts(Balancer balancer, int picks) =>
        Enumerable.Range(0, picks).Select(_ => balancer.Pick(0)).GroupBy(i => i).ToDictionary(g => g.Key, g => g.Count());

    private static Instance[] Instances(params int[] weights) =>
        [.. weights.Select((w, i) => new Instance(new InstanceConfig { Address = new Uri($"http://10.0.0.{i + 1}"), Weight = w }))];
}
