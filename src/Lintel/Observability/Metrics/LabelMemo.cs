namespace Lintel.Observability.Metrics;

/// <summary>
/// A cache of the last label sets of a route's requests or an instance's attempts: nearly every request has the same labels as the previous
/// one.
/// </summary>
/// <remarks>
/// One place for each class of statuses, so that some 404s among the 200s do not keep driving them out. Thread rule: any thread; an entry
/// never changes, and the last writer wins.
/// </remarks>
/// <typeparam name="TOutcome">What the labels are made of.</typeparam>
internal sealed class LabelMemo<TOutcome>
    where TOutcome : struct, IEquatable<TOutcome>
{
    private readonly Entry?[] _entries = new Entry?[10];

    /// <summary>The labels of this outcome.</summary>
    /// <param name="outcome">How it ended.</param>
    /// <param name="status">The status; 0 if there is none.</param>
    /// <param name="make">Makes them.</param>
    public KeyValuePair<string, object?>[] Get(in TOutcome outcome, int status, Func<TOutcome, KeyValuePair<string, object?>[]> make)
    {
        ref var place = ref _entries[Math.Min(status / 100, _entries.Length - 1)];
        var entry = place;
        if (entry is null || !entry.Outcome.Equals(outcome))
            place = entry = new Entry(outcome, make(outcome));
        return entry.Labels;
    }

    private sealed class Entry(TOutcome outcome, KeyValuePair<string, object?>[] labels)
    {
        public readonly TOutcome Outcome = outcome;
        public readonly KeyValuePair<string, object?>[] Labels = labels;
    }
}
