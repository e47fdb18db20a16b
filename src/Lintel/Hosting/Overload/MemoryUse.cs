namespace Lintel.Hosting.Overload;

/// <summary>How much memory is used and may be used, in bytes.</summary>
/// <param name="Used">The bytes in use.</param>
/// <param name="Whole">The limit.</param>
internal readonly record struct MemoryAmounts(long Used, long Whole)
{
    /// <summary>The share that is used, in percent; 0 if the limit is unknown.</summary>
    public double Percent => Whole > 0 ? 100.0 * Used / Whole : 0;
}

/// <summary>
/// Determines the share of the available memory that is in use: of the control groups' limits, and of the heap's. Without a limited group
/// it is the process's share of the machine's memory.
/// </summary>
/// <param name="groups">The control groups of the process.</param>
/// <param name="process">Returns the memory of the process, and that of the machine.</param>
/// <param name="heap">Returns the bytes of the garbage-collected heap, and its limit. .NET sets it to three quarters of a group's limit: it
/// can be reached before that one is.</param>
internal sealed class MemoryUse(ControlGroups groups, Func<MemoryAmounts> process, Func<MemoryAmounts> heap)
{
    /// <summary>A larger limit of version 1 means none: it writes the largest number of pages.</summary>
    private const long NoLimit = 1L << 60;

    /// <summary>Groups do not change while a process runs; their limits may, and are read each time.</summary>
    private readonly ControlGroup[] _groups = [.. groups.Find("memory")];

    /// <summary>Returns the share of the memory closest to its limit, in percent.</summary>
    public double Percent()
    {
        var most = 0d;
        var isLimited = false;
        foreach (var group in _groups)
        {
            if (LimitOf(group) is not { } limit)
                continue;
            isLimited = true;
            most = Math.Max(most, PercentOf(group, limit));
        }

        return Math.Max(isLimited ? most : process().Percent, heap().Percent);
    }

    /// <summary>
    /// The limit of the group itself. Beyond <c>memory.high</c> the kernel slows a process down until it has little left to give.
    /// </summary>
    private static long? LimitOf(ControlGroup group)
    {
        if (group.IsFirst)
            return group.Number("memory.limit_in_bytes") is { } first and < NoLimit ? first : null;
        var (max, high) = (group.Number("memory.max"), group.Number("memory.high"));
        return max is null || high < max ? high : max;
    }

    /// <summary>
    /// Files that were read long ago are in the count, and the kernel drops them first: they are subtracted. That file is long, and only
    /// read if it can matter.
    /// </summary>
    private static double PercentOf(ControlGroup group, long limit)
    {
        var used = group.Number(group.IsFirst ? "memory.usage_in_bytes" : "memory.current") ?? 0;
        if (used > limit / 2)
            used -= group.Number("memory.stat", group.IsFirst ? "total_inactive_file" : "inactive_file") ?? 0;
        return new MemoryAmounts(used, limit).Percent;
    }
}
