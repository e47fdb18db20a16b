using System.Net;
using Lintel.Transport.Loop;
using Microsoft.AspNetCore.Http.Features;

namespace Lintel.Carriers;

/// <summary>An HTTP/1.1 connection of the gateway's own listeners. Caches the features that all of its requests share.</summary>
/// <remarks>
/// A feature look-up searches about forty types through a generic interface method, and a request would need half a dozen. Kestrel keeps
/// one context and one feature collection for the lifetime of a connection. Thread rule: one request at a time.
/// </remarks>
/// <param name="features">The connection's features.</param>
/// <param name="framing">Framing information about the current request, from the check of its bytes.</param>
internal sealed class ClientConnection(IFeatureCollection features, RequestFraming framing)
{
    private readonly IHttpRequestFeature _request = features.GetRequiredFeature<IHttpRequestFeature>();
    private readonly IHttpRequestBodyDetectionFeature? _body = features.Get<IHttpRequestBodyDetectionFeature>();

    public RequestFraming Framing { get; } = framing;

    /// <summary>The connection, if it runs on a loop.</summary>
    public LoopConnection? Loop { get; } = features.Get<LoopConnection>();

    /// <summary>The remote peer: the client, or a proxy in front of the gateway.</summary>
    public Peer Peer { get; } = new(features.Get<IHttpConnectionFeature>()?.RemoteIpAddress);

    /// <summary>The target of the current request, as it was received.</summary>
    public string RawTarget => _request.RawTarget;

    /// <summary>Whether the current request has a body.</summary>
    public bool HasBody => _body?.CanHaveBody ?? true;
}

/// <summary>The remote peer of a connection.</summary>
/// <param name="address">The remote address; <see langword="null"/> for a Unix socket.</param>
internal sealed class Peer(IPAddress? address)
{
    /// <summary>
    /// The address. IPv4-mapped IPv6 addresses are converted to IPv4, and the zone is removed, because it is meaningful on this machine
    /// only.
    /// </summary>
    public IPAddress? Address { get; } = Plain(address);

    /// <summary>The address as written in headers.</summary>
    public string Text => field ??= Address?.ToString() ?? "unknown";

    /// <summary>An address in the form that other machines can use.</summary>
    public static IPAddress? Plain(IPAddress? address) =>
        address switch
        {
            { IsIPv4MappedToIPv6: true } => address.MapToIPv4(),
            { AddressFamily: System.Net.Sockets.AddressFamily.InterNetworkV6, ScopeId: not 0 } => new IPAddress(address.GetAddressBytes()),
            _ => address,
        };
}
