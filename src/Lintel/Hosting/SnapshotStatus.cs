using Lintel.Config;

namespace Lintel.Hosting;

/// <summary>What a gateway is about.</summary>
internal enum GatewayState
{
    /// <summary>It has no configuration yet.</summary>
    Starting,

    /// <summary>It serves requests.</summary>
    Serving,

    /// <summary>It is stopping: no new connections, requests in flight go on to their end.</summary>
    Draining,
}

/// <summary>The gateway and the configuration that it serves.</summary>
internal sealed record SnapshotStatus
{
    /// <summary>Lintel's version.</summary>
    public required string Version { get; init; }

    /// <summary>The gateway's name in <c>Via</c> and <c>Proxy-Status</c>; <see langword="null"/> where none is configured.</summary>
    public string? Name { get; init; }

    /// <summary>What it is about: <c>starting</c>, <c>serving</c> or <c>draining</c>.</summary>
    public required GatewayState State { get; init; }

    /// <summary>Why no requests should be sent here; empty when the gateway is ready.</summary>
    public required IReadOnlyList<string> NotReadyReasons { get; init; }

    /// <summary>When the gateway started.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>Seconds since then.</summary>
    public required double UptimeSeconds { get; init; }

    /// <summary>The drain that is going on; <see langword="null"/> while there is none.</summary>
    public DrainStatus? Drain { get; init; }

    /// <summary>When the configuration that is being served went live; <see langword="null"/> before the first one.</summary>
    public DateTimeOffset? LoadedAt { get; init; }

    /// <summary>The files that it was read from, included ones too, in alphabetical order. Empty where it comes from no file.</summary>
    public required IReadOnlyList<string> Files { get; init; }

    /// <summary>
    /// SHA-256 over its keys and values after overlays and expansion, credentials left out, whatever the order of keys: equal on nodes that
    /// have the same configuration. <see langword="null"/> where it was made in code.
    /// </summary>
    public string? Hash { get; init; }

    /// <summary>
    /// Whether the files hold something else now than when they were read last; <see langword="null"/> where it comes from no file.
    /// </summary>
    public bool? FilesDiffer { get; init; }

    /// <summary>The memory that everything that buffers takes from.</summary>
    public required MemoryStatus Memory { get; init; }

    /// <summary>How many of each thing it has.</summary>
    public required SnapshotCounts Counts { get; init; }

    /// <summary>How the last attempt to take a configuration ended; <see langword="null"/> before the first one.</summary>
    public ReloadStatus? LastReload { get; init; }

    /// <summary>
    /// The last good configuration that is served because the given files were not right at the start; <see langword="null"/> while the
    /// files themselves are.
    /// </summary>
    public FallbackStatus? Fallback { get; init; }
}

/// <summary>The memory that everything that buffers takes from.</summary>
/// <param name="LimitBytes">The most that may be held together.</param>
/// <param name="UsedBytes">What is held now.</param>
internal sealed record MemoryStatus(long LimitBytes, long UsedBytes);

/// <summary>The last good configuration, kept by <c>--fallback-last-good</c>.</summary>
/// <param name="FilePath">Where it is kept.</param>
/// <param name="SavedAt">When it went live for the first time.</param>
internal sealed record FallbackStatus(string FilePath, DateTimeOffset SavedAt);

/// <summary>How many of each thing a configuration has.</summary>
/// <param name="Listeners">Listeners, the default one included.</param>
/// <param name="Services">Services.</param>
/// <param name="Instances">Instances of all services.</param>
/// <param name="Routes">Routes.</param>
/// <param name="Policies">Policies.</param>
/// <param name="Clients">Clients.</param>
internal sealed record SnapshotCounts(int Listeners, int Services, int Instances, int Routes, int Policies, int Clients)
{
    internal static SnapshotCounts Of(GatewayConfig? config, int listeners) =>
        config is null
            ? new SnapshotCounts(0, 0, 0, 0, 0, 0)
            : new SnapshotCounts(
                listeners,
                config.Services.Count,
                config.Services.Values.Sum(s => s.Instances.Count),
                config.Routes.Count,
                config.Policies.Count,
                config.Clients.Count
            );
}

/// <summary>A drain: the gateway waits for requests in flight.</summary>
/// <param name="Since">When it began.</param>
/// <param name="Until">When requests that are still in flight are cut off.</param>
internal sealed record DrainStatus(DateTimeOffset Since, DateTimeOffset Until);

/// <summary>How an attempt to take a configuration ended.</summary>
internal enum ReloadOutcome
{
    /// <summary>It is live.</summary>
    Applied,

    /// <summary>It has a mistake or needs something that cannot be had; the one before goes on.</summary>
    Refused,
}

/// <summary>An attempt to take a configuration.</summary>
internal sealed record ReloadStatus
{
    /// <summary>When it ended.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>How it ended: <c>applied</c> or <c>refused</c>.</summary>
    public required ReloadOutcome Outcome { get; init; }

    /// <summary>How long it took, in milliseconds.</summary>
    public required double DurationMs { get; init; }

    /// <summary>The number of problems; only the first 200 are listed.</summary>
    public required int ProblemCount { get; init; }

    /// <summary>What is wrong, in the order of files and lines.</summary>
    public required IReadOnlyList<ConfigProblem> Problems { get; init; }
}
