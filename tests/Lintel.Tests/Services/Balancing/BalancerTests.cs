using Lintel.Config;
using Lintel.Services;
using Lintel.Services.Balancing;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Services.Balancing;

public sealed class BalancerTests
{
    /// <summary>The statistic's 99.9th percentile with two degrees of freedom.</summary>
    private const double Usual = 13.8;

    [Theory]
    [InlineData(BalancingKind.Random, 1, 2, 7)]
    [InlineData(BalancingKind.LeastRequests, 1, 2, 7)]
    [InlineData(BalancingKind.LeastRequests, 0.05, 0.3, 0.65)]
    [InlineData(BalancingKind.ConsistentHash, 1, 2, 7)] // requests without a key
    public void Picks_OfIdleInstances_AreInProportionToWeight(BalancingKind kind, double first, double second, double third)
    {
        var instances = Pool.Weighted(first, second, third);
        var counts = Counts(Pool.Create(kind, instances), instances, 20_000);
        Assert.InRange(Pool.ChiSquare(counts, [first, second, third]), 0, Usual);
    }

    [Fact]
    public void Draws_OfAnotherPlace_AreInProportionToTheWeightsOfTheOthers()
    {
        double[] weights = [1000, 3, 1, 2];
        var draw = new WeightedDraw(weights, new Random(7));
        for (var place = 0; place < weights.Length; place++)
        {
            var counts = new int[weights.Length];
            for (var i = 0; i < 20_000; i++)
                counts[draw.DrawOther(place)]++;
            Assert.Equal(0, counts[place]);
            int[] others = [.. counts.Where((_, i) => i != place)];
            if (place == 0)
                Assert.InRange(Pool.ChiSquare(others, [3, 1, 2]), 0, Usual);
        }
    }

    [Fact]
    public void LeastRequests_WithABusyInstance_PrefersTheOthers()
    {
        var instances = Pool.Weighted(1, 1);
        Pool.Load(instances[0].Instance, 100);
        Assert.Equal([0, 4_000], Counts(Pool.Create(BalancingKind.LeastRequests, instances), instances, 4_000));
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
        var instances = Pool.Weighted(frozen, second, third);
        Pool.Load(instances[0].Instance, 10_000);
        Assert.Equal(0, Counts(Pool.Create(BalancingKind.LeastRequests, instances), instances, 9_000)[0]);
    }

    [Theory]
    [InlineData(3, 1, false)]
    [InlineData(3, 2, true)]
    public void LeastRequests_WithWeights_ComparesLoadForWeight(int busyOfHeavy, int busyOfLight, bool heavyIsFreer)
    {
        var instances = Pool.Weighted(2, 1);
        Pool.Load(instances[0].Instance, busyOfHeavy);
        Pool.Load(instances[1].Instance, busyOfLight);
        var counts = Counts(Pool.Create(BalancingKind.LeastRequests, instances), instances, 9_000);
        Assert.Equal(heavyIsFreer ? [9_000, 0] : [0, 9_000], counts);
    }

    [Fact]
    public void Ewma_OfASlowAndAFastInstance_PrefersTheFastOne()
    {
        var time = new FakeTimeProvider();
        var instances = Measured(time, 2);
        for (var i = 0; i < 200; i++)
        {
            time.Advance(TimeSpan.FromMilliseconds(100));
            instances[0].Instance.Took(Pool.End(200, TimeSpan.FromMilliseconds(200)));
            instances[1].Instance.Took(Pool.End(200, TimeSpan.FromMilliseconds(20)));
        }

        var balancer = Pool.Create(BalancingKind.Ewma, instances, time: time);
        Assert.Equal([0, 1_000], Counts(balancer, instances, 1_000));
        Pool.Load(instances[1].Instance, 10); // 11 × 20 ms
        Assert.Equal([1_000, 0], Counts(balancer, instances, 1_000));
    }

    [Fact]
    public void Ewma_OfAnInstanceThatFailsFast_PrefersTheOneThatAnswers()
    {
        var time = new FakeTimeProvider();
        var instances = Measured(time, 2);
        for (var i = 0; i < 200; i++)
        {
            time.Advance(TimeSpan.FromMilliseconds(100));
            instances[0].Instance.Took(Pool.End(503, TimeSpan.FromMilliseconds(1)));
            instances[1].Instance.Took(Pool.End(200, TimeSpan.FromMilliseconds(100)));
        }

        Assert.Equal([0, 1_000], Counts(Pool.Create(BalancingKind.Ewma, instances, time: time), instances, 1_000));
    }

    [Fact]
    public void Ewma_OfASlowInstanceWithoutAttempts_GivesItAnotherChance()
    {
        var time = new FakeTimeProvider();
        var instances = Measured(time, 2);
        instances[0].Instance.Took(Pool.End(200, TimeSpan.FromSeconds(5)));
        instances[1].Instance.Took(Pool.End(200, TimeSpan.FromMilliseconds(50)));
        var balancer = Pool.Create(BalancingKind.Ewma, instances, time: time);
        Assert.Equal([0, 1_000], Counts(balancer, instances, 1_000));
        for (var i = 0; i < 60; i++)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            instances[1].Instance.Took(Pool.End(200, TimeSpan.FromMilliseconds(50)));
        }

        Assert.Equal([1_000, 0], Counts(balancer, instances, 1_000)); // 5 s have become 12 ms
    }

    [Theory]
    [InlineData(BalancingKind.Random)]
    [InlineData(BalancingKind.LeastRequests)]
    [InlineData(BalancingKind.RoundRobin)]
    [InlineData(BalancingKind.Ewma)]
    [InlineData(BalancingKind.ConsistentHash)]
    public void PickOther_UntilAllAreTried_GivesEachOnceAndThenNone(BalancingKind kind)
    {
        foreach (var key in new[] { 0UL, 4711UL })
        {
            var instances = Pool.Weighted(1, 1, 1000);
            var balancer = Pool.Create(kind, instances);
            var tried = new List<Instance>();
            while (balancer.PickOther(tried, key) is { } next)
            {
                Assert.DoesNotContain(next, tried);
                tried.Add(next);
            }

            Assert.Equal(3, tried.Count);
        }
    }

    [Fact]
    public void PickOther_BesidesAHeavyOne_SharesBetweenTheRest()
    {
        var instances = Pool.Weighted(1000, 1, 1);
        var balancer = Pool.Create(BalancingKind.Random, instances);
        var picked = Enumerable.Range(0, 1_000).Count(_ => balancer.PickOther([instances[0].Instance], 0) == instances[1].Instance);
        Assert.InRange(picked, 400, 600);
    }

    [Theory]
    [InlineData(BalancingKind.LeastRequests)]
    [InlineData(BalancingKind.ConsistentHash)]
    public void OnlyInstance_IsAlwaysPicked(BalancingKind kind)
    {
        var only = Pool.Weighted(3);
        var balancer = Pool.Create(kind, only);
        Assert.Same(only[0].Instance, balancer.Pick(0));
        Assert.Null(balancer.PickOther([only[0].Instance], 0));
    }

    private static WeightedInstance[] Measured(TimeProvider time, int count)
    {
        var instances = Pool.Weighted([.. Enumerable.Repeat(1.0, count)]);
        foreach (var (instance, _) in instances)
            instance.Latency = new PeakLatency(TimeSpan.FromSeconds(10), time);
        return instances;
    }

    private static int[] Counts(Balancer balancer, WeightedInstance[] instances, int picks)
    {
        var counts = Enumerable.Range(0, picks).Select(_ => balancer.Pick(0)).GroupBy(i => i).ToDictionary(g => g.Key, g => g.Count());
        return [.. instances.Select(i => counts.GetValueOrDefault(i.Instance))];
    }
}
