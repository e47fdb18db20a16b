using Lintel.Config;

namespace Lintel.Control.Status;

/// <summary>A listener.</summary>
internal sealed record ListenerStatus
{
    /// <summary>The listener's name in the configuration; <c>default</c> if none is configured.</summary>
    public required string Name { get; init; }

    /// <summary>The configured address.</summary>
    public required string Address { get; init; }

    /// <summary>The addresses that it is bound to: the actual port if port 0 is configured. Empty once it is closed for a drain.</summary>
    public required IReadOnlyList<string> BoundAddresses { get; init; }

    /// <summary>The HTTP versions that it offers.</summary>
    public required IReadOnlyList<ListenerProtocol> Protocols { get; init; }

    internal static ListenerStatus Of(string name, ListenerConfig config, IReadOnlyList<(string Name, string Address)> bound) =>
        new()
        {
            Name = name,
            Address = config.Address.ToString(),
            BoundAddresses = [.. bound.Where(b => b.Name == name).Select(b => b.Address)],
            Protocols = config.Protocols,
        };
}
