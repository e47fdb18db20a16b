using Lintel.Config;
using Lintel.Errors;

namespace Lintel.Composition.Calls;

/// <summary>The consumption of one composition's limits: requests, bytes received, bytes written.</summary>
/// <remarks>Thread rule: any thread.</remarks>
internal sealed class SpentLimits(ComposeLimitsConfig limits)
{
    private int _requests;
    private int _promised;
    private int _writes;
    private long _bytes;
    private long _sent;
    private volatile bool _isUnlimited;

    /// <summary>The number of requests sent.</summary>
    public int Requests => Volatile.Read(ref _requests);

    /// <summary>The number of bytes received from services so far.</summary>
    public long BytesReceived => Volatile.Read(ref _bytes);

    /// <summary>
    /// The number of bytes that may still be written from the answers: a join, a shape or a request body may contain one part many times.
    /// </summary>
    public long BytesLeftToSend => _isUnlimited ? long.MaxValue : Math.Max(0, limits.Total - Volatile.Read(ref _sent));

    /// <summary>Removes all limits: what follows undoes writes.</summary>
    public void Unlimit() => _isUnlimited = true;

    public bool TryCountRequest() => Interlocked.Increment(ref _requests) <= limits.Requests || _isUnlimited;

    public bool TryCountBytes(int count) => Interlocked.Add(ref _bytes, count) <= limits.Total || _isUnlimited;

    public bool TryCountSent(long count) => Interlocked.Add(ref _sent, count) <= limits.Total || _isUnlimited;

    /// <summary>Reserves requests in advance, before the first of them is sent.</summary>
    /// <returns>False if fewer are left: then none should be sent.</returns>
    public bool TryPromise(int count)
    {
        if (Interlocked.Add(ref _promised, count) + Requests <= limits.Requests)
            return true;
        Interlocked.Add(ref _promised, -count);
        return false;
    }

    /// <summary>Releases one reservation, because its request is about to be sent.</summary>
    public void Redeem() => Interlocked.Decrement(ref _promised);

    /// <summary>Returns the next position in the order in which writes end.</summary>
    public int NextWrite() => Interlocked.Increment(ref _writes);

    /// <summary>Returns the error of an output that is longer than allowed.</summary>
    public GatewayError TooLong() =>
        new(GatewayErrorKind.AnswerTooLarge, $"the data composed from the services' responses exceeds {limits.Total} bytes");
}
