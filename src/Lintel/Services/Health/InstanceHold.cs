namespace Lintel.Services.Health;

/// <summary>How an operator holds an instance back.</summary>
internal enum HoldKind
{
    /// <summary>No new requests, except those of clients that are pinned to it.</summary>
    Drained,

    /// <summary>No requests at all.</summary>
    Ejected,
}

/// <summary>An instance that an operator holds back. Independent of its health: checks go on, and neither ends the other.</summary>
/// <param name="Kind">How.</param>
/// <param name="Since">Since when.</param>
/// <param name="Reason">Why, in the operator's words; <see langword="null"/> for none.</param>
internal sealed record InstanceHold(HoldKind Kind, DateTimeOffset Since, string? Reason);
