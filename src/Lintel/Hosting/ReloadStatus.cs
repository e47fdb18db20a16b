using Lintel.Config;

namespace Lintel.Hosting;

/// <summary>The outcome of an attempt to apply a configuration.</summary>
internal enum ReloadOutcome
{
    /// <summary>It is live.</summary>
    Applied,

    /// <summary>It is invalid or needs something that is not available; the gateway is still serving the previous one.</summary>
    Refused,
}

/// <summary>An attempt to apply a configuration.</summary>
internal sealed record ReloadStatus
{
    /// <summary>When it ended.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>The outcome: <c>applied</c> or <c>refused</c>.</summary>
    public required ReloadOutcome Outcome { get; init; }

    /// <summary>How long it took, in milliseconds.</summary>
    public required double DurationMs { get; init; }

    /// <summary>The number of problems; only the first 200 are listed.</summary>
    public required int ProblemCount { get; init; }

    /// <summary>The problems, in the order of files and lines.</summary>
    public required IReadOnlyList<ConfigProblem> Problems { get; init; }
}
