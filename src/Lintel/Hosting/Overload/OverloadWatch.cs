using Lintel.Config;
using Lintel.Observability.Metrics;
using Lintel.Pipeline;
using Microsoft.Extensions.Logging;

namespace Lintel.Hosting.Overload;

/// <summary>Watches the gateway's own resources, and sets how much of the load is shed.</summary>
/// <remarks>Thread rule: any thread; all state is guarded by one lock, which the timer does not wait for.</remarks>
internal sealed class OverloadWatch : IDisposable
{
    /// <summary>The time between two measurements: CoDel's interval (RFC 8289 section 4.2).</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(1);

    private readonly Shedding _shedding;
    private readonly IReadOnlyList<IResource> _resources;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ITimer _timer;
    private readonly Lock _lock = new();
    private OverloadConfig _config = OverloadConfig.Off;
    private OverloadLevel _level = new();
    private volatile ResourceUse[] _uses = [];
    private bool _isReported;
    private long? _reportedAt;

    /// <param name="shedding">Gets the level.</param>
    /// <param name="resources">The resources, each of another kind.</param>
    /// <param name="metrics">Shows level and pressures.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Logs the beginning and the end of shedding.</param>
    public OverloadWatch(
        Shedding shedding,
        IReadOnlyList<IResource> resources,
        GatewayMetrics metrics,
        TimeProvider time,
        ILogger<OverloadWatch> logger
    )
    {
        (_shedding, _resources, _time, _logger) = (shedding, resources, time, logger);
        metrics.ObserveOverload(() => shedding.Level, () => Uses.Select(u => new OverloadUse(Shedding.LabelOf(u.Resource), u.Pressure)));
        _timer = time.CreateTimer(static watch => ((OverloadWatch)watch!).Tick(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>The use of the resources that are watched.</summary>
    public IReadOnlyList<ResourceUse> Uses => _uses;

    /// <summary>What follows the level.</summary>
    internal Shedding Shedding => _shedding;

    /// <summary>The level of shedding.</summary>
    public double Level => _shedding.Level;

    /// <summary>The resource that raised the level last; <see langword="null"/> while nothing is shed.</summary>
    public ScarceResource? Reason => _shedding.Reason;

    /// <summary>Follows a configuration: its limits apply from the next measurement.</summary>
    public void Apply(OverloadConfig config)
    {
        lock (_lock)
        {
            if (config == _config)
                return;
            _config = config;
            var isOff = config == OverloadConfig.Off;
            _timer.Change(isOff ? Timeout.InfiniteTimeSpan : Interval, isOff ? Timeout.InfiniteTimeSpan : Interval);
            if (!isOff)
                return;
            _uses = [];
            _level = new OverloadLevel();
            _shedding.Set(0, default);
            Report_NeedsLock(isForced: true);
        }
    }

    public void Dispose() => _timer.Dispose();

    private void Tick()
    {
        // A late tick is not made up for: the timer does not wait.
        if (!_lock.TryEnter())
            return;
        try
        {
            if (_config != OverloadConfig.Off)
                Look_NeedsLock();
        }
        catch (Exception e)
        {
            OverloadLog.Failed(_logger, e); // an exception on a timer would end the process
        }
        finally
        {
            _lock.Exit();
        }
    }

    private void Look_NeedsLock()
    {
        var uses = new List<ResourceUse>(_resources.Count);
        foreach (var resource in _resources)
        {
            if (resource.LimitOf(_config) is { } limit && resource.Measure(limit) is { } value)
                uses.Add(new ResourceUse(resource.Kind, value, limit, resource.Most));
        }

        _uses = [.. uses];
        _level.Step(_uses);
        if (_level.Value != _shedding.Level)
            _shedding.Set(_level.Value, _level.Reason);
        Report_NeedsLock(isForced: false);
    }

    /// <summary>
    /// Logs each beginning with its end. What ends and begins again within a second is one: a level near 0 would fill the log.
    /// </summary>
    private void Report_NeedsLock(bool isForced)
    {
        var isShedding = _level.Value > 0;
        if (isShedding == _isReported || (!isForced && _reportedAt is { } at && _time.GetElapsedTime(at) < Silence))
            return;
        _isReported = isShedding;
        _reportedAt = _time.GetTimestamp();
        var use = Array.Find(_uses, u => u.Resource == _level.Reason);
        if (!isShedding && use.Limit > 0)
            OverloadLog.Ended(_logger, ResourceUse.KeyOf(use.Resource), use.Format(use.Value), use.Format(use.Limit));
        else if (!isShedding)
            OverloadLog.SwitchedOff(_logger);
        else
            OverloadLog.Began(_logger, ResourceUse.KeyOf(use.Resource), use.Format(use.Value), use.Format(use.Limit));
    }
}
