using System.Security.Cryptography;
using Lintel.Observability.Metrics;
using Lintel.Services.Discovery;
using Lintel.Transport.Loop;

namespace Lintel.Services.Connections;

/// <summary>The dependencies that the connections of all services share.</summary>
/// <param name="Loops">The process's event loops; <see langword="null"/> if there are none.</param>
/// <param name="Names">The resolver of names.</param>
/// <param name="Metrics">Records every connection.</param>
/// <param name="Services">The dependencies of health, breaking and balancing.</param>
internal sealed record UpstreamDependencies(LoopGroup? Loops, NameResolver Names, GatewayMetrics Metrics, ServiceParts Services)
{
    /// <summary>
    /// The secret that affinity tokens are derived with where none is configured: random, the same for the process's life.
    /// </summary>
    public byte[] AffinityKey { get; } = RandomNumberGenerator.GetBytes(32);

    /// <summary>The dependencies of the discovery of instances; <see langword="null"/> if there is none.</summary>
    public DiscoveryParts? Discovery { get; init; }
}
