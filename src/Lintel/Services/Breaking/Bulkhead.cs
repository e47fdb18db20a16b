using Lintel.Config;
using Lintel.Errors;
using Lintel.Services.Attempts;

namespace Lintel.Services.Breaking;

/// <summary>
/// Limits the attempts to a service that are in flight, with a bounded queue: one slow service cannot take everything that the gateway has.
/// </summary>
/// <remarks>Thread rule: any thread; one lock, held for a few instructions.</remarks>
internal sealed class Bulkhead(ServiceLimitsConfig config, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly LinkedList<TaskCompletionSource> _queue = [];
    private readonly ConcurrencyLimit? _adaptive = config.Adaptive ? new ConcurrencyLimit(config.Concurrent, time) : null;
    private int _active;

    public ServiceLimitsConfig Config => config;

    /// <summary>The adaptive limit; <see langword="null"/> if the configured one applies.</summary>
    public ConcurrencyLimit? Adaptive => _adaptive;

    /// <summary>The number of attempts that may be in flight now.</summary>
    public int Limit => _adaptive?.Current ?? config.Concurrent;

    /// <summary>Attempts in flight.</summary>
    public int Active => Volatile.Read(ref _active);

    /// <summary>Attempts in the queue.</summary>
    public int Queued
    {
        get
        {
            lock (_lock)
                return _queue.Count;
        }
    }

    /// <summary>The error of a refused attempt.</summary>
    public static GatewayError Full { get; } = new(GatewayErrorKind.ServiceBusy);

    /// <summary>Admits an attempt if a place is free and no other attempt waits for it. Followed by <see cref="Exit"/>.</summary>
    public bool TryEnter()
    {
        lock (_lock)
        {
            if (_active >= Limit || _queue.Count > 0)
            {
                _adaptive?.Refused();
                return false;
            }

            Enter_NeedsLock();
            return true;
        }
    }

    /// <summary>Waits in the queue for a place, first come, first served.</summary>
    /// <param name="left">The time left for the request; <see langword="null"/> for no limit.</param>
    /// <param name="cancellation">Ends the wait: the client has disconnected.</param>
    /// <returns><see langword="null"/> if admitted, to be followed by <see cref="Exit"/>.</returns>
    public async ValueTask<GatewayError?> WaitAsync(TimeSpan? left, CancellationToken cancellation)
    {
        var place = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        LinkedListNode<TaskCompletionSource> node;
        lock (_lock)
        {
            if (_active < Limit && _queue.Count == 0)
            {
                Enter_NeedsLock();
                return null;
            }

            if (_queue.Count >= config.Queue)
                return Full;
            node = _queue.AddLast(place);
        }

        await place
            .Task.WaitAsync(left < config.QueueTimeout ? left.Value : config.QueueTimeout, time, cancellation)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_lock)
        {
            if (place.Task.IsCompleted)
                return null; // admitted, perhaps in the moment in which the wait ended
            _queue.Remove(node);
        }

        return cancellation.IsCancellationRequested ? new GatewayError(GatewayErrorKind.ClientAborted) : Full;
    }

    /// <summary>Ends an admitted attempt: its place goes to the first in the queue, unless the limit has become lower.</summary>
    /// <param name="end">How it ended.</param>
    public void Exit(in AttemptEnd end)
    {
        lock (_lock)
        {
            _active--;
            _adaptive?.Ended(end, _active);
            while (_queue.First is { } first && _active < Limit)
            {
                _queue.RemoveFirst();
                Enter_NeedsLock();
                first.Value.SetResult();
            }
        }
    }

    private void Enter_NeedsLock()
    {
        _active++;
        _adaptive?.Entered(_active);
    }
}
