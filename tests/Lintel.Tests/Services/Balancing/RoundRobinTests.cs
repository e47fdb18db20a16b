using Lintel.Config;
using Lintel.Services.Balancing;

namespace Lintel.Tests.Services.Balancing;

public sealed class RoundRobinTests
{
    [Theory]
    [InlineData("1 1 1", "0 1 2 0 1 2")]
    [InlineData("5 1 1", "0 0 1 0 2 0 0 0 0 1 0 2 0 0")]
    [InlineData("2 1", "0 1 0 0 1 0")]
    [InlineData("200 100", "0 1 0 0 1 0")]
    public void Picks_WithWeights_AreSmooth(string weights, string expected)
    {
        var instances = Pool.Weighted([.. weights.Split(' ').Select(double.Parse)]);
        var balancer = Pool.Create(BalancingKind.RoundRobin, instances);
        var picks = expected.Split(' ').Select(_ => balancer.Pick(0)).Select(p => Array.FindIndex(instances, i => i.Instance == p));
        Assert.Equal(expected, string.Join(' ', picks));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Turns_InEachWindowOfTheTotalWeight_AreExactlyTheWeights(int seed)
    {
        var random = new Random(seed);
        double[] weights = [.. Enumerable.Range(0, random.Next(2, 12)).Select(_ => (double)random.Next(1, 100))];
        var turns = RoundRobin.Turns(weights);
        Assert.Equal(0, weights.Sum() % turns.Length); // but for the common divisor
        int[] twice = [.. turns, .. turns];
        for (var start = 0; start < turns.Length; start++)
        {
            var window = twice.AsSpan(start, turns.Length);
            for (var place = 0; place < weights.Length; place++)
                Assert.Equal(weights[place] * turns.Length / weights.Sum(), window.Count(place), 9);
        }
    }

    /// <summary>Never more than one turn away from the share of its weight, at any time: that is what makes it smooth.</summary>
    [Fact]
    public void Turns_UpToAnyPoint_AreCloseToTheShare()
    {
        double[] weights = [7, 5, 3, 1, 1];
        var turns = RoundRobin.Turns(weights);
        for (var length = 1; length <= turns.Length; length++)
        {
            for (var place = 0; place < weights.Length; place++)
                Assert.InRange(turns.AsSpan(0, length).Count(place) - (weights[place] / weights.Sum() * length), -1.5, 1.5);
        }
    }

    [Theory]
    [InlineData("0.7 0.2 0.1", 4096)]
    [InlineData("1 1000000", 4096)]
    [InlineData("997 991 983 977 971", 4096)]
    [InlineData("0.9999 0.0001", 4096)]
    public void Turns_OfLargeOrFractionalWeights_AreBoundedAndClose(string text, int most)
    {
        double[] weights = [.. text.Split(' ').Select(w => double.Parse(w, System.Globalization.CultureInfo.InvariantCulture))];
        var turns = RoundRobin.Turns(weights);
        Assert.InRange(turns.Length, weights.Length, most + weights.Length);
        for (var place = 0; place < weights.Length; place++)
            Assert.InRange((double)turns.AsSpan().Count(place) / turns.Length - (weights[place] / weights.Sum()), -1.0 / most, 1.0 / most);
    }

    [Fact]
    public void Turns_OfAThousandInstances_AreAFewThousand() =>
        Assert.InRange(RoundRobin.Turns([.. Enumerable.Range(1, 1000).Select(i => i + 0.5)]).Length, 1000, 5000);

    [Fact]
    public void NewSet_GoesOnWhereTheLastOneWas()
    {
        var parts = new BalancingParts(new Random(1), TimeProvider.System, new RoundRobinTurn());
        var instances = Pool.Weighted(1, 1, 1);
        var config = new BalancingConfig { Kind = BalancingKind.RoundRobin };
        Assert.Same(instances[0].Instance, Balancer.Create(config, instances, parts).Pick(0));
        Assert.Same(instances[1].Instance, Balancer.Create(config, instances, parts).Pick(0));
    }
}
