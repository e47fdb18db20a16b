using Lintel.Services.Balancing;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Services.Balancing;

public sealed class PeakLatencyTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void Estimate_WithoutAttempts_IsTheDefault_AndFallsWithTime()
    {
        var latency = Create();
        Assert.Equal(0.03f, latency.Estimate);
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(0.03f / MathF.E, latency.Estimate, 4);
        _time.Advance(TimeSpan.FromDays(30)); // the ticks wrap around
        Assert.Equal(0, latency.Estimate, 4);
    }

    [Fact]
    public void LongerAnswer_ReplacesTheEstimateAtOnce_ShorterOnesAverage()
    {
        var latency = Create();
        latency.Add(TimeSpan.FromSeconds(2), AttemptLatency.Answer);
        Assert.Equal(2, latency.Estimate, 4);
        _time.Advance(TimeSpan.FromSeconds(10));
        latency.Add(TimeSpan.FromSeconds(0.1), AttemptLatency.Answer);
        Assert.Equal((2 / MathF.E) + (0.1f * (1 - (1 / MathF.E))), latency.Estimate, 3);
    }

    [Fact]
    public void FastFailures_RaiseTheEstimate_InProportionToTheirShare()
    {
        var (all, few) = (Create(), Create());
        for (var i = 0; i < 1000; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(50));
            all.Add(TimeSpan.FromMilliseconds(1), AttemptLatency.Failure);
            few.Add(TimeSpan.FromMilliseconds(50), i % 100 == 0 ? AttemptLatency.Failure : AttemptLatency.Answer);
        }

        Assert.InRange(all.Estimate, 1, 60.1f);
        Assert.InRange(few.Estimate, 0.05f, 0.08f); // 50 ms, and 1 s of one in a hundred
    }

    [Fact]
    public void Failures_WithoutEnd_AreBounded()
    {
        var latency = Create();
        for (var i = 0; i < 10_000; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            latency.Add(TimeSpan.Zero, AttemptLatency.Failure);
        }

        Assert.InRange(latency.Estimate, 30, 60.1f);
    }

    [Fact]
    public void AttemptThatWasCutOff_RaisesTheEstimate_AndNeverLowersIt()
    {
        var latency = Create();
        latency.Add(TimeSpan.FromSeconds(1), AttemptLatency.AtLeast);
        Assert.Equal(1, latency.Estimate, 4);
        latency.Add(TimeSpan.FromSeconds(0.001), AttemptLatency.AtLeast);
        Assert.Equal(1, latency.Estimate, 4);
    }

    private PeakLatency Create() => new(TimeSpan.FromSeconds(10), _time);
}
