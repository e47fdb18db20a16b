using System.Globalization;
using Lintel.Config;
using Lintel.Services.Attempts;

namespace Lintel.Services.Health;

/// <summary>
/// Decides which instances of a service receive requests: an instance that fails too often is ejected for some time, one whose active
/// checks fail is unavailable until they pass again. Requests in flight continue.
/// </summary>
/// <remarks>
/// Picking an instance decides nothing: each change builds a new <see cref="InstanceSet"/>. Generations of a service share their instances
/// and with them the state. Thread rule: the state changes under the instance's lock, ejections also under this object's lock, which is
/// taken first; <see cref="Attempted"/> takes them only if the instance may have to be ejected.
/// </remarks>
internal sealed class ServiceHealth : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Service _service;
    private readonly ServiceParts _parts;
    private readonly PassiveHealthConfig? _passive;
    private readonly ActiveHealthConfig? _active;
    private readonly ITimer _returns;
    private readonly Dictionary<Instance, InstanceChecks?> _watched = [];
    private bool _isStarted;
    private bool _isOver;

    /// <param name="service">The service.</param>
    /// <param name="config">Its health configuration.</param>
    /// <param name="parts">The dependencies.</param>
    public ServiceHealth(Service service, HealthConfig config, ServiceParts parts)
    {
        _service = service;
        _parts = parts;
        (_passive, _active) = (config.Passive, config.Active);
        _returns = parts.Time.CreateTimer(
            static s => ((ServiceHealth)s!).Return(),
            this,
            System.Threading.Timeout.InfiniteTimeSpan,
            System.Threading.Timeout.InfiniteTimeSpan
        );
    }

    /// <summary>Follows a change of the instances: begins to check new ones and stops checking removed ones.</summary>
    public void Watch(Instance[] instances)
    {
        lock (_lock)
        {
            if (_isOver)
                return;
            foreach (var instance in instances.Where(i => !_watched.ContainsKey(i)))
                _watched.Add(instance, Begin_NeedsLock(instance));
            foreach (var gone in _watched.Keys.Except(instances).ToList())
                End_NeedsLock(gone);
        }

        PlanReturn();
    }

    /// <summary>
    /// Starts the active checks. Called when the configuration goes live: one that is only validated or explained sends nothing.
    /// </summary>
    public void Start()
    {
        lock (_lock)
        {
            if (_isOver || _isStarted || _active is null)
                return;
            _isStarted = true;
            foreach (var instance in _watched.Keys.ToList())
                _watched[instance] = new InstanceChecks(_service, instance, _active, this, _parts);
        }
    }

    /// <summary>Evaluates the end of an attempt.</summary>
    /// <param name="instance">The instance.</param>
    /// <param name="end">How it ended.</param>
    public void Attempted(Instance instance, in AttemptEnd end)
    {
        if (_passive is null || end.Verdict == AttemptVerdict.Neutral)
            return;
        var health = instance.Health;
        health.Window?.Count(end.Timestamp, end.Verdict == AttemptVerdict.Failure);
        if (end.Verdict == AttemptVerdict.Success)
        {
            health.Succeeded();
            return;
        }

        var inRow = health.Failed();
        var what = end.Error?.Rule.Slug ?? end.Status!.Value.ToString(CultureInfo.InvariantCulture);
        if (inRow >= _passive.ConsecutiveFailures)
            Eject(instance, $"{inRow} failures in a row, the last one {what}");
        else if (
            _passive.SuccessRate is { } rate
            && health.Window!.Sum(end.Timestamp) is var (all, failed)
            && all >= rate.Minimum
            && 100.0 * (all - failed) / all < rate.Below
        )
            Eject(
                instance,
                string.Create(CultureInfo.InvariantCulture, $"{100.0 * (all - failed) / all:0.#} % of {all} attempts succeeded")
            );
    }

    /// <summary>Evaluates the result of an active check.</summary>
    /// <param name="instance">The instance.</param>
    /// <param name="problem">The problem; <see langword="null"/> if the check passed.</param>
    public void Checked(Instance instance, string? problem)
    {
        var health = instance.Health;
        lock (health.Lock)
        {
            if (problem is null && health.EjectedUntil is not null)
                Return_NeedsLock(instance, "an active check passed");
            if (problem is null != health.IsUnhealthy)
            {
                health.ChecksInRow = 0; // confirms the current state
                return;
            }

            if (++health.ChecksInRow < (health.IsUnhealthy ? _active!.HealthyAfter : _active!.UnhealthyAfter))
                return;
            health.ChecksInRow = 0;
            health.IsUnhealthy = problem is not null;
            health.Since = _parts.Time.GetUtcNow();
            health.Reason = problem;
            if (problem is null)
                health.Joined = _parts.Time.GetTimestamp();
            if (problem is null)
                HealthLog.Healthy(_parts.Logger, instance.Name, _service.Name);
            else
                HealthLog.Unhealthy(_parts.Logger, instance.Name, _service.Name, problem);
            health.Change();
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _isOver = true;
            _returns.Dispose();
            foreach (var instance in _watched.Keys.ToList())
                End_NeedsLock(instance);
        }
    }

    private InstanceChecks? Begin_NeedsLock(Instance instance)
    {
        var health = instance.Health;
        if (_passive?.SuccessRate is { } rate)
            health.Window = new SlidingWindow(rate.Window, _parts.Time);
        return _isStarted && _active is not null ? new InstanceChecks(_service, instance, _active, this, _parts) : null;
    }

    private void End_NeedsLock(Instance instance)
    {
        _watched.Remove(instance, out var checks);
        checks?.Dispose();
    }

    private void Eject(Instance instance, string reason)
    {
        lock (_lock) // serialized: two concurrent ejections could exceed the limit
        {
            var health = instance.Health;
            if (_isOver || health.EjectedUntil is not null || !_watched.ContainsKey(instance))
                return;
            // Those that an operator holds back are not there to be left: as for panic, the others count.
            var others = _watched.Keys.Where(i => i != instance && i.Health.Hold is null).ToList();
            if (100.0 * (others.Count(i => i.Health.EjectedUntil is not null) + 1) / (others.Count + 1) > _passive!.MaxEjected)
            {
                health.Forget(); // evaluated again after as many failures
                HealthLog.Kept(_parts.Logger, instance.Name, _service.Name, reason);
                return;
            }

            lock (health.Lock)
            {
                var now = _parts.Time.GetUtcNow();
                var well = health.Ejections == 0 ? 0 : (int)Math.Min(health.Ejections, (now - health.LastReturn) / _passive.EjectFor);
                health.Ejections += 1 - well;
                var time = _passive.EjectFor * health.Ejections;
                time = time < _passive.MaxEjectFor ? time : _passive.MaxEjectFor;
                health.EjectedUntil = now + time;
                health.Since = now;
                health.Reason = reason;
                _parts.Metrics.Ejected(_service.Name, instance.Host, instance.Port);
                HealthLog.Ejected(_parts.Logger, instance.Name, _service.Name, time, reason);
                health.Change();
            }
        }

        PlanReturn();
    }

    /// <summary>Ends the ejections whose time is over.</summary>
    private void Return()
    {
        foreach (var instance in _service.Instances.All)
        {
            lock (instance.Health.Lock)
            {
                if (instance.Health.EjectedUntil <= _parts.Time.GetUtcNow())
                    Return_NeedsLock(instance, "its time is over");
            }
        }

        PlanReturn();
    }

    private void Return_NeedsLock(Instance instance, string reason)
    {
        var health = instance.Health;
        health.EndEjection_NeedsLock(_parts.Time.GetUtcNow());
        health.Joined = _parts.Time.GetTimestamp();
        HealthLog.Returned(_parts.Logger, instance.Name, _service.Name, reason);
        health.Change();
    }

    private void PlanReturn()
    {
        lock (_lock)
        {
            if (_isOver || _watched.Keys.Min(i => i.Health.EjectedUntil) is not { } next)
                return;
            var left = next - _parts.Time.GetUtcNow();
            _returns.Change(left > TimeSpan.Zero ? left : TimeSpan.Zero, System.Threading.Timeout.InfiniteTimeSpan);
        }
    }
}
