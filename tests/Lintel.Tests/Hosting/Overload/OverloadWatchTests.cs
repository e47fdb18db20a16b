using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Lintel.Config;
using Lintel.Hosting.Overload;
using Lintel.Pipeline;
using Lintel.TestKit;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Hosting.Overload;

public sealed class OverloadWatchTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly ConcurrentQueue<string> _log = new();
    private readonly Fake _memory = new(ScarceResource.Memory, c => c.Memory);
    private readonly Fake _delay = new(ScarceResource.LoopDelay, c => c.LoopDelay?.TotalMilliseconds);
    private readonly LoggerFactory _logs;
    private readonly Meter _meter;
    private readonly Shedding _shedding;
    private readonly OverloadWatch _watch;

    public OverloadWatchTests()
    {
        var metrics = TestMetrics.Create(out _meter);
        _logs = new LoggerFactory([new LogLines(_log)]);
        _shedding = new Shedding(metrics, new Random(1));
        _watch = new OverloadWatch(_shedding, [_memory, _delay], metrics, _time, _logs.CreateLogger<OverloadWatch>());
    }

    public void Dispose()
    {
        _watch.Dispose();
        _logs.Dispose();
    }

    [Fact]
    public void Watch_BeforeAConfiguration_MeasuresNothing()
    {
        Ticks(5);
        Assert.Equal(0, _delay.Measurements);
    }

    [Fact]
    public void Level_WhileAResourceIsShort_RisesAndFallsAgain()
    {
        _watch.Apply(new OverloadConfig());
        _delay.Value = 200;
        Ticks(5);
        Assert.Equal(5 * OverloadLevel.Gain, _shedding.Level, 6);
        Assert.Equal(ScarceResource.LoopDelay, _watch.Reason);
        _delay.Value = 1;
        Ticks(20);
        Assert.Equal(0, _shedding.Level);
        Assert.Null(_watch.Reason);
        Assert.Equal([(ScarceResource.Memory, 0), (ScarceResource.LoopDelay, 0.02)], _watch.Uses.Select(u => (u.Resource, u.Pressure)));
    }

    [Fact]
    public void Shedding_ThatBeginsAndEnds_IsLoggedOnceEach()
    {
        _watch.Apply(new OverloadConfig());
        for (var i = 0; i < 4; i++)
        {
            _delay.Value = 51;
            Ticks(1);
            _delay.Value = 1;
            Ticks(3); // the level is 0 again, and within a second it is not
        }

        Ticks(10);
        Assert.Equal(
            [
                "Warning: The gateway is overloaded and sheds requests, those of low priority first: loopDelay 51 ms, limit 50 ms",
                "Information: The gateway is no longer overloaded and serves all requests: loopDelay 1 ms, limit 50 ms",
            ],
            _log.Select(l => l.TrimEnd())
        );
    }

    [Fact]
    public void Reload_ThatChangesLimits_AppliesAtOnce()
    {
        _watch.Apply(new OverloadConfig());
        _memory.Value = 80;
        Ticks(3);
        Assert.Equal(0, _shedding.Level);
        _watch.Apply(new OverloadConfig { Memory = 70 });
        Ticks(3);
        Assert.True(_shedding.Level > 0);
    }

    [Fact]
    public void Reload_ThatSwitchesItOff_EndsShedding()
    {
        _watch.Apply(new OverloadConfig());
        _delay.Value = 200;
        Ticks(10);
        _watch.Apply(OverloadConfig.Off);
        Assert.Equal(0, _shedding.Level);
        Assert.Empty(_watch.Uses);
        Assert.Contains(_log, l => l.Contains("sheds no more requests", StringComparison.Ordinal));
        var before = _delay.Measurements;
        Ticks(10);
        Assert.Equal(before, _delay.Measurements);
        _watch.Apply(new OverloadConfig { Memory = null });
        Ticks(1);
        Assert.Equal(OverloadLevel.Gain, _shedding.Level, 6);
        Assert.Equal(0, _memory.Measurements - before);
    }

    [Fact]
    public void Resource_ThatCannotBeMeasured_IsReportedAndDoesNotEndTheProcess()
    {
        _watch.Apply(new OverloadConfig());
        _delay.Value = double.NaN;
        Ticks(1);
        Assert.Contains(_log, l => l.Contains("could not be measured", StringComparison.Ordinal));
        _delay.Value = 200;
        Ticks(1);
        Assert.True(_shedding.Level > 0);
    }

    [Fact]
    public void Metrics_OfOverload_ShowLevelAndPressures()
    {
        var seen = new Dictionary<string, double>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, l) =>
            {
                if (instrument.Meter == _meter && instrument.Name.StartsWith("lintel.overload", StringComparison.Ordinal))
                    l.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<double>(
            (instrument, value, tags, _) => seen[instrument.Name + (tags.Length > 0 ? " " + tags[0].Value : "")] = value
        );
        listener.Start();
        _watch.Apply(new OverloadConfig());
        (_delay.Value, _memory.Value) = (100, 17);
        Ticks(1);
        listener.RecordObservableInstruments();
        Assert.Equal(
            new Dictionary<string, double>
            {
                ["lintel.overload.level"] = OverloadLevel.Gain,
                ["lintel.overload.pressure memory"] = 0.2,
                ["lintel.overload.pressure loop_delay"] = 2,
            },
            seen
        );
    }

    private void Ticks(int count)
    {
        for (var i = 0; i < count; i++)
            _time.Advance(OverloadWatch.Interval);
    }

    private sealed class Fake(ScarceResource kind, Func<OverloadConfig, double?> limit) : IResource
    {
        public double Value { get; set; }

        public int Measurements { get; private set; }

        public ScarceResource Kind => kind;

        public double? Most => null;

        public double? LimitOf(OverloadConfig config) => limit(config);

        public double? Measure(double limit)
        {
            Measurements++;
            return double.IsNaN(Value) ? throw new InvalidOperationException("a defect") : Value;
        }
    }
}
