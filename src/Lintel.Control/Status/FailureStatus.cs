using Lintel.Services;
using Lintel.Services.Breaking;

namespace Lintel.Control.Status;

/// <summary>The circuit breaker of a service.</summary>
internal sealed record BreakerStatus
{
    /// <summary><c>closed</c>, <c>open</c> or <c>halfOpen</c>.</summary>
    public required string State { get; init; }

    internal static BreakerStatus? Of(Service? service) =>
        service?.Breaker is { } breaker
            ? new()
            {
                State = breaker.State switch
                {
                    BreakerState.Open => "open",
                    BreakerState.HalfOpen => "halfOpen",
                    _ => "closed",
                },
            }
            : null;
}

/// <summary>The limit of requests in flight to a service.</summary>
internal sealed record BulkheadStatus
{
    /// <summary>The maximum number of attempts in flight.</summary>
    public required int Concurrent { get; init; }

    /// <summary>Attempts in flight.</summary>
    public required int InFlight { get; init; }

    /// <summary>Requests that wait for a place.</summary>
    public required int Queued { get; init; }

    internal static BulkheadStatus? Of(Service? service) =>
        service?.Bulkhead is { } bulkhead
            ? new()
            {
                Concurrent = bulkhead.Config.Concurrent,
                InFlight = bulkhead.Active,
                Queued = bulkhead.Queued,
            }
            : null;
}
