using Lintel.Pipeline;
using Lintel.Services;
using Lintel.Services.Balancing;
using Microsoft.Extensions.Primitives;

namespace Lintel.Composition.Calls;

/// <summary>
/// The instances that a composition's client is pinned to: the first one of each service that answers pins the calls that follow, and the
/// client by the composed answer's cookie.
/// </summary>
/// <remarks>Thread rule: any thread, by a lock; nothing is locked for services without affinity.</remarks>
internal sealed class CompositionPins(Exchange exchange)
{
    private readonly Lock _lock = new();
    private List<(Service Service, UInt128 Token, string Cookie)>? _pins;

    /// <summary>What the client's request, and the answers so far, say about the instance.</summary>
    public RequestKey KeyOf(Service service)
    {
        var key = service.KeyOf(exchange);
        if (service.Affinity is null)
            return key;
        lock (_lock)
            return _pins?.Find(p => p.Service == service) is (not null, var token, _) ? key with { Pin = token } : key;
    }

    /// <summary>Records the answer of an instance.</summary>
    public void Answered(Service service, Instance instance, RequestKey key)
    {
        if (service.Affinity is not { } affinity || service.PinTo(instance, key, exchange.IsHttps) is not { } cookie)
            return;
        lock (_lock)
        {
            if (_pins?.Exists(p => p.Service == service) != true)
                (_pins ??= []).Add((service, affinity.TokenOf(instance), cookie));
        }
    }

    /// <summary>Gives the cookies of the answers so far to the head of the composed answer.</summary>
    public void Settle()
    {
        lock (_lock)
        {
            if (_pins is not null)
                exchange.Cookies = new StringValues([.. _pins.Select(p => p.Cookie)]);
        }
    }
}
