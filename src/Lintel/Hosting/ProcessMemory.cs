namespace Lintel.Hosting;

/// <summary>The memory available to this process.</summary>
internal static class ProcessMemory
{
    /// <summary>
    /// The total memory as the garbage collector sees it, in bytes: the machine's memory, three quarters of a control group's limit, or a
    /// configured heap limit.
    /// </summary>
    public static long Available => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    /// <summary>The memory of the machine, in bytes, whatever limits this process has; of the process if it is unknown.</summary>
    public static long OfMachine()
    {
        // "MemTotal:       16371084 kB"
        var line = ControlGroups.Lines("/proc/meminfo").FirstOrDefault(l => l.StartsWith("MemTotal:", StringComparison.Ordinal));
        var kibibytes = ControlGroups.Number(line?["MemTotal:".Length..].Replace("kB", "", StringComparison.Ordinal).Trim());
        return kibibytes * 1024 ?? Available;
    }
}
