using System.Globalization;
using Lintel.Config;
using Lintel.Errors;
using Lintel.Observability.Metrics;
using Microsoft.Extensions.Logging;

namespace Lintel.Services.Health;

/// <summary>What the health of instances needs of the gateway.</summary>
internal sealed record HealthParts(TimeProvider Time, Random Random, GatewayMetrics Metrics, ILogger Logger);

/// <summary>
/// Decides which instances of a service get requests: those that fail too often are ejected for a while, those whose checks fail are left
/// out until they pass again. Whoever is left out keeps what it is doing.
/// </summary>
/// <remarks>
/// Nothing is decided where a request picks its instance: a change makes a new <see cref="InstanceSet"/>. Generations of a service share
/// their instances, and so what is known of them. Thread rule: verdicts are made under the instance's lock, and ejections under this one's
/// before; <see cref="Attempted"/> takes one only where an instance may have to go.
/// </remarks>
internal sealed class ServiceHealth : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Service _service;
    private readonly HealthParts _parts;
    private readonly PassiveHealthConfig? _passive;
    private readonly ActiveHealthConfig? _active;
    private readonly ITimer _returns;
    private readonly Dictionary<Instance, InstanceChecks?> _watched = [];
    private bool _isOver;

    /// <param name="service">Whose instances.</param>
    /// <param name="config">How their health is found out.</param>
    /// <param name="parts">What it needs of the gateway.</param>
    public ServiceHealth(Service service, HealthConfig config, HealthParts parts)
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

    /// <summary>The instances have become others: those that are new are watched, those that are gone no more.</summary>
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

    /// <summary>An attempt has ended: what it says of its instance.</summary>
    /// <param name="instance">The instance.</param>
    /// <param name="status">The status that it answered with; <see langword="null"/> for none.</param>
    /// <param name="error">Why it failed; <see langword="null"/> for an answer of whatever status.</param>
    public void Attempted(Instance instance, int? status, GatewayError? error)
    {
        if (_passive is null)
            return;
        var health = instance.Health;
        if (error is null ? status is null or < 500 : error.Rule.Source != ErrorSource.Upstream)
        {
            if (error is not null)
                return; // it says nothing of the instance
            health.Succeeded();
            health.Window?.Count(isFailure: false);
            return;
        }

        var inRow = health.Failed();
        health.Window?.Count(isFailure: true);
        var what = error?.Rule.Slug ?? status!.Value.ToString(CultureInfo.InvariantCulture);
        if (inRow >= _passive.ConsecutiveFailures)
            Eject(instance, $"{inRow} failures in a row, the last one {what}");
        else if (
            _passive.SuccessRate is { } rate
            && health.Window!.Sum() is var (all, failed)
            && all >= rate.Minimum
            && 100.0 * (all - failed) / all < rate.Below
        )
            Eject(
                instance,
                string.Create(CultureInfo.InvariantCulture, $"{100.0 * (all - failed) / all:0.#} % of {all} attempts succeeded")
            );
    }

    /// <summary>The result of an active check.</summary>
    /// <param name="instance">The instance.</param>
    /// <param name="problem">What was wrong; <see langword="null"/> for a check that passed.</param>
    public void Checked(Instance instance, string? problem)
    {
        var health = instance.Health;
        lock (health.Lock)
        {
            if (problem is null && health.EjectedUntil is not null)
                Return_NeedsLock(instance, "an active check passed");
            if (problem is null != health.IsUnhealthy)
            {
                health.ChecksInRow = 0; // as before
                return;
            }

            if (++health.ChecksInRow < (health.IsUnhealthy ? _active!.HealthyAfter : _active!.UnhealthyAfter))
                return;
            health.ChecksInRow = 0;
            health.IsUnhealthy = problem is not null;
            health.Since = _parts.Time.GetUtcNow();
            health.Reason = problem;
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
        health.Changed += _service.Renew;
        if (_passive?.SuccessRate is { } rate)
            health.Window = new SuccessWindow(rate.Window, _parts.Time);
        if (_active is not null)
            return new InstanceChecks(_service, instance, _active, this, _parts);
        lock (health.Lock)
            health.IsUnhealthy = false; // nothing would find out that it is well
        return null;
    }

    private void End_NeedsLock(Instance instance)
    {
        instance.Health.Changed -= _service.Renew;
        _watched.Remove(instance, out var checks);
        checks?.Dispose();
    }

    private void Eject(Instance instance, string reason)
    {
        lock (_lock) // one after the other: two at once could leave out more than allowed
        {
            var health = instance.Health;
            if (_isOver || health.EjectedUntil is not null || !_watched.ContainsKey(instance))
                return;
            if (100.0 * (_watched.Keys.Count(i => i.Health.EjectedUntil is not null) + 1) / _watched.Count > _passive!.MaxEjected)
            {
                health.Forget(); // the question comes up again after as many failures
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

    /// <summary>Those whose time is over get requests again.</summary>
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
        health.EjectedUntil = null;
        health.Since = health.LastReturn = _parts.Time.GetUtcNow();
        health.Reason = null;
        health.Forget();
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
