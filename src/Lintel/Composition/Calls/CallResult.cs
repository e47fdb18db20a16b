using Lintel.Composition.Answers;
using Lintel.Composition.Merge;
using Lintel.Composition.Plan;
using Lintel.Errors;

namespace Lintel.Composition.Calls;

/// <summary>The state of a call.</summary>
internal enum CallState
{
    /// <summary>It waits for calls that it needs.</summary>
    Waiting,

    /// <summary>It is in progress.</summary>
    Running,

    /// <summary>Its value is the service's answer.</summary>
    Succeeded,

    /// <summary>Its condition was not met; its value is null.</summary>
    Skipped,

    /// <summary>It failed; its value is that of its fallback.</summary>
    Failed,

    /// <summary>It was abandoned, because the composition failed or the client disconnected.</summary>
    Canceled,
}

/// <summary>The result of one call of a composed answer.</summary>
internal sealed class CallResult(PlannedCall call)
{
    public PlannedCall Call => call;

    public CallState State { get; set; }

    public JsonPart Part { get; set; } = JsonPart.Null;

    public GatewayError? Error { get; set; }

    /// <summary>The status of the service's answer; <see langword="null"/> if there was none, or there were many.</summary>
    public int? Status { get; set; }

    /// <summary>
    /// The source of the value of a failed call, or of a failed item: <c>stale</c> or <c>value</c>; <see langword="null"/> for a null
    /// value, and if nothing failed.
    /// </summary>
    public string? Source { get; set; }

    public TimeSpan Duration { get; set; }

    /// <summary>Its position in the order in which the calls ended.</summary>
    public int Order { get; set; }

    /// <summary>Whether its answer was shared with another call.</summary>
    public bool IsShared { get; set; }

    public bool WasHedged { get; set; }

    /// <summary>The number of items of a <c>forEach</c>; <see langword="null"/> for a single call.</summary>
    public int? Items { get; set; }

    /// <summary>The number of items that are null because their requests failed.</summary>
    public int FailedItems { get; set; }

    /// <summary>Whether all its writes were undone; <see langword="null"/> if nothing had to be undone.</summary>
    public bool? IsCompensated { get; set; }

    /// <summary>Whether a write was undone although it is unknown whether it was performed.</summary>
    public bool IsUncertain { get; set; }

    /// <summary>
    /// The writes that it performed, or may have performed, and that can be undone; <see langword="null"/> for none. May be added to from
    /// any thread.
    /// </summary>
    public List<PerformedWrite>? Writes { get; private set; }

    /// <summary>When the service wants the request to be retried, from its 503 or 429.</summary>
    public string? RetryAfter { get; set; }

    /// <summary>The instance of the last attempt, for the log.</summary>
    public string? Instance { get; set; }

    /// <summary>All answers of the service, for caching and for passing through.</summary>
    public List<CallAnswer> Answers { get; } = [];

    public void Add(PerformedWrite write)
    {
        lock (Answers)
            (Writes ??= []).Add(write);
    }

    /// <summary>Whether its value is complete.</summary>
    public bool IsWhole => State is CallState.Succeeded or CallState.Skipped && FailedItems == 0 && Source is null;

    /// <summary>Whether its failure is that of the composition: a required call, or a status that passes through.</summary>
    public bool IsDecisive =>
        State == CallState.Failed && (!Call.Config.Optional || (Status is { } status && Call.Passthrough.Contains(status)));
}
