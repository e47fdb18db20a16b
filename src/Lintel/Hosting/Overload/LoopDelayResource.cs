using Lintel.Config;
using Lintel.Pipeline;

namespace Lintel.Hosting.Overload;

/// <summary>The time that work waits for its turn, in milliseconds: the longest over all event loops and the thread pool.</summary>
/// <param name="probes">One for each loop, and one for the pool.</param>
internal sealed class LoopDelayResource(IReadOnlyList<DelayProbe> probes) : IResource
{
    /// <inheritdoc/>
    public ScarceResource Kind => ScarceResource.LoopDelay;

    /// <inheritdoc/>
    public double? Most => null;

    /// <inheritdoc/>
    public double? LimitOf(OverloadConfig config) => config.LoopDelay?.TotalMilliseconds;

    /// <inheritdoc/>
    public double? Measure(double limit)
    {
        var longest = 0d;
        foreach (var probe in probes)
            longest = Math.Max(longest, probe.Measure());
        return longest;
    }
}
