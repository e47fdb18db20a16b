using Lintel.Pipeline;

namespace Lintel.Composition.Calls;

/// <summary>The time in which a client has to take what it is sent: what the answer is made of is held until it has it.</summary>
internal sealed class SendingLimit(Exchange exchange, TimeProvider time, TimeSpan limit)
{
    /// <summary>Whether the client was cut off because it did not take its answer in time.</summary>
    public bool IsOver { get; private set; }

    /// <summary>The client has the time for what is sent now, until the result is disposed of.</summary>
    public ITimer Begin() => time.CreateTimer(static limit => ((SendingLimit)limit!).End(), this, limit, Timeout.InfiniteTimeSpan);

    private void End()
    {
        IsOver = true;
        exchange.Request.Abort();
    }
}
