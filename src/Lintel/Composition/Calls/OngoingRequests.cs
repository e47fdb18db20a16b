namespace Lintel.Composition.Calls;

/// <summary>A request to a service that is in progress and can be cut off.</summary>
internal abstract class OngoingRequest
{
    /// <summary>Cuts it off, from any thread: its awaiter gets a failure. Has no effect on a completed request.</summary>
    public abstract void CutOff();
}

/// <summary>
/// The requests that one composition has in progress: a client disconnect, or the failure of a required call, cuts them all off.
/// </summary>
/// <remarks>Thread rule: any thread; synchronized by a lock.</remarks>
internal sealed class OngoingRequests
{
    private readonly Lock _lock = new();
    private readonly List<OngoingRequest> _requests = [];
    private bool _isCutOff;

    public bool IsCutOff => Volatile.Read(ref _isCutOff);

    /// <returns>False if everything was already cut off: the request must not begin.</returns>
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

    /// <remarks>Outside the lock: a request that ends inline removes itself, and others may follow it.</remarks>
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
