using System.Text.Json.Serialization;
using Lintel.Config;
using Lintel.Services;
using Lintel.Services.Discovery;

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

    /// <summary>What <c>consistentHash</c> hashes; absent for other algorithms.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? HashedBy { get; init; }

    /// <summary>The most requests in flight of an instance, in percent of the average; absent where they are not limited.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? BoundedLoad { get; init; }

    /// <summary>The time constant of <c>ewma</c>; absent for other algorithms.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public TimeSpan? Decay { get; init; }

    /// <summary>The name of the cookie that keeps clients on an instance; absent for none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? AffinityCookie { get; init; }

    /// <summary>The time in which the weight of a new instance grows; absent for none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public TimeSpan? SlowStart { get; init; }

    /// <summary>The zone whose instances are preferred; absent for none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Zone { get; init; }

    /// <summary>The share of available instances of the zone below which others get requests, in percent; absent without a zone.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? SpillOver { get; init; }

    /// <summary>The <c>Host</c> that the instances receive: <c>request</c>, <c>instance</c>, or a name.</summary>
    public required string Host { get; init; }

    /// <summary>The effective timeouts, including defaults.</summary>
    public required ServiceTimeouts Timeouts { get; init; }

    /// <summary>Where the instances are looked up; absent where they are configured.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ServiceDiscoveryStatus? Discovery { get; init; }

    /// <summary>The instances, in the configuration's order, or in the order of their addresses where they are looked up.</summary>
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

    internal static ServiceStatus Of(string name, ServiceConfig config, TimeoutsConfig defaults, Service? running)
    {
        var instances = running?.Instances; // once: it may be exchanged at any time
        return new()
        {
            Name = name,
            Protocol = config.Protocol,
            Balancing = config.Balancing.Kind,
            HashedBy = config.Balancing.ConsistentHash is { } hash ? HashOf(hash) : null,
            BoundedLoad = config.Balancing.ConsistentHash?.BoundedLoad,
            Decay = config.Balancing.Kind == BalancingKind.Ewma ? (config.Balancing.Ewma ?? new()).Decay : null,
            AffinityCookie = config.Affinity?.Cookie,
            SlowStart = config.SlowStart,
            Zone = config.Zone?.Own,
            SpillOver = config.Zone?.SpillOver,
            Host = config.Host,
            Timeouts = ServiceTimeouts.Of(config.Timeouts.Over(defaults)),
            Discovery = config.Discover is { } discover ? ServiceDiscoveryStatus.Of(discover, running?.Discovery?.Status) : null,
            Instances =
            [
                .. (running?.Discovery?.Current ?? config.Instances).Select(i =>
                    InstanceStatus.Of(
                        i,
                        instances,
                        instances is null ? null : Array.Find(instances.All, r => r.Fits(i)),
                        config.Health is not null
                    )
                ),
            ],
            IsPanicking = config.Health is null ? null : instances?.IsPanicking ?? false,
            Breaker = BreakerStatus.Of(running),
            Limits = BulkheadStatus.Of(running),
        };
    }

    private static string HashOf(ConsistentHashConfig hash) =>
        hash.Header is { } header ? "header " + header
        : hash.Cookie is { } cookie ? "cookie " + cookie
        : hash.Query is { } query ? "query parameter " + query
        : "client address";
}

/// <summary>Where the instances of a service are looked up.</summary>
internal sealed record ServiceDiscoveryStatus
{
    /// <summary>The kind of source and its name, such as <c>dns orders.internal:80</c>.</summary>
    public required string Source { get; init; }

    /// <summary>The time of the last answer with instances; absent before the first one.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? AnsweredAt { get; init; }

    /// <summary>
    /// Seconds since then; 0 while a file, or a source of the application, is watched and has not changed. Absent before the first answer.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? AgeSeconds { get; init; }

    /// <summary>Why the last lookup failed; absent if it did not. The instances of the last answer stay in use.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Error { get; init; }

    /// <summary>The number of lookups that failed or found none.</summary>
    public required long Errors { get; init; }

    internal static ServiceDiscoveryStatus Of(DiscoverConfig config, DiscoveryStatus? status) =>
        new()
        {
            Source = config.Source,
            AnsweredAt = status?.AnsweredAt,
            AgeSeconds = status?.Age is { } age ? Math.Round(age.TotalSeconds, 3) : null,
            Error = status?.Error,
            Errors = status?.Errors ?? 0,
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
