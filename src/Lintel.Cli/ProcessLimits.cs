using System.Globalization;

namespace Lintel.Cli;

/// <summary>
/// The resource limits of the process. The runtime raises the soft limit of descriptors to the hard limit and stays within the memory and
/// cores of the control group; this reads the result.
/// </summary>
/// <param name="Cores">Cores available within the control group and the affinity.</param>
/// <param name="MemoryBytes">
/// Memory that the garbage collector considers available: in a control group with a limit, three quarters of it.
/// </param>
/// <param name="Descriptors">The limit of file descriptors; <see langword="null"/> if it is unknown.</param>
/// <param name="Threads">The limit of threads; <see langword="null"/> if there is no limit, or it is unknown.</param>
internal sealed record ProcessLimits(int Cores, long MemoryBytes, long? Descriptors, long? Threads = null)
{
    /// <summary>
    /// .NET 10 uses 200 to 250 for assemblies and itself, and an eighth is reserved: with fewer than this little or nothing is left for
    /// clients.
    /// </summary>
    public const long FewestDescriptors = 512;

    /// <summary>Below this a gateway with one or two thousand clients runs out of descriptors: a proxied request uses two.</summary>
    public const long FewDescriptors = 4096;

    public static ProcessLimits Read() =>
        new(
            Environment.ProcessorCount,
            GC.GetGCMemoryInfo().TotalAvailableMemoryBytes,
            ReadDescriptors("/proc/self/limits"),
            ThreadLimit.Read()
        );

    /// <summary>
    /// The threads before the first request: those of the runtime (collector, compiler, timers, signals), the event loops, one per core,
    /// and a worker or two each (about 30 with 2 cores, .NET 10). With fewer the process aborts.
    /// </summary>
    public long FewestThreads => 40 + (6L * Cores);

    /// <summary>
    /// The process aborts if a thread cannot be created: the pool, which adds threads while others block, must stay below the limit.
    /// </summary>
    public void KeepThreadPoolWithin()
    {
        if (Threads is not { } threads)
            return;
        ThreadPool.GetMaxThreads(out var most, out var completion);
        ThreadPool.GetMinThreads(out var least, out _);
        var room = (int)Math.Min(most, Math.Max(least, threads - FewestThreads + (2L * Cores)));
        if (room < most)
            ThreadPool.SetMaxThreads(room, completion);
    }

    public override string ToString() =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{Cores} {(Cores == 1 ? "core" : "cores")}, {MemoryBytes / (1024 * 1024)} MiB for the heap"
        )
        + (
            Descriptors is { } descriptors
                ? string.Create(
                    CultureInfo.InvariantCulture,
                    $", {descriptors} descriptors{(descriptors < FewDescriptors ? " (few: raise the limit)" : "")}"
                )
                : ""
        )
        + (
            Threads is { } threads
                ? string.Create(
                    CultureInfo.InvariantCulture,
                    $", {threads} threads{(threads < 2 * FewestThreads ? " (few: raise the limit)" : "")}"
                )
                : ""
        );

    private static long? ReadDescriptors(string file)
    {
        try
        {
            // "Max open files            20000                20000                files"
            var line = File.ReadLines(file).FirstOrDefault(l => l.StartsWith("Max open files", StringComparison.Ordinal));
            var soft = line?["Max open files".Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0];
            return long.TryParse(soft, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) ? limit : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // no Linux, or /proc is hidden
        }
    }
}
