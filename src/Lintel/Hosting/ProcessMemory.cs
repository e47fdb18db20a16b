namespace Lintel.Hosting;

/// <summary>The memory available to this process.</summary>
internal static class ProcessMemory
{
    /// <summary>
    /// The total memory as the garbage collector sees it, in bytes: the machine's memory, three quarters of a control group's limit, or a
    /// configured heap limit.
    /// </summary>
    public static long Available => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
}
