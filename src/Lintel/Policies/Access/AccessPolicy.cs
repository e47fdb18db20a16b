using System.Net;
using Lintel.Config;
using Lintel.Errors;
using Lintel.Pipeline;

namespace Lintel.Policies.Access;

/// <summary>Phase 2: refuses clients with an address that is not allowed.</summary>
internal sealed class AccessPolicy(AccessConfig config) : Policy, IAdmitting
{
    private const string NoAddress = "the client has no IP address";

    private readonly AddressRanges _ranges = new(config.Allow.Where(IsRange), config.Deny.Where(IsRange));
    private readonly bool _admitsOthers = config.Allow.Count == 0;
    private readonly bool _admitsUnix =
        config.Allow.Contains(TrustedProxiesConfig.Unix) && !config.Deny.Contains(TrustedProxiesConfig.Unix);

    public ValueTask<GatewayError?> AdmitAsync(Exchange exchange) =>
        new(
            Admits(exchange.ClientAddress)
                ? null
                : new GatewayError(GatewayErrorKind.AccessDenied, exchange.ClientAddress is null ? NoAddress : null)
        );

    /// <summary>
    /// Whether a client is allowed. A client without an address is allowed only by an explicit entry, because no range can contain it.
    /// </summary>
    public bool Admits(IPAddress? address) => address is null ? _admitsUnix : _ranges.Find(address) ?? _admitsOthers;

    private static bool IsRange(string text) => text != TrustedProxiesConfig.Unix;
}
