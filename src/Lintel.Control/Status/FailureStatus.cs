using System.Text.Json.Serialization;
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
    /// <summary>The configured maximum of attempts in flight.</summary>
    public required int Concurrent { get; init; }

    /// <summary>The maximum that is found to be right now (<c>adaptive</c>); absent where the configured one applies.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Adaptive { get; init; }

    /// <summary>
    /// The latency of the service without load, in milliseconds, with which that maximum is found; absent without it, and while it is not
    /// known.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? NoLoadLatencyMs { get; init; }

    /// <summary>Attempts in flight.</summary>
    public required int InFlight { get; init; }

    /// <summary>Requests that wait for a place.</summary>
    public required int Queued { get; init; }

    internal static BulkheadStatus? Of(Service? service) =>
        service?.Bulkhead is { } bulkhead
            ? new()
            {
                Concurrent = bulkhead.Config.Concurrent,
                Adaptive = bulkhead.Adaptive?.Current,
                NoLoadLatencyMs = bulkhead.Adaptive?.NoLoad is { } latency ? Math.Round(latency.TotalMilliseconds, 3) : null,
                InFlight = bulkhead.Active,
                Queued = bulkhead.Queued,
            }
            : null;
}
