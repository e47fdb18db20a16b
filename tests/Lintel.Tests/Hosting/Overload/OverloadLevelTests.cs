using Lintel.Hosting.Overload;
using Lintel.Pipeline;

namespace Lintel.Tests.Hosting.Overload;

public sealed class OverloadLevelTests
{
    private readonly OverloadLevel _level = new();

    [Fact]
    public void Level_AtTwiceTheLimit_ShedsAllOfLowPriorityWithinTwoSeconds()
    {
        for (var i = 0; i < 17; i++)
            _level.Step([Delay(100)]);
        Assert.InRange(_level.Value, 1, 1.1);
        Assert.Equal(ScarceResource.LoopDelay, _level.Reason);
    }

    [Fact]
    public void Level_OfAHighPressure_RisesAsAtTwiceTheLimit()
    {
        _level.Step([Delay(100_000)]);
        Assert.Equal(OverloadLevel.Gain, _level.Value, 6);
    }

    [Fact]
    public void Level_OfSeveralResources_FollowsTheWorst()
    {
        _level.Step([Delay(10), new ResourceUse(ScarceResource.Memory, 99, 85, 100)]);
        Assert.Equal(ScarceResource.Memory, _level.Reason);
        Assert.Equal(OverloadLevel.Gain * Math.Log2(99 / 85.0), _level.Value, 6);
    }

    [Fact]
    public void Level_NearTheLimit_FallsSlowlyToZero()
    {
        _level.Step([Delay(60)]);
        var before = _level.Value;
        _level.Step([Delay(48)]);
        Assert.Equal(before - OverloadLevel.LeastStep, _level.Value, 6);
        for (var i = 0; i < 20; i++)
            _level.Step([Delay(48)]);
        Assert.Equal(0, _level.Value);
    }

    [Fact]
    public void Level_OfMemoryLittleAboveItsLimit_StaysInProportion()
    {
        for (var i = 0; i < 1000; i++)
            _level.Step([Memory(86.5)]);
        Assert.Equal(1.2, _level.Value, 6); // a tenth of the rest is used: a fifth of normal priority
        for (var i = 0; i < 1000; i++)
            _level.Step([Memory(100)]);
        Assert.Equal(Shedding.MaxLevel, _level.Value, 6);
        for (var i = 0; i < 1000; i++)
            _level.Step([Memory(86.5)]);
        Assert.Equal(1.2, _level.Value, 6);
    }

    [Fact]
    public void Level_WithoutAnyMeasurement_FallsToZero()
    {
        _level.Step([Delay(60)]);
        for (var i = 0; i < 10; i++)
            _level.Step([]);
        Assert.Equal(0, _level.Value);
    }

    [Fact]
    public void Level_UnderRandomPressures_StaysWithinItsBoundsAndMovesWithThem()
    {
        var random = new Random(7);
        for (var run = 0; run < 500; run++)
        {
            var level = new OverloadLevel();
            for (var step = 0; step < 200; step++)
            {
                var before = level.Value;
                var uses = Enumerable.Range(0, random.Next(4)).Select(i => Random(random, i)).ToArray();
                level.Step(uses);
                Assert.InRange(level.Value, 0, Shedding.MaxLevel);
                Assert.InRange(level.Value - before, -OverloadLevel.Gain - 1e-9, OverloadLevel.Gain + 1e-9);
                if (uses.All(u => u.Pressure <= 1))
                    Assert.True(level.Value <= before);
            }
        }
    }

    [Fact]
    public void Level_UnderConstantPressure_IsMonotoneAndSettles()
    {
        var random = new Random(11);
        for (var run = 0; run < 500; run++)
        {
            var level = new OverloadLevel();
            for (var step = random.Next(40); step > 0; step--)
                level.Step([Random(random, 0)]);
            ResourceUse[] uses = [Random(random, 0), Random(random, 1)];
            var values = new List<double> { level.Value };
            for (var step = 0; step < 1000; step++)
            {
                level.Step(uses);
                values.Add(level.Value);
            }

            var differences = values.Zip(values.Skip(1), (a, b) => b - a).ToList();
            Assert.True(differences.All(d => d >= 0) || differences.All(d => d <= 0), string.Join(' ', uses));
            Assert.Equal(0, differences[^1]);
            Assert.Equal(uses.Max(u => u.Ceiling), level.Value, 9);
        }
    }

    private static ResourceUse Random(Random random, int kind) =>
        kind == 0 ? Delay(random.NextDouble() * 120) : Memory(random.NextDouble() * 100);

    private static ResourceUse Delay(double milliseconds) => new(ScarceResource.LoopDelay, milliseconds, 50, null);

    private static ResourceUse Memory(double percent) => new(ScarceResource.Memory, percent, 85, 100);
}
