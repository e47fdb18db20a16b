using Lintel.Config.Grammars;

namespace Lintel.Config;

/// <summary>Prefers the instances of the gateway's own zone.</summary>
public sealed record ZoneConfig
{
    /// <summary>The gateway's zone: one that instances name as their <c>zone</c>.</summary>
    public required string Own { get; init; }

    /// <summary>
    /// The share of available instances of the own zone, in percent, from which on it gets all requests. Below it, it gets
    /// <c>available / spillOver</c> of them, and the other zones get the rest. Default 70 (Envoy's overprovisioning factor of 1.4), 0 to
    /// 100; 0 stays in the zone as long as one of its instances is available.
    /// </summary>
    public double SpillOver { get; init; } = 70;

    internal static Grammar<ZoneConfig> Grammar { get; } =
        new RecordGrammar<ZoneConfig>(static f => new ZoneConfig
        {
            Own = f.Require("own", Scalars.Name),
            SpillOver = f.Get("spillOver", Scalars.Percent, 70),
        });
}
