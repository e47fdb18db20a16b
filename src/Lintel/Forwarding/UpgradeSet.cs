using Lintel.Pipeline;

namespace Lintel.Forwarding;

/// <summary>The protocols that a route's requests may switch to.</summary>
/// <param name="protocols">Names, with a version or for all versions; case-insensitive.</param>
internal sealed class UpgradeSet(IEnumerable<string> protocols)
{
    /// <summary>The name that is sent to services.</summary>
    public const string WebSocket = "websocket";

    private readonly string[] _protocols = [.. protocols];

    /// <summary>The protocols of a route that configures none.</summary>
    public static UpgradeSet Default { get; } = new([WebSocket]);

    /// <summary>One of the protocols other than WebSocket; <see langword="null"/> if there is none.</summary>
    public string? Others => _protocols.FirstOrDefault(p => !p.Equals(WebSocket, StringComparison.OrdinalIgnoreCase));

    /// <summary>
    /// Returns the first allowed protocol of a request's list, as it is sent to the service; <see langword="null"/> for a request that does
    /// not switch protocols.
    /// </summary>
    public string? Choose(Exchange exchange)
    {
        if (exchange.IsExtendedConnect)
            return Allows(WebSocket) ? WebSocket : null;
        var asked = exchange.Request.Headers.Upgrade;
        if (asked.Count == 0 || !exchange.Request.IsUpgradable)
            return null;
        foreach (var list in asked)
        {
            foreach (var range in list.AsSpan().Split(','))
            {
                var protocol = list.AsSpan(range).Trim(" \t");
                if (Allows(protocol))
                    return protocol.Equals(WebSocket, StringComparison.OrdinalIgnoreCase) ? WebSocket : protocol.ToString();
            }
        }

        return null;
    }

    private bool Allows(ReadOnlySpan<char> protocol)
    {
        var slash = protocol.IndexOf('/');
        var name = slash < 0 ? protocol : protocol[..slash];
        foreach (var allowed in _protocols)
        {
            if (protocol.Equals(allowed, StringComparison.OrdinalIgnoreCase) || name.Equals(allowed, StringComparison.OrdinalIgnoreCase))
                return true;
        }

        return false;
    }
}
