namespace Lintel.Composition.Calls;

/// <summary>A request to a service that is under way and can be cut off.</summary>
internal abstract class OngoingRequest
{
    /// <summary>Ends it, from any thread: who waits for it gets a failure. Does nothing to one that is over.</summary>
    public abstract void CutOff();
}

/// <summary>
/// The requests that one composed answer has under way: a client that leaves, or a required call that fails, ends them all.
/// </summary>
/// <remarks>Thread rule: any thread; a lock orders them.</remarks>
internal sealed class OngoingRequests
{
    private readonly Lock _lock = new();
    private readonly List<OngoingRequest> _requests = [];
    private bool _isCutOff;

    public bool IsCutOff => Volatile.Read(ref _isCutOff);

    /// <returns>False when everything was cut off already: the request must not begin.</returns>
    public bool TryAdd(OngoingRequest request)
    {
        lock (_lock)
        {
            if (_isCutOff)
                return false;
            _requests.Add(request);
            return true;
        }
    }

    public void Remove(OngoingRequest request)
    {
        lock (_lock)
            _requests.Remove(request);
    }

    /// <remarks>Outside the lock: a request that ends inline takes itself out, and others may follow it.</remarks>
    public void CutOffAll()
    {
        OngoingRequest[] all;
        lock (_lock)
        {
            Volatile.Write(ref _isCutOff, true);
            all = [.. _requests];
        }

        foreach (var request in all)
            request.CutOff();
    }
}
