namespace Lintel.Pipeline;

/// <summary>What the gateway itself can be short of. Named as the keys of <c>overload</c>.</summary>
internal enum ScarceResource
{
    /// <summary>Memory of the process or of its control group.</summary>
    Memory,

    /// <summary>Turns of the event loops and of the thread pool.</summary>
    LoopDelay,

    /// <summary>CPU time.</summary>
    Cpu,
}
