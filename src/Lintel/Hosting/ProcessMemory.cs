namespace Lintel.Hosting;

/// <summary>What the system lets this process have.</summary>
internal static class ProcessMemory
{
    /// <summary>
    /// What the garbage collector takes for all there is, in bytes: the machine's memory, three quarters of a control group's limit, or a
    /// heap limit that somebody set.
    /// </summary>
    public static long Available => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
}
