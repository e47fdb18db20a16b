using System.Text.Json.Serialization;
using Lintel.Config;
using Lintel.Services;
using Lintel.Services.Health;

namespace Lintel.Control.Status;

/// <summary>The status of a service.</summary>
internal sealed record ServiceStatus
{
    /// <summary>The service's name in the configuration.</summary>
    public required string Name { get; init; }

    /// <summary>The HTTP version used with the instances.</summary>
    public required ServiceProtocol Protocol { get; init; }

    /// <summary>How an instance is chosen for a request.</summary>
    public required BalancingKind Balancing { get; init; }

    /// <summary>The <c>Host</c> that the instances receive: <c>request</c>, <c>instance</c>, or a name.</summary>
    public required string Host { get; init; }

    /// <summary>The effective timeouts, including defaults.</summary>
    public required ServiceTimeouts Timeouts { get; init; }

    /// <summary>The instances, in the configuration's order.</summary>
    public required IReadOnlyList<InstanceStatus> Instances { get; init; }

    /// <summary>
    /// Whether so few instances are available that all are used (<c>panic</c>); absent where their health is not checked.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public bool? IsPanicking { get; init; }

    /// <summary>Its circuit breaker; absent where none is configured.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public BreakerStatus? Breaker { get; init; }

    /// <summary>Its limit of requests in flight; absent where none is configured.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public BulkheadStatus? Limits { get; init; }

    internal static ServiceStatus Of(string name, ServiceConfig config, TimeoutsConfig defaults, Service? running) =>
        new()
        {
            Name = name,
            Protocol = config.Protocol,
            Balancing = config.Balancing,
            Host = config.Host,
            Timeouts = ServiceTimeouts.Of(config.Timeouts.Over(defaults)),
            Instances =
            [
                .. config.Instances.Select(i =>
                    InstanceStatus.Of(
                        i,
                        running is null ? null : Array.Find(running.Instances.All, r => r.Fits(i)),
                        config.Health is not null
                    )
                ),
            ],
            IsPanicking = config.Health is null ? null : running?.Instances.IsPanicking ?? false,
            Breaker = BreakerStatus.Of(running),
            Limits = BulkheadStatus.Of(running),
        };
}

/// <summary>The timeouts of a service.</summary>
/// <param name="Connect">For opening a connection, including TLS.</param>
/// <param name="Request">From the end of the request body to the response head, including all attempts.</param>
/// <param name="Idle">The maximum time without a byte in either direction.</param>
internal sealed record ServiceTimeouts(TimeSpan Connect, TimeSpan Request, TimeSpan Idle)
{
    internal static ServiceTimeouts Of((TimeSpan Connect, TimeSpan Request, TimeSpan Idle) inForce) =>
        new(inForce.Connect, inForce.Request, inForce.Idle);
}

/// <summary>One process of a service.</summary>
internal sealed record InstanceStatus
{
    /// <summary>The address: scheme, host, port, and the path that precedes that of every request.</summary>
    public required string Address { get; init; }

    /// <summary>Its weight relative to the other instances.</summary>
    public required int Weight { get; init; }

    /// <summary>The number of requests without a complete response.</summary>
    public required int RequestsInFlight { get; init; }

    /// <summary>Its health; absent where that is not checked.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public HealthStatus? Health { get; init; }

    internal static InstanceStatus Of(InstanceConfig config, Instance? running, bool isChecked) =>
        new()
        {
            // Without user and query: a configuration made in code may have them.
            Address = config.UnixPath is { } path
                ? "http://unix:" + path
                : config.Address.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped).TrimEnd('/'),
            Weight = config.Weight,
            RequestsInFlight = running?.Active ?? 0,
            Health = isChecked && running is not null ? HealthStatus.Of(running.Health) : null,
        };
}

/// <summary>The health of an instance.</summary>
internal sealed record HealthStatus
{
    /// <summary><c>available</c>, <c>unhealthy</c> (its active checks fail) or <c>ejected</c> (it failed clients' requests).</summary>
    public required string State { get; init; }

    /// <summary>Why it gets no requests; absent while it does.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Reason { get; init; }

    /// <summary>Since when it is in this state; absent where it has been since the start.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? Since { get; init; }

    /// <summary>When an ejected instance gets requests again; absent in other states.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? Until { get; init; }

    internal static HealthStatus Of(InstanceHealth health)
    {
        lock (health.Lock)
            return new HealthStatus
            {
                State = health.Unavailability switch
                {
                    Unavailability.Unhealthy => "unhealthy",
                    Unavailability.Ejected => "ejected",
                    _ => "available",
                },
                Reason = health.IsAvailable ? null : health.Reason,
                Since = health.Since,
                Until = health.EjectedUntil,
            };
    }
}
