using Lintel.Carriers;
using Lintel.Config;
using Lintel.Errors;

namespace Lintel.Pipeline;

/// <summary>The properties of a listener that its requests need. Shared by all of them.</summary>
/// <param name="name">Its name in the configuration.</param>
/// <param name="config">Its settings.</param>
internal sealed class ListenerIdentity(string name, ListenerConfig config)
{
    private volatile GatewayError? _cut;

    public string Name { get; } = name;

    /// <summary>
    /// Why all connections of the listener were cut off, including those of QUIC; <see langword="null"/> while they are not.
    /// </summary>
    public GatewayError? Cut
    {
        get => _cut;
        set => _cut = value;
    }

    public ListenerLimitsConfig Limits { get; } = config.Limits;

    /// <summary>The listener's own trusted proxies; <see langword="null"/> for those of the whole gateway.</summary>
    public TrustedProxies? TrustedProxies { get; } = config.TrustedProxies is { } own ? new TrustedProxies(own) : null;
}

/// <summary>Serves a request.</summary>
/// <param name="request">The request.</param>
/// <param name="listener">The listener that received it.</param>
internal delegate Task RequestHandler(ClientRequest request, ListenerIdentity listener);

/// <summary>The origin of a request.</summary>
/// <param name="Listener">The listener that received it; <see langword="null"/> inside another host.</param>
/// <param name="Hosted">State that another host's middleware may have changed; <see langword="null"/> for the gateway's own
/// listeners.</param>
internal readonly record struct RequestOrigin(ListenerIdentity? Listener, HostedRequest? Hosted);
