using Lintel.Config;
using Lintel.Pipeline;

namespace Lintel.Hosting.Overload;

/// <summary>The CPU time of the last second, in percent of what the quota or the processors allow.</summary>
/// <param name="read">Reads the CPU time; of several limits the one that is used most counts.</param>
/// <param name="time">The clock.</param>
internal sealed class CpuResource(Func<List<CpuAmounts>> read, TimeProvider time) : IResource
{
    /// <summary>The time over which use is averaged: ten periods of the usual quota (100 ms).</summary>
    public static readonly TimeSpan Window = TimeSpan.FromSeconds(1);

    private readonly Queue<(long At, List<CpuAmounts> Amounts)> _samples = [];

    /// <inheritdoc/>
    public ScarceResource Kind => ScarceResource.Cpu;

    /// <inheritdoc/>
    public double? Most => 100;

    /// <inheritdoc/>
    public double? LimitOf(OverloadConfig config) => config.Cpu;

    /// <inheritdoc/>
    public double? Measure(double limit)
    {
        var (now, amounts) = (time.GetTimestamp(), read());
        if (_samples.TryPeek(out var oldest) && oldest.Amounts.Count != amounts.Count)
            _samples.Clear(); // a quota was set or removed
        while (_samples.Count > 1 && time.GetElapsedTime(_samples.ElementAt(1).At, now) >= Window)
            _samples.Dequeue();
        _samples.Enqueue((now, amounts));
        var (from, before) = _samples.Peek();
        var elapsed = time.GetElapsedTime(from, now);
        if (elapsed < Window)
            return null;
        var most = 0d;
        for (var i = 0; i < amounts.Count; i++)
            most = Math.Max(most, (amounts[i].Used - before[i].Used) / elapsed / amounts[i].Cores);
        return Math.Min(100, 100 * most);
    }
}
