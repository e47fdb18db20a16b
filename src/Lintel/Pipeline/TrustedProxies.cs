using System.Collections.Frozen;
using System.Net;
using Lintel.Carriers;
using Lintel.Config;
using Microsoft.AspNetCore.Http;

namespace Lintel.Pipeline;

/// <summary>The trusted proxies in front of the gateway. Derives the client's address and scheme from their forwarding headers.</summary>
internal sealed class TrustedProxies
{
    /// <summary>Longer chains are cut: far more than the proxies of any deployment.</summary>
    private const int MaxHops = 32;

    private readonly AddressRanges _ranges;
    private readonly bool _trustsUnix;
    private readonly FrozenSet<string> _fields;

    public TrustedProxies(IEnumerable<string> from)
        : this(new TrustedProxiesConfig { From = [.. from] }) { }

    public TrustedProxies(TrustedProxiesConfig config)
    {
        _trustsUnix = config.From.Contains(TrustedProxiesConfig.Unix);
        _ranges = new AddressRanges(config.From.Where(n => n != TrustedProxiesConfig.Unix), []);
        _fields = config.Fields.ToFrozenSet(StringComparer.OrdinalIgnoreCase);
        TrustsFor = TrustsField("X-Forwarded-For");
        TrustsForwarded = TrustsField("Forwarded");
        TrustsProto = TrustsField("X-Forwarded-Proto");
    }

    public bool TrustsFor { get; }

    public bool TrustsForwarded { get; }

    public bool TrustsProto { get; }

    /// <summary>Whether trusted proxies overwrite a field, so that it cannot come from the client.</summary>
    public bool TrustsField(string field) => _fields.Contains(field);

    /// <param name="address"><see langword="null"/> for a peer without one, behind a Unix socket.</param>
    public bool Trusts(IPAddress? address)
    {
        if (address is null)
            return _trustsUnix;
        return !_ranges.IsEmpty && _ranges.Find(address) == true;
    }

    /// <summary>
    /// The nearest address that is not a trusted proxy: read from the right, since every proxy appends the address it saw.
    /// </summary>
    public IPAddress? ClientAddress(IHeaderDictionary headers, IPAddress? peer)
    {
        if (peer is { IsIPv4MappedToIPv6: true })
            peer = peer.MapToIPv4();
        if (!Trusts(peer))
            return peer;
        var address = peer;
        var hops =
            TrustsFor ? Chain(headers["X-Forwarded-For"].ToString())
            : TrustsForwarded ? ForwardedChain.Parse(headers["Forwarded"])?.Nearest("for")
            : null;
        foreach (var text in (hops ?? []).Take(MaxHops))
        {
            if (!TryParse(text, out var hop))
                return address;
            address = hop;
            if (!Trusts(hop))
                return hop;
        }

        return address;
    }

    /// <summary>The scheme that the client used, as reported by a trusted peer.</summary>
    public string Scheme(ClientRequest request)
    {
        var said =
            TrustsProto ? request.Headers["X-Forwarded-Proto"].ToString()
            : TrustsForwarded ? ForwardedChain.Parse(request.Headers["Forwarded"])?.Nearest("proto").FirstOrDefault()
            : null;
        var nearest = said.AsSpan();
        nearest = nearest[(nearest.LastIndexOf(',') + 1)..].Trim();
        return nearest.Equals("https", StringComparison.OrdinalIgnoreCase) ? "https"
            : nearest.Equals("http", StringComparison.OrdinalIgnoreCase) ? "http"
            : request.Scheme;
    }

    /// <summary>The items of a list, from right to left.</summary>
    private static IEnumerable<string> Chain(string list)
    {
        for (var end = list.Length; end >= 0; )
        {
            var comma = end == 0 ? -1 : list.LastIndexOf(',', end - 1);
            var item = list.AsSpan((comma + 1)..end).Trim().ToString();
            if (item.Length > 0)
                yield return item;
            end = comma;
        }
    }

    /// <summary>An address, optionally with a port, as proxies write it.</summary>
    private static bool TryParse(string? text, out IPAddress address)
    {
        address = IPAddress.None;
        if (text is null || !IPEndPoint.TryParse(text, out var endpoint))
            return false;
        address = Peer.Plain(endpoint.Address)!;
        return true;
    }
}
