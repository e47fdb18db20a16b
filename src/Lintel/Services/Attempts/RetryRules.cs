using Lintel.Config;

namespace Lintel.Services.Attempts;

/// <summary>The compiled form of a service's <c>retry</c>.</summary>
internal sealed class RetryRules
{
    /// <summary>
    /// Without <c>retry</c>: after three instances that cannot be connected the client should not wait for more.
    /// </summary>
    public static RetryRules Default { get; } = new();

    private readonly bool[] _statuses = new bool[600];
    private readonly uint _grpcStatuses;
    private readonly TimeSpan _base;
    private readonly TimeSpan _max;
    private readonly Random _random = Random.Shared;

    private RetryRules()
    {
        Most = 3;
        OnConnect = true;
    }

    public RetryRules(RetryConfig config, TimeProvider time, Random random)
    {
        Config = config;
        Most = config.Attempts;
        PerTry = config.PerTryTimeout;
        BufferUpTo = (int)config.BufferUpTo;
        Budget = new RetryBudget(config.Budget, time);
        (_base, _max, _random) = (config.Backoff.Base, config.Backoff.Max, random);
        foreach (var condition in config.On)
        {
            OnConnect |= condition == RetryCondition.Connect;
            OnReset |= condition == RetryCondition.Reset;
            OnTimeout |= condition == RetryCondition.Timeout;
            OnNotProcessed |= condition == RetryCondition.NotProcessed;
            if (condition.Status is { } status)
                _statuses[status] = true;
            if (condition.GrpcStatus is { } grpc)
                _grpcStatuses |= 1u << grpc;
            HasStatuses |= condition.Status is not null || condition.GrpcStatus is not null;
        }
    }

    /// <summary>The configuration; <see langword="null"/> for the default rules.</summary>
    public RetryConfig? Config { get; }

    /// <summary>The maximum number of attempts.</summary>
    public int Most { get; }

    /// <summary>Whether a connection that cannot be established is followed by another attempt.</summary>
    public bool OnConnect { get; }

    /// <summary>Whether a connection that ends before a response is.</summary>
    public bool OnReset { get; }

    /// <summary>Whether an attempt without a response in time is.</summary>
    public bool OnTimeout { get; }

    /// <summary>Whether a request that the instance reports as not processed is.</summary>
    public bool OnNotProcessed { get; }

    /// <summary>Whether responses of any status are.</summary>
    public bool HasStatuses { get; }

    /// <summary>Whether an attempt follows one that the instance may have processed.</summary>
    public bool RetriesWhatWasSent => OnReset || OnTimeout || OnNotProcessed || HasStatuses;

    /// <summary>The limit of an attempt, from the end of the request to the response head; <see langword="null"/> for none.</summary>
    public TimeSpan? PerTry { get; }

    /// <summary>The maximum length of a request body that is kept for another attempt.</summary>
    public int BufferUpTo { get; }

    /// <summary>The budget of retries; <see langword="null"/> if no attempt follows one that was sent.</summary>
    public RetryBudget? Budget { get; }

    /// <summary>Whether a response is followed by another attempt.</summary>
    /// <param name="status">Its status.</param>
    /// <param name="grpcStatus">Its <c>grpc-status</c>, if it is the head of a gRPC response without messages.</param>
    public bool Takes(int status, int? grpcStatus) =>
        (status < _statuses.Length && _statuses[status]) || (grpcStatus is >= 0 and < 17 && (_grpcStatuses >> grpcStatus.Value & 1) != 0);

    /// <summary>
    /// The wait before a retry: full jitter, that is a random time up to an exponentially growing bound, so that the retries of many
    /// requests spread (Envoy's formula).
    /// </summary>
    /// <param name="retry">The number of the retry, from 1.</param>
    public TimeSpan Backoff(int retry)
    {
        var bound = _base * ((1L << Math.Min(retry, 30)) - 1);
        return (bound < _max ? bound : _max) * _random.NextDouble();
    }
}
