using System.Globalization;

namespace Lintel.Cli;

/// <summary>
/// What the machine lets the process have. The runtime raises the soft limit of descriptors to the hard one and keeps within the control
/// group's memory and cores by itself; this tells what came of it.
/// </summary>
/// <param name="Cores">Cores that the control group and the affinity leave.</param>
/// <param name="MemoryBytes">Memory that the garbage collector takes for all there is: of a control group with a limit, three quarters of
/// it.</param>
/// <param name="Descriptors">Sockets and files at a time; <see langword="null"/> where it is not known.</param>
/// <param name="Threads">Threads at a time; <see langword="null"/> where there is no limit, or it is not known.</param>
internal sealed record ProcessLimits(int Cores, long MemoryBytes, long? Descriptors, long? Threads = null)
{
    /// <summary>
    /// .NET 10 holds 200 to 250 for assemblies and itself, and an eighth is kept from clients: with fewer than this little or nothing is
    /// left for them.
    /// </summary>
    public const long FewestDescriptors = 512;

    /// <summary>Below this a gateway of a thousand or two clients runs out: a proxied request takes two.</summary>
    public const long FewDescriptors = 4096;

    public static ProcessLimits Read() =>
        new(
            Environment.ProcessorCount,
            GC.GetGCMemoryInfo().TotalAvailableMemoryBytes,
            ReadDescriptors("/proc/self/limits"),
            ThreadLimit.Read()
        );

    /// <summary>
    /// What is there before the first request: the runtime's own (collector, compiler, timers, signals), the event loops, one for each
    /// core, and a worker or two for each (about 30 with 2 cores, .NET 10). Fewer end in an abort.
    /// </summary>
    public long FewestThreads => 40 + (6L * Cores);

    /// <summary>
    /// A thread that cannot be made ends the process: the pool, which adds some while others block, must not come so far.
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
