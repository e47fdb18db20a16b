using Lintel.JmesPath;

namespace Lintel.Composition.Calls;

/// <summary>A request that performed a write, or may have, and can be undone.</summary>
/// <param name="Result">The result of the call that it belongs to.</param>
/// <param name="Item">The item that it was made for; null if the call has none.</param>
/// <param name="Items">The batch that it was made for; null if the call has none.</param>
/// <param name="Answer">The service's answer; null if there was none, or none that could be read.</param>
/// <param name="Order">Its position in the order in which such requests ended.</param>
internal sealed record PerformedWrite(CallResult Result, Value Item, Value Items, Value Answer, int Order)
{
    /// <summary>Whether it is unknown if it was performed: it was sent, and there is no answer.</summary>
    public bool IsUncertain { get; init; }

    /// <summary>Whether it is reported to the client as failed, though it was performed or may have been.</summary>
    public bool IsLost { get; set; }

    public bool IsSettled { get; set; }
}
