using Lintel.JmesPath;

namespace Lintel.Composition.Calls;

/// <summary>A request that changed something, or may have, and can be undone.</summary>
/// <param name="Result">Whose request it was.</param>
/// <param name="Item">The item that it was made for; null where the call has none.</param>
/// <param name="Items">The batch that it was made for; null where the call has none.</param>
/// <param name="Answer">What the service answered; null where nothing came, or nothing that could be read.</param>
/// <param name="Order">Its place in the order in which such requests ended.</param>
internal sealed record PerformedWrite(CallResult Result, Value Item, Value Items, Value Answer, int Order)
{
    /// <summary>Whether nobody knows if it was done: it was sent, and there is no answer.</summary>
    public bool IsUncertain { get; init; }

    /// <summary>Whether the client is told that it failed, though it was done or may have been.</summary>
    public bool IsLost { get; set; }

    public bool IsSettled { get; set; }
}
