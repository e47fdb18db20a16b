using Lintel.Config;
using Lintel.Errors;

namespace Lintel.Composition.Calls;

/// <summary>What one composition has used of its limits: requests, bytes received, bytes written.</summary>
/// <remarks>Thread rule: any thread.</remarks>
internal sealed class SpentLimits(ComposeLimitsConfig limits)
{
    private int _requests;
    private int _promised;
    private int _writes;
    private long _bytes;
    private long _sent;
    private volatile bool _isUnlimited;

    /// <summary>How many requests were sent.</summary>
    public int Requests => Volatile.Read(ref _requests);

    /// <summary>What services have answered so far, in bytes.</summary>
    public long BytesReceived => Volatile.Read(ref _bytes);

    /// <summary>
    /// How much may still be written of what is made of the answers, in bytes: a join, a shape or a request's body may hold one part many
    /// times.
    /// </summary>
    public long BytesLeftToSend => _isUnlimited ? long.MaxValue : Math.Max(0, limits.Total - Volatile.Read(ref _sent));

    /// <summary>Nothing is limited from now on: what follows undoes what was done.</summary>
    public void Unlimit() => _isUnlimited = true;

    public bool TryCountRequest() => Interlocked.Increment(ref _requests) <= limits.Requests || _isUnlimited;

    public bool TryCountBytes(int count) => Interlocked.Add(ref _bytes, count) <= limits.Total || _isUnlimited;

    public bool TryCountSent(long count) => Interlocked.Add(ref _sent, count) <= limits.Total || _isUnlimited;

    /// <summary>Lays requests aside that are to follow, before the first of them is sent.</summary>
    /// <returns>False where there are not as many left: then none should be sent.</returns>
    public bool TryPromise(int count)
    {
        if (Interlocked.Add(ref _promised, count) + Requests <= limits.Requests)
            return true;
        Interlocked.Add(ref _promised, -count);
        return false;
    }

    /// <summary>One of the requests that were laid aside is about to be sent.</summary>
    public void Redeem() => Interlocked.Decrement(ref _promised);

    /// <summary>The place of a write in the order in which they end.</summary>
    public int NextWrite() => Interlocked.Increment(ref _writes);

    /// <summary>What is made of the answers is longer than what may be written.</summary>
    public GatewayError TooLong() =>
        new(GatewayErrorKind.AnswerTooLarge, $"the data composed from the services' responses exceeds {limits.Total} bytes");
}
