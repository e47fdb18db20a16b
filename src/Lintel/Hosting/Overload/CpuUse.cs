namespace Lintel.Hosting.Overload;

/// <summary>CPU time that was used so far, and how much may be used.</summary>
/// <param name="Used">The CPU time since some beginning.</param>
/// <param name="Cores">The cores that may be busy at a time; a fraction if a quota says so.</param>
internal readonly record struct CpuAmounts(TimeSpan Used, double Cores);

/// <summary>
/// Reads the CPU time of the control groups that have a quota; without any, that of the process, which may use all of its processors.
/// </summary>
/// <param name="groups">The control groups of the process.</param>
/// <param name="process">Returns the CPU time of the process.</param>
internal sealed class CpuUse(ControlGroups groups, Func<CpuAmounts> process)
{
    private readonly ControlGroup[] _quotas = [.. groups.Find("cpu")];
    private readonly ControlGroup[] _counts = [.. groups.Find("cpuacct").Where(g => g.IsFirst)];

    /// <summary>Reads the amounts of each limited group, always in the same order, or of the process.</summary>
    public List<CpuAmounts> Read()
    {
        var limited = new List<CpuAmounts>();
        foreach (var group in _quotas)
        {
            if (CoresOf(group) is { } cores)
                limited.Add(new CpuAmounts(UsedBy(group) ?? process().Used, cores));
        }

        if (limited.Count == 0)
            limited.Add(process());
        return limited;
    }

    /// <summary>
    /// <c>cpu.max</c> is "MAX PERIOD" in microseconds, or "max PERIOD"; version 1 has a file for each, and -1 for no quota.
    /// </summary>
    private static double? CoresOf(ControlGroup group)
    {
        var (quota, period) =
            group.IsFirst ? (group.Number("cpu.cfs_quota_us"), group.Number("cpu.cfs_period_us"))
            : group.Line("cpu.max")?.Split(' ') is [var max, var each] ? (ControlGroups.Number(max), ControlGroups.Number(each))
            : (null, null);
        return quota > 0 && period > 0 ? (double)quota / period : null;
    }

    /// <summary>
    /// Version 1 counts in a controller of its own. Its groups are usually the same; if they are not, nobody but this process is known to
    /// use the quota.
    /// </summary>
    private TimeSpan? UsedBy(ControlGroup group)
    {
        if (!group.IsFirst)
            return group.Number("cpu.stat", "usage_usec") is { } microseconds ? TimeSpan.FromMicroseconds(microseconds) : null;
        var place = Array.FindIndex(_counts, c => c.Name == group.Name);
        return place >= 0 && _counts[place].Number("cpuacct.usage") is { } nanoseconds
            ? TimeSpan.FromTicks(nanoseconds / TimeSpan.NanosecondsPerTick)
            : null;
    }
}
