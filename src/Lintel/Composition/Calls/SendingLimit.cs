using Lintel.Pipeline;

namespace Lintel.Composition.Calls;

/// <summary>The time limit for a client to receive its answer: the memory of the answer is held until then.</summary>
internal sealed class SendingLimit(Exchange exchange, TimeProvider time, TimeSpan limit)
{
    /// <summary>Whether the client was cut off because it did not receive its answer in time.</summary>
    public bool IsOver { get; private set; }

    /// <summary>Starts the time limit for what is sent now, until the result is disposed.</summary>
    public ITimer Begin() => time.CreateTimer(static limit => ((SendingLimit)limit!).End(), this, limit, Timeout.InfiniteTimeSpan);

    private void End()
    {
        IsOver = true;
        exchange.Request.Abort();
    }
}
