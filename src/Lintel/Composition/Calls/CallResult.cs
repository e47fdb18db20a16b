using Lintel.Composition.Answers;
using Lintel.Composition.Merge;
using Lintel.Composition.Plan;
using Lintel.Errors;

namespace Lintel.Composition.Calls;

/// <summary>How far a call is.</summary>
internal enum CallState
{
    /// <summary>What it needs is not there yet.</summary>
    Waiting,

    /// <summary>It is under way.</summary>
    Running,

    /// <summary>Its value is the service's answer.</summary>
    Succeeded,

    /// <summary>Its condition did not hold; its value is null.</summary>
    Skipped,

    /// <summary>It failed; its value is what its fallback says.</summary>
    Failed,

    /// <summary>It was given up, because the answer failed or the client left.</summary>
    Canceled,
}

/// <summary>How a call of one composed answer ended.</summary>
internal sealed class CallResult(PlannedCall call)
{
    public PlannedCall Call => call;

    public CallState State { get; set; }

    public JsonPart Part { get; set; } = JsonPart.Null;

    public GatewayError? Error { get; set; }

    /// <summary>The status that the service answered with; <see langword="null"/> where there was no answer, or there were many.</summary>
    public int? Status { get; set; }

    /// <summary>
    /// Where a failed call's value, or that of an item, comes from: <c>stale</c> or <c>value</c>; <see langword="null"/> for null, and
    /// where nothing failed.
    /// </summary>
    public string? Source { get; set; }

    public TimeSpan Duration { get; set; }

    /// <summary>Its place in the order in which the calls ended.</summary>
    public int Order { get; set; }

    /// <summary>Whether its answer was another call's too.</summary>
    public bool IsShared { get; set; }

    public bool WasHedged { get; set; }

    /// <summary>How many items a <c>forEach</c> had; <see langword="null"/> for a single call.</summary>
    public int? Items { get; set; }

    /// <summary>How many of them are null because their requests failed.</summary>
    public int FailedItems { get; set; }

    /// <summary>Whether all that it did was undone; <see langword="null"/> where nothing had to be.</summary>
    public bool? IsCompensated { get; set; }

    /// <summary>Whether something was undone of which nobody knows if it was done.</summary>
    public bool IsUncertain { get; set; }

    /// <summary>
    /// What it changed, or may have changed, and what can be undone; <see langword="null"/> for nothing. Added to from any thread.
    /// </summary>
    public List<PerformedWrite>? Writes { get; private set; }

    /// <summary>When the service wants to be asked again, as it said with a 503 or 429.</summary>
    public string? RetryAfter { get; set; }

    /// <summary>The instance that was asked last, for the log.</summary>
    public string? Instance { get; set; }

    /// <summary>Everything that the service answered, for caching and for passing on.</summary>
    public List<CallAnswer> Answers { get; } = [];

    public void Add(PerformedWrite write)
    {
        lock (Answers)
            (Writes ??= []).Add(write);
    }

    /// <summary>Whether its value is all that it should be.</summary>
    public bool IsWhole => State is CallState.Succeeded or CallState.Skipped && FailedItems == 0 && Source is null;

    /// <summary>Whether its failure is the answer's: that of a required call, or a status that passes through.</summary>
    public bool IsDecisive =>
        State == CallState.Failed && (!Call.Config.Optional || (Status is { } status && Call.Passthrough.Contains(status)));
}
