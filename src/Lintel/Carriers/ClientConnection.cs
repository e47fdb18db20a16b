using System.Net;
using Lintel.Transport.Loop;
using Microsoft.AspNetCore.Http.Features;

namespace Lintel.Carriers;

/// <summary>An HTTP/1.1 connection of our own listeners: what all of its requests have in common, asked for once.</summary>
/// <remarks>
/// A feature is looked up by its type among forty, and by an interface's generic method; a request would ask for half a dozen. Kestrel
/// keeps one context and one collection of features for a connection's life. Thread rule: one request at a time.
/// </remarks>
/// <param name="features">The connection's.</param>
/// <param name="framing">What the check of its bytes found out about the request at hand.</param>
internal sealed class ClientConnection(IFeatureCollection features, RequestFraming framing)
{
    private readonly IHttpRequestFeature _request = features.GetRequiredFeature<IHttpRequestFeature>();
    private readonly IHttpRequestBodyDetectionFeature? _body = features.Get<IHttpRequestBodyDetectionFeature>();

    public RequestFraming Framing { get; } = framing;

    /// <summary>The connection, where it lives on a loop.</summary>
    public LoopConnection? Loop { get; } = features.Get<LoopConnection>();

    /// <summary>Whom it comes from: the client, or a proxy before it.</summary>
    public Peer Peer { get; } = new(features.Get<IHttpConnectionFeature>()?.RemoteIpAddress);

    /// <summary>The target of the request at hand, as it was received.</summary>
    public string RawTarget => _request.RawTarget;

    /// <summary>Whether the request at hand has a body.</summary>
    public bool HasBody => _body?.CanHaveBody ?? true;
}

/// <summary>Whom a connection comes from.</summary>
/// <param name="address"><see langword="null"/> for a Unix socket.</param>
internal sealed class Peer(IPAddress? address)
{
    /// <summary>
    /// The address; that of IPv4 where the listener sees it as one of IPv6, and without a zone, which means something on this machine
    /// alone.
    /// </summary>
    public IPAddress? Address { get; } = Plain(address);

    /// <summary>The address as headers tell it.</summary>
    public string Text => field ??= Address?.ToString() ?? "unknown";

    /// <summary>An address as others may know it.</summary>
    public static IPAddress? Plain(IPAddress? address) =>
        address switch
        {
            { IsIPv4MappedToIPv6: true } => address.MapToIPv4(),
            { AddressFamily: System.Net.Sockets.AddressFamily.InterNetworkV6, ScopeId: not 0 } => new IPAddress(address.GetAddressBytes()),
            _ => address,
        };
}
