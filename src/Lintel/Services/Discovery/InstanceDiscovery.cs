using Lintel.Config;
using Lintel.Config.Grammars;

namespace Lintel.Services.Discovery;

/// <summary>
/// Keeps the instances of a service up to date from a source. Generations of the service with the same <c>discover</c> share it, so that a
/// reload keeps the instances.
/// </summary>
/// <remarks>
/// An answer that fails, or has no instances, changes nothing: a source that is broken must not take a working service down. Thread rule:
/// one query at a time, by <see cref="RunAsync"/>; the state changes under the lock, which is held while services receive their instances,
/// so that they receive them in order. Services must not call back while they hold locks of their own.
/// </remarks>
internal abstract class InstanceDiscovery : IDisposable
{
    /// <summary>How long the gateway waits for the first instances before it becomes ready, or applies a reload, without them.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private readonly string _service;
    private readonly DiscoveryParts _parts;
    private readonly List<Service> _services = [];
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _ended = new();
    private IReadOnlyList<InstanceConfig> _current;
    private ITimer? _patience;
    private bool _isStarted;
    private int _users = 1;
    private int _failures;
    private long _errors;
    private DateTimeOffset _startedAt;
    private DateTimeOffset? _answeredAt;
    private string? _error;
    private string? _ignored;
    private bool _isTooMany;

    protected InstanceDiscovery(string service, DiscoverConfig config, DiscoveryParts parts, IReadOnlyList<InstanceConfig> known)
    {
        _service = service;
        Config = config;
        _parts = parts;
        _current = known;
        if (known.Count > 0)
            _first.SetResult();
    }

    public DiscoverConfig Config { get; }

    /// <summary>The current instances, in the order of their addresses.</summary>
    public IReadOnlyList<InstanceConfig> Current => Volatile.Read(ref _current);

    /// <summary>Completes when there are instances for the first time.</summary>
    public Task FirstAnswer => _first.Task;

    /// <summary>Whether it has given no instances yet, and may still do so soon.</summary>
    public bool IsWaiting
    {
        get
        {
            lock (_lock)
                return _isStarted && !_first.Task.IsCompleted && _parts.Time.GetUtcNow() - _startedAt < Patience;
        }
    }

    /// <summary>The status, for operators.</summary>
    public DiscoveryStatus Status
    {
        get
        {
            lock (_lock)
                return new DiscoveryStatus(_service, Config.Source, _answeredAt, _error, Age_NeedsLock(), _errors, _current.Count);
        }
    }

    /// <summary>Whether the source tells of changes by itself: its last answer does not age.</summary>
    protected virtual bool IsPushed => false;

    /// <summary>The time until the first retry after a failure; it doubles with each further one.</summary>
    protected virtual TimeSpan FirstRetry => TimeSpan.FromSeconds(1);

    protected TimeProvider Time => _parts.Time;

    /// <summary>The discovery of a new generation of a service: the running one, if its configuration did not change.</summary>
    /// <param name="service">The name of the service.</param>
    /// <param name="config">The configuration; <see langword="null"/> if the instances are configured.</param>
    /// <param name="parts">The dependencies.</param>
    /// <param name="previous">That of the previous generation.</param>
    public static InstanceDiscovery? Of(string service, DiscoverConfig? config, DiscoveryParts? parts, InstanceDiscovery? previous)
    {
        if (config is null)
            return null;
        if (previous?.Config == config)
            return previous.Share();
        if (parts is null)
            throw new InvalidOperationException("discovery is not set up");
        var isSameSource = previous?.Config.Source == config.Source && previous.Config.Scheme == config.Scheme;
        return parts.Create(service, config, isSameSource ? previous!.Current : []);
    }

    /// <summary>Begins to ask the source. Not before the configuration goes live: validating it resolves nothing.</summary>
    public void Start()
    {
        lock (_lock)
        {
            if (_isStarted || _users == 0)
                return;
            _isStarted = true;
            _startedAt = Time.GetUtcNow();
            _patience = Time.CreateTimer(
                static s => ((InstanceDiscovery)s!).Miss(),
                this,
                Patience,
                System.Threading.Timeout.InfiniteTimeSpan
            );
        }

        _ = RunAsync();
    }

    /// <summary>Gives a service every change of the instances from now on.</summary>
    /// <param name="service">The service.</param>
    /// <param name="known">The instances that it was created with.</param>
    public void Attach(Service service, IReadOnlyList<InstanceConfig> known)
    {
        lock (_lock)
        {
            _services.Add(service);
            if (_current != known)
                service.Exchange(_current);
        }
    }

    /// <summary>Gives a service no further changes, and removes a user. The last one ends the queries.</summary>
    public void Detach(Service service)
    {
        lock (_lock)
        {
            _services.Remove(service);
            if (--_users > 0)
                return;
        }

        Dispose();
    }

    /// <summary>Ends the queries.</summary>
    public virtual void Dispose()
    {
        _patience?.Dispose();
        _ended.Cancel(); // not disposed: a query may still use it
    }

    /// <summary>Asks the source once.</summary>
    /// <exception cref="DiscoveryException">It does not answer, or the answer cannot be used.</exception>
    protected abstract Task<DiscoveryAnswer> QueryAsync(CancellationToken cancellation);

    /// <summary>Waits until it is time for the next query.</summary>
    protected virtual Task WaitAsync(TimeSpan delay, CancellationToken cancellation) => Task.Delay(delay, Time, cancellation);

    private InstanceDiscovery Share()
    {
        lock (_lock)
            _users++;
        return this;
    }

    private async Task RunAsync()
    {
        try
        {
            while (!_ended.IsCancellationRequested)
            {
                TimeSpan next;
                try
                {
                    var answer = await QueryAsync(_ended.Token).ConfigureAwait(false);
                    next = Take(answer) ? answer.Next : Retry();
                }
                catch (Exception e) when (!_ended.IsCancellationRequested)
                {
                    Fail(e is DiscoveryException ? e.Message : $"{e.GetType().Name}: {e.GetBaseException().Message}");
                    next = Retry();
                }

                await WaitAsync(next, _ended.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            // no longer needed
        }
    }

    /// <summary>Takes an answer; false if it has no instances.</summary>
    private bool Take(DiscoveryAnswer answer)
    {
        var (instances, isTooMany) = Ordered(answer.Instances, Config.MaxInstances);
        lock (_lock)
        {
            if (answer.Ignored != _ignored && answer.Ignored is { } ignored)
                DiscoveryLog.Ignored(_parts.Logger, _service, Config.Source, ignored);
            _ignored = answer.Ignored;
            if (instances.Count == 0)
            {
                Fail(answer.Ignored is null ? "the answer has no instances" : $"the answer has no usable instances: {answer.Ignored}");
                return false;
            }

            if (isTooMany && !_isTooMany)
                DiscoveryLog.TooMany(_parts.Logger, _service, Config.Source, answer.Instances.Count, Config.MaxInstances);
            _isTooMany = isTooMany;
            if (_error is not null && _answeredAt is not null)
                DiscoveryLog.Recovered(_parts.Logger, _service, Config.Source);
            _answeredAt = Time.GetUtcNow();
            (_error, _failures) = (null, 0);
            Publish_NeedsLock(instances);
            return true;
        }
    }

    private void Fail(string reason)
    {
        lock (_lock)
        {
            _failures++;
            _errors++;
            var isFirst = _error is null;
            _error = reason;
            if (isFirst && _current.Count > 0)
                DiscoveryLog.Failed(_parts.Logger, _service, Config.Source, _current.Count, reason);
            if (_current.Count == 0 || Left_NeedsLock() is not { Ticks: <= 0 })
                return;
            DiscoveryLog.Expired(_parts.Logger, _service, Config.Source, Scalars.Format(Config.KeepFor!.Value), reason);
            Publish_NeedsLock([]);
        }
    }

    private void Publish_NeedsLock(IReadOnlyList<InstanceConfig> instances)
    {
        if (_ended.IsCancellationRequested || instances.SequenceEqual(_current))
            return;
        var (added, removed) = (instances.Except(_current).Count(), _current.Except(instances).Count());
        Volatile.Write(ref _current, instances);
        foreach (var service in _services)
            service.Exchange(instances);
        if (instances.Count == 0)
            return;
        _first.TrySetResult();
        DiscoveryLog.Changed(_parts.Logger, _service, instances.Count, Config.Source, added, removed);
    }

    /// <summary>The time until the next query after a failure: exponential, with jitter, and not later than instances expire.</summary>
    private TimeSpan Retry()
    {
        lock (_lock)
        {
            var longest = FirstRetry > LongestRetry ? FirstRetry : LongestRetry;
            var delay = FirstRetry * Math.Pow(2, Math.Min(_failures - 1, 10));
            delay = (delay < longest ? delay : longest) * (0.5 + (_parts.Random.NextDouble() / 2));
            return _current.Count > 0 && Left_NeedsLock() is { } left && left < delay ? left : delay;
        }
    }

    /// <summary>How long the last instances are still used; <see langword="null"/> for without limit.</summary>
    private TimeSpan? Left_NeedsLock() => Config.KeepFor is { } keep ? keep - (Time.GetUtcNow() - (_answeredAt ?? _startedAt)) : null;

    private TimeSpan? Age_NeedsLock() =>
        _answeredAt is not { } at ? null
        : IsPushed && _error is null ? TimeSpan.Zero
        : Time.GetUtcNow() - at;

    private void Miss()
    {
        lock (_lock)
        {
            if (!_first.Task.IsCompleted && !_ended.IsCancellationRequested)
                DiscoveryLog.Missing(_parts.Logger, _service, Config.Source, Scalars.Format(Patience), _error ?? "no answer");
        }
    }

    /// <summary>Each address once, in a fixed order: the order of DNS records changes with every answer.</summary>
    private static (IReadOnlyList<InstanceConfig> Instances, bool IsTooMany) Ordered(IReadOnlyList<InstanceConfig> instances, int maximum)
    {
        var distinct = instances
            .DistinctBy(i => i.Address.OriginalString, StringComparer.OrdinalIgnoreCase)
            .OrderBy(i => i.Address.OriginalString, StringComparer.Ordinal)
            .ToList();
        return distinct.Count <= maximum ? (distinct, false) : (distinct[..maximum], true);
    }
}

/// <summary>The status of a service's discovery.</summary>
/// <param name="Service">The service.</param>
/// <param name="Source">Where its instances come from.</param>
/// <param name="AnsweredAt">The time of the last answer with instances; <see langword="null"/> before the first one.</param>
/// <param name="Error">Why the last query failed; <see langword="null"/> if it did not.</param>
/// <param name="Age">The age of the last answer; zero while a source that is watched has not changed.</param>
/// <param name="Errors">The number of failed queries.</param>
/// <param name="Instances">The number of instances.</param>
internal sealed record DiscoveryStatus(
    string Service,
    string Source,
    DateTimeOffset? AnsweredAt,
    string? Error,
    TimeSpan? Age,
    long Errors,
    int Instances
);
