namespace Lintel.Composition.Calls;

/// <summary>The requests of one composition by their keys: who makes the same again gets the first one's answer.</summary>
/// <remarks>Thread rule: any thread.</remarks>
internal sealed class SameRequests
{
    private readonly Lock _lock = new();
    private Dictionary<string, TaskCompletionSource<FetchOutcome>>? _requests;

    /// <summary>Whether the same request was made already; who makes it first answers all others.</summary>
    public bool WasMade(string key, out TaskCompletionSource<FetchOutcome> outcome)
    {
        lock (_lock)
        {
            _requests ??= new Dictionary<string, TaskCompletionSource<FetchOutcome>>(StringComparer.Ordinal);
            if (_requests.TryGetValue(key, out outcome!))
                return true;
            _requests[key] = outcome = new TaskCompletionSource<FetchOutcome>();
            return false;
        }
    }
}
