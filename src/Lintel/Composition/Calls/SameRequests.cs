namespace Lintel.Composition.Calls;

/// <summary>The requests of one composition by key: a call that repeats a request gets the answer of the first.</summary>
/// <remarks>Thread rule: any thread.</remarks>
internal sealed class SameRequests
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, TaskCompletionSource<FetchOutcome>> _requests = new(StringComparer.Ordinal);

    /// <summary>Whether the same request was already made; the first caller provides the answer for all others.</summary>
    public bool WasMade(string key, out TaskCompletionSource<FetchOutcome> outcome)
    {
        lock (_lock)
        {
            if (_requests.TryGetValue(key, out outcome!))
                return true;
            _requests[key] = outcome = new TaskCompletionSource<FetchOutcome>();
            return false;
        }
    }
}
