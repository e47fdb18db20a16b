namespace Lintel.Transport.Loop;

/// <summary>Why a loop's connections waited.</summary>
public enum StallCause
{
    /// <summary>A callback worked that long, or blocked.</summary>
    Callback,

    /// <summary>
    /// A callback whose code was compiled first, or any callback in the first seconds of the process: later ones of its kind are fast.
    /// </summary>
    WarmUp,

    /// <summary>The thread did not run: the process was stopped, or other work, or a CPU quota, had the processors.</summary>
    NoProcessor,
}

/// <summary>A callback that held a loop, and with it every connection of the loop.</summary>
/// <param name="Loop">Which loop.</param>
/// <param name="Held">For how long, up to now.</param>
/// <param name="Subject">What <see cref="EventLoop.Subject"/> was.</param>
/// <param name="IsOver">Whether the callback has ended; otherwise the loop is still blocked.</param>
/// <param name="Cause">What kept it.</param>
public sealed record LoopStall(int Loop, TimeSpan Held, object? Subject, bool IsOver, StallCause Cause);
