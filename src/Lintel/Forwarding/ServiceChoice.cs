using System.Net;
using Lintel.Pipeline;
using Lintel.Services;

namespace Lintel.Forwarding;

/// <summary>Chooses the service for a route's request: its only one, or one of a weighted split.</summary>
internal sealed class ServiceChoice
{
    private readonly Service[] _services;
    private readonly long[] _upTo;
    private readonly bool _isSticky;
    private readonly Random _random;

    /// <param name="shares">Services and their shares, in declared order: a sticky client keeps its service as long as the shares before it
    /// do not change.</param>
    /// <param name="isSticky">Whether the client's address decides instead of a random number.</param>
    /// <param name="random">The source of random numbers.</param>
    public ServiceChoice(IReadOnlyList<(Service Service, int Share)> shares, bool isSticky, Random random)
    {
        _services = [.. shares.Where(s => s.Share > 0).Select(s => s.Service)];
        _isSticky = isSticky;
        _random = random;
        _upTo = new long[_services.Length];
        var sum = 0L;
        var index = 0;
        foreach (var (_, share) in shares.Where(s => s.Share > 0))
            _upTo[index++] = sum += share;
    }

    public Service Pick(Exchange exchange)
    {
        if (_services.Length == 1)
            return _services[0];
        var point = _isSticky ? (long)(Position(exchange.ClientAddress) * _upTo[^1]) : _random.NextInt64(_upTo[^1]);
        var found = Array.BinarySearch(_upTo, point);
        return _services[found >= 0 ? found + 1 : ~found];
    }

    /// <summary>Maps an address to a point from 0 to 1, the same on every node and after every restart.</summary>
    private static double Position(IPAddress? address)
    {
        Span<byte> bytes = stackalloc byte[16];
        var length = 0;
        address?.TryWriteBytes(bytes, out length);
        return (System.IO.Hashing.XxHash64.HashToUInt64(bytes[..length]) >> 11) * (1.0 / (1UL << 53));
    }
}
