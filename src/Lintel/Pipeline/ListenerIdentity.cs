using Lintel.Carriers;
using Lintel.Config;
using Lintel.Errors;

namespace Lintel.Pipeline;

/// <summary>The listener that took a request, as far as requests need to know it. One for all of its requests.</summary>
/// <param name="name">Its name in the configuration.</param>
/// <param name="config">Its settings.</param>
internal sealed class ListenerIdentity(string name, ListenerConfig config)
{
    private volatile GatewayError? _cut;

    public string Name { get; } = name;

    /// <summary>Why all of its connections were cut off, those of QUIC too; <see langword="null"/> while they were not.</summary>
    public GatewayError? Cut
    {
        get => _cut;
        set => _cut = value;
    }

    public ListenerLimitsConfig Limits { get; } = config.Limits;

    /// <summary>Whose forwarding headers are believed here; <see langword="null"/> for those of the whole gateway.</summary>
    public TrustedProxies? TrustedProxies { get; } = config.TrustedProxies is { } own ? new TrustedProxies(own) : null;
}

/// <summary>Serves a request.</summary>
/// <param name="request">The request.</param>
/// <param name="listener">The listener that took it.</param>
internal delegate Task RequestHandler(ClientRequest request, ListenerIdentity listener);

/// <summary>Where a request comes from.</summary>
/// <param name="Listener">The listener that took it; <see langword="null"/> for another host's.</param>
/// <param name="Hosted">What the middleware of another host may have changed; <see langword="null"/> for our own listeners.</param>
internal readonly record struct RequestOrigin(ListenerIdentity? Listener, HostedRequest? Hosted);
