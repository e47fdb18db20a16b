using System.Net;
using System.Net.Sockets;

namespace Lintel.Services.Discovery;

/// <summary>Looks up DNS records.</summary>
internal interface IDnsQueries
{
    /// <summary>The addresses of a name; none if it does not exist, or has none of this family.</summary>
    /// <exception cref="DiscoveryException">No server has answered.</exception>
    public Task<DnsReply<IPAddress>> AddressesAsync(string name, AddressFamily family, CancellationToken cancellation);

    /// <summary>The SRV records of a name; none if it does not exist.</summary>
    /// <exception cref="DiscoveryException">No server has answered.</exception>
    public Task<DnsReply<SrvTarget>> TargetsAsync(string name, CancellationToken cancellation);
}

/// <summary>The records of a name.</summary>
/// <param name="Records">The records.</param>
/// <param name="TimeToLive">The shortest TTL of them; <see langword="null"/> if they do not expire.</param>
internal sealed record DnsReply<T>(IReadOnlyList<T> Records, TimeSpan? TimeToLive)
{
    /// <summary>Whether the name does not exist at all, as opposed to having no such records.</summary>
    public bool IsUnknown { get; init; }
}

/// <summary>An SRV record (RFC 2782).</summary>
internal readonly record struct SrvTarget(string Host, int Port, int Priority, int Weight);
