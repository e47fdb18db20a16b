using System.Net;
using Lintel.Config;
using Lintel.Services.Connections;
using Microsoft.Extensions.Logging;

namespace Lintel.Services.Discovery;

/// <summary>The dependencies of the discovery of instances.</summary>
/// <param name="Time">The clock.</param>
/// <param name="Random">For jitter.</param>
/// <param name="Names">Resolves the host of Consul's address.</param>
/// <param name="Logger">The log.</param>
internal sealed record DiscoveryParts(TimeProvider Time, Random Random, NameResolver Names, ILogger Logger)
{
    /// <summary>Looks up DNS records: by the server of the configuration, or by those of the system.</summary>
    public Func<IPEndPoint?, IDnsQueries> Dns { get; init; } = server => server is null ? new SystemDns() : new DnsServers([server]);

    /// <summary>Replaces the connections to Consul; <see langword="null"/> except in tests.</summary>
    public Func<HttpMessageHandler>? Http { get; init; }

    /// <summary>Resolves the services of the application; <see langword="null"/> if it has no service discovery.</summary>
    public IHostEndpoints? Host { get; init; }

    /// <summary>Creates the discovery of a service for its configuration.</summary>
    /// <param name="service">The name of the service.</param>
    /// <param name="config">The configuration.</param>
    /// <param name="known">Instances that the same source has given before.</param>
    public InstanceDiscovery Create(string service, DiscoverConfig config, IReadOnlyList<InstanceConfig> known) =>
        config switch
        {
            { Dns: not null } => new DnsDiscovery(service, config, this, known),
            { DnsSrv: not null } => new SrvDiscovery(service, config, this, known),
            { Consul: not null } => new ConsulDiscovery(service, config, this, known),
            { File: not null } => new FileDiscovery(service, config, this, known),
            _ => new HostDiscovery(service, config, this, known),
        };
}

/// <summary>The answer of a source.</summary>
/// <param name="Instances">The instances, in any order.</param>
/// <param name="Next">When to ask again; at once if it is zero.</param>
internal readonly record struct DiscoveryAnswer(IReadOnlyList<InstanceConfig> Instances, TimeSpan Next)
{
    /// <summary>Entries that are not used, with the reason for the first of them; <see langword="null"/> for none.</summary>
    public string? Ignored { get; init; }
}

/// <summary>A source did not answer, or its answer cannot be used. The message has no text of the source itself.</summary>
internal sealed class DiscoveryException(string message, Exception? inner = null) : Exception(message, inner);
