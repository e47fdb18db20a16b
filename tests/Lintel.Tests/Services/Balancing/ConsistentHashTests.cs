using Lintel.Config;
using Lintel.Services;
using Lintel.Services.Balancing;

namespace Lintel.Tests.Services.Balancing;

public sealed class ConsistentHashTests
{
    private const int Keys = 20_000;

    [Fact]
    public void Picks_OfOneKey_AreOneInstance_OnEveryNodeAndInAnyOrder()
    {
        var instances = Pool.Weighted(1, 2, 3, 4);
        WeightedInstance[] reversed = [.. instances.Reverse()];
        var (one, other) = (Create(instances, seed: 1), Create(reversed, seed: 2));
        for (var key = 1UL; key < 500; key++)
            Assert.Same(one.Pick(Mixed(key)), other.Pick(Mixed(key)));
    }

    [Theory]
    [InlineData("1 1 1 1 1")]
    [InlineData("1 2 7")]
    [InlineData("1000 1 1")]
    [InlineData("0.05 0.35 0.6")]
    public void Table_HasEntriesInProportionToWeight(string text)
    {
        double[] weights = [.. text.Split(' ').Select(w => double.Parse(w, System.Globalization.CultureInfo.InvariantCulture))];
        var table = ConsistentHash.Table(Pool.Weighted(weights));
        for (var place = 0; place < weights.Length; place++)
        {
            var expected = weights[place] / weights.Sum();
            Assert.InRange(table.AsSpan().Count(place) / (double)table.Length, expected * 0.99 - 0.0001, expected * 1.01 + 0.0001);
        }
    }

    /// <summary>
    /// Maglev moves a few keys of the others too: below 5 % of them with ten instances, where hashing by modulus would move 90 %.
    /// </summary>
    [Fact]
    public void Leaving_OfOneOfTen_MovesItsKeys_AndFewOthers()
    {
        var ten = Pool.Weighted([.. Enumerable.Repeat(1.0, 10)]);
        var left = ten[3].Instance;
        WeightedInstance[] nine = [.. ten.Where(i => i.Instance != left)];
        var (before, after) = (Create(ten), Create(nine));
        var (its, moved) = (0, 0);
        for (var key = 1UL; key <= Keys; key++)
        {
            var old = before.Pick(Mixed(key));
            if (old == left)
                its++;
            else if (after.Pick(Mixed(key)) != old)
                moved++;
        }

        Assert.InRange(its, Keys * 0.09, Keys * 0.11);
        Assert.InRange(moved, 1, (Keys - its) * 0.05);
    }

    [Fact]
    public void AnotherWeight_MovesAboutItsShareOfTheKeys()
    {
        var instances = Pool.Weighted(1, 1, 1, 1);
        WeightedInstance[] heavier = [instances[0] with { Weight = 1.1 }, .. instances[1..]];
        var (before, after) = (Create(instances), Create(heavier));
        var moved = Enumerable.Range(1, Keys).Count(k => before.Pick(Mixed((ulong)k)) != after.Pick(Mixed((ulong)k)));
        Assert.InRange(moved, 1, Keys * 0.1);
    }

    [Fact]
    public void PickOther_OfAKey_IsTheSameEachTime_AndSpreadsTheKeysOfOneInstance()
    {
        var instances = Pool.Weighted(1, 1, 1, 1, 1);
        var balancer = Create(instances);
        var next = new HashSet<Instance>();
        for (var key = 1UL; key < 500; key++)
        {
            if (balancer.Pick(Mixed(key)) != instances[0].Instance)
                continue;
            var other = balancer.PickOther([instances[0].Instance], Mixed(key));
            Assert.Same(other, balancer.PickOther([instances[0].Instance], Mixed(key)));
            next.Add(other!);
        }

        Assert.Equal(4, next.Count);
    }

    /// <summary>One key has all requests: they go to its instance up to 125 % of the average, then to the next ones.</summary>
    [Theory]
    [InlineData(3)]
    [InlineData(10)]
    [InlineData(100)]
    public void BoundedLoad_OfOneHotKey_IsNeverExceeded(int count)
    {
        var instances = Pool.Weighted([.. Enumerable.Repeat(1.0, count)]);
        var balancer = Create(instances, boundedLoad: 125);
        for (var total = 1; total <= 20 * count; total++)
        {
            var picked = balancer.Pick(4711);
            picked.Enter();
            // the sum of requests in flight is a few picks old with many instances
            Assert.InRange(picked.Active, 1, Math.Ceiling(1.25 * total / count) + 1);
        }
    }

    [Fact]
    public void BoundedLoad_WithoutLoad_TakesTheKeysInstance()
    {
        var instances = Pool.Weighted(1, 1, 1);
        var (free, bounded) = (Create(instances), Create(instances, boundedLoad: 100));
        for (var key = 1UL; key < 200; key++)
            Assert.Same(free.Pick(Mixed(key)), bounded.Pick(Mixed(key)));
    }

    [Fact]
    public void BoundedLoad_WithWeights_IsInProportion()
    {
        var instances = Pool.Weighted(9, 1);
        var balancer = Create(instances, boundedLoad: 110);
        for (var i = 0; i < 1000; i++)
            balancer.Pick(Mixed((ulong)i + 1)).Enter();
        Assert.InRange(instances[1].Instance.Active, 80, 111);
    }

    [Fact]
    public void RequestsWithoutKey_GoToTheLessBusyInstance()
    {
        var instances = Pool.Weighted(1, 1);
        Pool.Load(instances[0].Instance, 5);
        var balancer = Create(instances);
        Assert.All(Enumerable.Range(0, 100), _ => Assert.Same(instances[1].Instance, balancer.Pick(0)));
    }

    /// <summary>What a hash of a real value looks like.</summary>
    private static ulong Mixed(ulong key) => System.IO.Hashing.XxHash3.HashToUInt64(BitConverter.GetBytes(key));

    private static Balancer Create(WeightedInstance[] instances, double? boundedLoad = null, int seed = 7) =>
        Pool.Create(
            new BalancingConfig
            {
                ConsistentHash = new() { Header = "X", BoundedLoad = boundedLoad },
            },
            instances,
            seed
        );
}
