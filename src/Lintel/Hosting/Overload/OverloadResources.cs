using Lintel.Transport.Loop;

namespace Lintel.Hosting.Overload;

/// <summary>The resources of this process.</summary>
internal static class OverloadResources
{
    /// <summary>Creates those that can be measured here.</summary>
    /// <param name="groups">The control groups of the process.</param>
    /// <param name="loops">The event loops, if there are any.</param>
    /// <param name="time">The clock.</param>
    public static IReadOnlyList<IResource> Create(ControlGroups groups, LoopGroup? loops, TimeProvider time)
    {
        var machine = ProcessMemory.OfMachine();
        var memory = new MemoryUse(
            groups,
            () => new MemoryAmounts(Environment.WorkingSet, machine),
            static () => new MemoryAmounts(GC.GetTotalMemory(forceFullCollection: false), ProcessMemory.Available)
        );
        var cpu = new CpuUse(groups, static () => new CpuAmounts(Environment.CpuUsage.TotalTime, Environment.ProcessorCount));
        return
        [
            new MemoryResource(memory.Percent, time, LoadPeakWatch.CollectAsync),
            new LoopDelayResource([
                .. (loops?.Loops ?? []).Select(l => new DelayProbe(time, l.Probe)),
                new DelayProbe(time, static p => ThreadPool.UnsafeQueueUserWorkItem(p, preferLocal: false)),
            ]),
            new CpuResource(cpu.Read, time),
        ];
    }
}
