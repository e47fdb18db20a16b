using Lintel.Config;
using Lintel.Services.Balancing;
using Lintel.Services.Health;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Services.Balancing;

public sealed class SharesTests
{
    private static readonly ServiceConfig Plain = new() { Instances = [] };

    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void Weights_OfAvailableInstances_StayAsTheyAre()
    {
        var shares = Compute(Plain, [Pool.Config(1, 2), Pool.Config(2, 5), Pool.Config(3, 3)], down: [2]);
        Assert.Equal([2, 5], shares.Taking.Select(t => t.Weight));
        Assert.Equal([28.57, 71.43, 0], Percents(shares));
        Assert.Equal([ShareReason.None, ShareReason.None, ShareReason.Unavailable], shares.Of.Select(s => s.Reason));
        Assert.False(shares.IsPanicking);
    }

    [Theory]
    [InlineData(50, 2, false)]
    [InlineData(50, 3, true)]
    [InlineData(80, 1, true)] // one level: its share alone decides
    [InlineData(0, 4, false)]
    public void Panic_BelowItsShare_UsesAll(double panic, int down, bool panics)
    {
        var shares = Compute(Plain with { Panic = panic }, Level(0, 4), [.. Enumerable.Range(0, down)]);
        Assert.Equal(panics, shares.IsPanicking);
        Assert.Equal(panics ? 4 : 4 - down, shares.Taking.Length);
        Assert.Equal(panics ? ShareReason.Panic : ShareReason.Unavailable, shares.Of[0].Reason);
    }

    /// <summary>Envoy's table for priority levels: health is available × 1.4.</summary>
    [Theory]
    [InlineData(100, 100, "100 0")]
    [InlineData(72, 72, "100 0")]
    [InlineData(71, 71, "99.4 0.6")]
    [InlineData(50, 50, "70 30")]
    [InlineData(25, 100, "35 65")]
    [InlineData(0, 100, "0 100")]
    [InlineData(25, 25, "50 50")]
    [InlineData(5, 0, "100 0")]
    public void Priorities_ByAvailableInstances_GetEnvoysShares(int first, int second, string expected)
    {
        var shares = Compute(
            Plain with
            {
                Panic = 0,
            },
            [.. Level(0, 100), .. Level(1, 100)],
            [.. Enumerable.Range(0, 100 - first), .. Enumerable.Range(100, 100 - second)]
        );
        double[] levels = [shares.Of.Take(100).Sum(s => s.Fraction), shares.Of.Skip(100).Sum(s => s.Fraction)];
        Assert.Equal(
            expected,
            string.Join(' ', levels.Select(l => Math.Round(100 * l, 2).ToString(System.Globalization.CultureInfo.InvariantCulture)))
        );
        Assert.False(shares.IsPanicking);
    }

    [Fact]
    public void ThreeLevels_FillUpOneAfterTheOther()
    {
        var shares = Compute(Plain, [.. Level(0, 4), .. Level(1, 4), .. Level(2, 4)], down: [0, 1, 2, 4, 5]);
        Assert.Equal([35, 65, 0], Levels(shares, 4)); // 35 % and 70 %: level 1 has enough for the rest
        Assert.Equal(ShareReason.Priority, shares.Of[11].Reason);
        Assert.Equal(ShareReason.None, Compute(Plain, [.. Level(0, 2), .. Level(1, 2)]).Of[0].Reason);
    }

    [Fact]
    public void Panic_OfALevel_IsDisregardedWhileAnotherOneHasEnough()
    {
        Assert.False(Compute(Plain with { Panic = 50 }, [.. Level(0, 4), .. Level(1, 4)], down: [0, 1, 2]).IsPanicking);
        var shares = Compute(Plain with { Panic = 50 }, [.. Level(0, 4), .. Level(1, 4)], down: [0, 1, 2, 4, 5, 6]);
        Assert.True(shares.IsPanicking);
        Assert.Equal(8, shares.Taking.Length);
    }

    [Fact]
    public void NothingAvailable_UsesTheFirstLevel_OrNothingWithoutPanic()
    {
        int[] all = [0, 1, 2, 3];
        Assert.Equal([100, 0], Levels(Compute(Plain with { Panic = 50 }, [.. Level(0, 2), .. Level(1, 2)], all), 2));
        Assert.Empty(Compute(Plain with { Panic = 0 }, [.. Level(0, 2), .. Level(1, 2)], all).Taking);
    }

    [Theory]
    [InlineData(10, 70, 100)]
    [InlineData(7, 70, 100)]
    [InlineData(6, 70, 85.71)]
    [InlineData(5, 70, 71.43)]
    [InlineData(1, 70, 14.29)]
    [InlineData(0, 70, 0)]
    [InlineData(1, 0, 100)]
    [InlineData(9, 100, 90)]
    public void Zone_ByAvailableInstancesOfTheOwn_KeepsThatPart(int available, double spillOver, double expected)
    {
        var shares = Compute(
            Plain with
            {
                Zone = new() { Own = "a", SpillOver = spillOver },
                Panic = 0,
            },
            [.. Level(0, 10, "a"), .. Level(0, 5, "b"), .. Level(0, 5)],
            [.. Enumerable.Range(0, 10 - available)]
        );
        Assert.Equal(expected, Math.Round(100 * shares.Of.Take(10).Sum(s => s.Fraction), 2));
        Assert.Equal(1, shares.Of.Sum(s => s.Fraction), 9);
        Assert.Equal(available == 0 ? ShareReason.None : ShareReason.Zone, shares.Of[12].Reason);
    }

    [Fact]
    public void Zone_InPanic_IsIgnored_AndWithoutOthersHasNoEffect()
    {
        var config = Plain with { Zone = new() { Own = "a" } };
        Assert.Equal([50, 50], Levels(Compute(config, [.. Level(0, 4, "a"), .. Level(0, 4, "b")], [0, 1, 2, 3, 4]), 4));
        Assert.Equal([1, 1], Compute(config, Level(0, 4, "a"), [0, 1]).Taking.Select(t => t.Weight));
    }

    [Fact]
    public void SpilledPart_IsSharedByWeight()
    {
        var shares = Compute(
            Plain with
            {
                Zone = new() { Own = "a" },
                Panic = 0,
            },
            [Pool.Config(1, 1, "a"), Pool.Config(2, 1, "a"), Pool.Config(3, 3, "b"), Pool.Config(4, 1, "c")],
            down: [0]
        );
        Assert.Equal([0, 71.43, 21.43, 7.14], Percents(shares));
    }

    /// <summary>w × max(10 %, t / window).</summary>
    [Fact]
    public void SlowStart_OfANewInstance_GrowsLinearlyFromATenth()
    {
        var config = Plain with { SlowStart = TimeSpan.FromSeconds(30) };
        var members = Members([Pool.Config(1, 10), Pool.Config(2, 10)]);
        members[1].Instance.Health.Joined = _time.GetTimestamp();
        var weights = new List<double>();
        for (var second = 0; second <= 30; second += 3)
        {
            var shares = Shares.Compute(members, config, _time);
            weights.Add(Math.Round(shares.Taking[1].Weight, 6));
            Assert.Equal(10, shares.Taking[0].Weight);
            Assert.Equal(second < 30, shares.IsRamping);
            Assert.Equal(second < 30 ? ShareReason.SlowStart : ShareReason.None, shares.Of[1].Reason);
            _time.Advance(TimeSpan.FromSeconds(3));
        }

        Assert.Equal([1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], weights);
    }

    /// <summary>As if they were not configured: one of three is drained before a deployment, and the others share its requests.</summary>
    [Theory]
    [InlineData(50)]
    [InlineData(100)]
    public void HeldInstances_AreLeftOut_WithoutPanicOfTheOthers(double panic)
    {
        var config = Plain with { Panic = panic };
        var shares = Compute(config, Level(0, 3), held: [(0, HoldKind.Drained)]);
        Assert.Equal([0, 50, 50], Percents(shares));
        Assert.Equal([ShareReason.Drained, ShareReason.None, ShareReason.None], shares.Of.Select(s => s.Reason));
        shares = Compute(config, Level(0, 3), held: [(0, HoldKind.Ejected), (1, HoldKind.Drained)]);
        Assert.Equal([0, 0, 100], Percents(shares));
        Assert.Equal((ShareReason.Held, false, 2), (shares.Of[0].Reason, shares.IsPanicking, shares.Held));
    }

    [Fact]
    public void HeldInstances_InPanicOfTheOthers_StayLeftOut()
    {
        var shares = Compute(Plain with { Panic = 60 }, Level(0, 4), down: [1, 2], held: [(0, HoldKind.Ejected), (1, HoldKind.Drained)]);
        Assert.True(shares.IsPanicking); // one of the two others is down
        Assert.Equal([0, 0, 50, 50], Percents(shares));
        Assert.Equal([ShareReason.Held, ShareReason.Unavailable, ShareReason.Panic, ShareReason.None], shares.Of.Select(s => s.Reason));
    }

    [Fact]
    public void Levels_OfWhichAllAreHeld_LeaveTheirRequestsToTheNext()
    {
        var config = Plain with { Panic = 50 };
        (int, HoldKind)[] first = [(0, HoldKind.Drained), (1, HoldKind.Ejected)];
        Assert.Equal([0, 100], Levels(Compute(config, [.. Level(0, 2), .. Level(1, 2)], held: first), 2));
        Assert.Equal([100, 0], Levels(Compute(config, [.. Level(0, 2), .. Level(1, 2)], held: [first[0]]), 2));
        var shares = Compute(config, Level(0, 2), held: first);
        Assert.Empty(shares.Taking);
        Assert.False(shares.IsPanicking);
    }

    [Fact]
    public void Zone_WithHeldInstances_CountsTheOthers()
    {
        var shares = Compute(
            Plain with
            {
                Zone = new() { Own = "a", SpillOver = 70 },
            },
            [.. Level(0, 4, "a"), .. Level(0, 4, "b")],
            held: [(0, HoldKind.Drained), (1, HoldKind.Drained), (2, HoldKind.Drained)]
        );
        Assert.Equal(100, Math.Round(100 * shares.Of[3].Fraction, 2));
    }

    private static double[] Levels(Shares shares, int size) =>
        [.. shares.Of.Chunk(size).Select(l => Math.Round(100 * l.Sum(s => s.Fraction), 2))];

    private static IEnumerable<double> Percents(Shares shares) => shares.Of.Select(s => Math.Round(100 * s.Fraction, 2));

    private static InstanceConfig[] Level(int priority, int count, string? zone = null) =>
        [.. Enumerable.Range(0, count).Select(i => Pool.Config((1000 * priority) + i, 1, zone, priority))];

    private static Member[] Members(InstanceConfig[] configs) => [.. configs.Select(c => new Member(new(c), c, 0))];

    private Shares Compute(ServiceConfig config, InstanceConfig[] instances, int[]? down = null, (int Place, HoldKind Kind)[]? held = null)
    {
        var members = Members(instances);
        foreach (var (place, kind) in held ?? [])
            members[place].Instance.Health.HoldBack(new InstanceHold(kind, _time.GetUtcNow(), null));
        foreach (var i in down ?? [])
            members[i].Instance.Health.IsUnhealthy = true;
        return Shares.Compute(members, config, _time);
    }
}
