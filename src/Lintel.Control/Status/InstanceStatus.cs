using System.Text.Json.Serialization;
using Lintel.Config;
using Lintel.Services;
using Lintel.Services.Balancing;
using Lintel.Services.Health;

namespace Lintel.Control.Status;

/// <summary>One process of a service.</summary>
internal sealed record InstanceStatus
{
    /// <summary>The address: scheme, host, port, and the path that precedes that of every request.</summary>
    public required string Address { get; init; }

    /// <summary>Its weight relative to the other instances.</summary>
    public required int Weight { get; init; }

    /// <summary>Its zone; absent for none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Zone { get; init; }

    /// <summary>Its level: it gets requests if too few instances of lower numbers are available.</summary>
    public required int Priority { get; init; }

    /// <summary>The part of new requests that it is assigned now, in percent; absent if the service is not running.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? Share { get; init; }

    /// <summary>
    /// What changes its share: <c>unavailable</c>, <c>panic</c>, <c>slow-start</c>, <c>priority</c>, <c>zone</c>, <c>drained</c> or
    /// <c>held</c> (ejected by hand); absent if its weight alone decides.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? ShareReason { get; init; }

    /// <summary>The number of requests without a complete response.</summary>
    public required int RequestsInFlight { get; init; }

    /// <summary>Its health; absent where that is not checked.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public HealthStatus? Health { get; init; }

    /// <summary>How an operator holds it back; absent if nobody does.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public HoldStatus? Hold { get; init; }

    /// <summary>The address as it is shown: without user and query, which a configuration made in code may have.</summary>
    internal static string AddressOf(InstanceConfig config) =>
        config.UnixPath is { } path
            ? "http://unix:" + path
            : config.Address.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped).TrimEnd('/');

    /// <param name="config">The settings of the instance.</param>
    /// <param name="running">The instances of the running service; <see langword="null"/> if it does not run.</param>
    /// <param name="instance">The running instance; <see langword="null"/> if it does not run.</param>
    /// <param name="isChecked">Whether its health is checked.</param>
    internal static InstanceStatus Of(InstanceConfig config, InstanceSet? running, Instance? instance, bool isChecked)
    {
        var place = instance is null ? -1 : Array.IndexOf(running!.All, instance);
        var share = place < 0 ? (InstanceShare?)null : running!.Shares.Of[place];
        return new()
        {
            Address = AddressOf(config),
            Weight = config.Weight,
            Zone = config.Zone,
            Priority = config.Priority,
            Share = share is { } of ? Math.Round(100 * of.Fraction, 2) : null,
            ShareReason = share?.Reason switch
            {
                Services.Balancing.ShareReason.Unavailable => "unavailable",
                Services.Balancing.ShareReason.Panic => "panic",
                Services.Balancing.ShareReason.SlowStart => "slow-start",
                Services.Balancing.ShareReason.Priority => "priority",
                Services.Balancing.ShareReason.Zone => "zone",
                Services.Balancing.ShareReason.Drained => "drained",
                Services.Balancing.ShareReason.Held => "held",
                _ => null,
            },
            RequestsInFlight = instance?.Active ?? 0,
            Health = isChecked && instance is not null ? HealthStatus.Of(instance.Health) : null,
            Hold = instance?.Health.Hold is { } hold ? HoldStatus.Of(hold) : null,
        };
    }
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

/// <summary>How an operator holds an instance back.</summary>
internal sealed record HoldStatus
{
    /// <summary><c>drained</c>: only clients that are pinned to it reach it; <c>ejected</c>: nobody does.</summary>
    public required string State { get; init; }

    /// <summary>Since when.</summary>
    public required DateTimeOffset Since { get; init; }

    /// <summary>Why, in the operator's words; absent if no reason was given.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Reason { get; init; }

    internal static HoldStatus Of(InstanceHold hold) =>
        new()
        {
            State = hold.Kind == HoldKind.Drained ? "drained" : "ejected",
            Since = hold.Since,
            Reason = hold.Reason,
        };
}
