using System.Net;
using Microsoft.AspNetCore.Http;

namespace Lintel.Pipeline;

/// <summary>The proxies in front of the gateway whose word is taken, and the client's address that follows from it.</summary>
internal sealed class TrustedProxies
{
    /// <summary>Longer chains are cut: nobody has that many proxies of his own.</summary>
    private const int MaxHops = 32;

    private readonly IPNetwork[] _networks;

    public TrustedProxies(IEnumerable<string> networks) =>
        _networks = [.. networks.Select(n => n.Contains('/') ? IPNetwork.Parse(n) : new IPNetwork(IPAddress.Parse(n), IPAddress.Parse(n).GetAddressBytes().Length * 8))];

    public bool Trusts(IPAddress? address)
    {
        if (address is null || _networks.Length == 0)
            return false;
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        foreach (var network in _networks)
        {
            if (network.Contains(address))
                return true;
        }

        return false;
    }

    /// <summary>The nearest address that is no trusted proxy: read from the right, since every proxy appends what it saw.</summary>
    public IPAddress? ClientAddress(HttpRequest request, IPAddress? peer)
    {
        if (peer is { IsIPv4MappedToIPv6: true })
            peer = peer.MapToIPv4();
        if (!Trusts(peer))
            return peer;
        var chain = request.Headers["X-Forwarded-For"].ToString().Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        var address = peer;
        for (var i = chain.Length - 1; i >= 0 && chain.Length - i <= MaxHops; i--)
        {
            if (!TryParse(chain[i], out var hop))
                return address;
            address = hop;
            if (!Trusts(hop))
                return hop;
        }

        return address;
    }

    /// <summary>An address, optionally with a port, as proxies write it.</summary>
    private static bool TryParse(string text, out IPAddress address)
    {
        address = IPAddress.None;
        if (!IPEndPoint.TryParse(text, out var endpoint))
            return false;
        address = endpoint.Address.IsIPv4MappedToIPv6 ? endpoint.Address.MapToIPv4() : endpoint.Address;
        return true;
    }
}
