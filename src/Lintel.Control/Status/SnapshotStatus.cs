using Lintel.Config;
using Lintel.Hosting;

namespace Lintel.Control.Status;

/// <summary>The state of a gateway.</summary>
internal enum GatewayState
{
    /// <summary>It has no configuration yet.</summary>
    Starting,

    /// <summary>It serves requests.</summary>
    Serving,

    /// <summary>It is stopping: no new connections, requests in flight are completed.</summary>
    Draining,
}

/// <summary>The status of the gateway and of its live configuration.</summary>
internal sealed record SnapshotStatus
{
    /// <summary>Lintel's version.</summary>
    public required string Version { get; init; }

    /// <summary>The gateway's name in <c>Via</c> and <c>Proxy-Status</c>; <see langword="null"/> if none is configured.</summary>
    public string? Name { get; init; }

    /// <summary>The state: <c>starting</c>, <c>serving</c> or <c>draining</c>.</summary>
    public required GatewayState State { get; init; }

    /// <summary>Why no requests should be sent to this gateway; empty when it is ready.</summary>
    public required IReadOnlyList<string> NotReadyReasons { get; init; }

    /// <summary>When the gateway started.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>Seconds since then.</summary>
    public required double UptimeSeconds { get; init; }

    /// <summary>The drain in progress; <see langword="null"/> while there is none.</summary>
    public DrainStatus? Drain { get; init; }

    /// <summary>When the live configuration went live; <see langword="null"/> before the first one.</summary>
    public DateTimeOffset? LoadedAt { get; init; }

    /// <summary>
    /// The files that it was read from, including included ones, in alphabetical order. Empty if it does not come from files.
    /// </summary>
    public required IReadOnlyList<string> Files { get; init; }

    /// <summary>
    /// SHA-256 over its keys and values after overlays and expansion, excluding credentials, independent of the order of keys: equal on
    /// nodes with the same configuration. <see langword="null"/> if it was made in code.
    /// </summary>
    public string? Hash { get; init; }

    /// <summary>Whether the files have changed since they were last read; <see langword="null"/> if it does not come from files.</summary>
    public bool? FilesDiffer { get; init; }

    /// <summary>The memory budget of everything that buffers.</summary>
    public required MemoryStatus Memory { get; init; }

    /// <summary>How short the gateway is of its own resources, and how many requests it sheds therefore.</summary>
    public required OverloadStatus Overload { get; init; }

    /// <summary>The number of objects of each kind.</summary>
    public required SnapshotCounts Counts { get; init; }

    /// <summary>The outcome of the last attempt to apply a configuration; <see langword="null"/> before the first one.</summary>
    public ReloadStatus? LastReload { get; init; }

    /// <summary>
    /// The last good configuration that is served because the given files were invalid at startup; <see langword="null"/> while the files
    /// themselves are served.
    /// </summary>
    public FallbackStatus? Fallback { get; init; }

    internal static SnapshotStatus Of(Gateway gateway)
    {
        var (loaded, drain, parts) = (gateway.Loaded, gateway.Drain, gateway.Parts);
        return new SnapshotStatus
        {
            Version = typeof(Gateway).Assembly.GetName().Version!.ToString(3),
            Name = loaded?.Config.Name,
            State =
                drain is not null ? GatewayState.Draining
                : loaded is null ? GatewayState.Starting
                : GatewayState.Serving,
            NotReadyReasons = gateway.NotReadyReasons,
            StartedAt = gateway.StartedAt,
            UptimeSeconds = Math.Round((parts.Time.GetUtcNow() - gateway.StartedAt).TotalSeconds, 3),
            Drain = drain,
            LoadedAt = loaded?.At,
            Files = loaded?.Files ?? [],
            Hash = loaded?.Hash,
            FilesDiffer = parts.Source.HasOtherContent(),
            Memory = new MemoryStatus(parts.Memory.Limit, parts.Memory.Used),
            Overload = OverloadStatus.Of(parts.Overload),
            Counts = SnapshotCounts.Of(
                loaded?.Config,
                gateway.HasListeners ? loaded?.Config.EffectiveListeners.Count ?? 0 : 0,
                parts.Services.Discoveries().Sum(d => d.Instances)
            ),
            LastReload = gateway.LastReload,
            Fallback = gateway.Fallback,
        };
    }
}

/// <summary>The memory budget of everything that buffers.</summary>
/// <param name="LimitBytes">The maximum that may be held in total.</param>
/// <param name="UsedBytes">The amount currently held.</param>
internal sealed record MemoryStatus(long LimitBytes, long UsedBytes);

/// <summary>The number of objects of each kind in a configuration.</summary>
/// <param name="Listeners">Listeners, including the default one.</param>
/// <param name="Services">Services.</param>
/// <param name="Instances">Instances of all services, configured and discovered.</param>
/// <param name="Routes">Routes.</param>
/// <param name="Policies">Policies.</param>
/// <param name="Clients">Clients.</param>
internal sealed record SnapshotCounts(int Listeners, int Services, int Instances, int Routes, int Policies, int Clients)
{
    internal static SnapshotCounts Of(GatewayConfig? config, int listeners, int discovered) =>
        config is null
            ? new SnapshotCounts(0, 0, 0, 0, 0, 0)
            : new SnapshotCounts(
                listeners,
                config.Services.Count,
                config.Services.Values.Sum(s => s.Instances.Count) + discovered,
                config.Routes.Count,
                config.Policies.Count,
                config.Clients.Count
            );
}
