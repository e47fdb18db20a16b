using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Lintel.Services.Discovery;

namespace Lintel.Tests.Services.Discovery;

/// <summary>DNS records that the test sets; <see langword="null"/> for a server that fails.</summary>
internal sealed class FakeDns : IDnsQueries
{
    private int _lookups;

    public ConcurrentDictionary<string, IPAddress[]?> Addresses { get; } = new(StringComparer.OrdinalIgnoreCase);

    public SrvTarget[]? Targets { get; set; } = [];

    /// <summary>Whether lookups of IPv6 addresses fail.</summary>
    public bool FailsIPv6 { get; set; }

    public TimeSpan TimeToLive { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>Lookups of IPv4 addresses and of SRV records.</summary>
    public int Lookups => Volatile.Read(ref _lookups);

    public Task<DnsReply<IPAddress>> AddressesAsync(string name, AddressFamily family, CancellationToken cancellation)
    {
        if (family == AddressFamily.InterNetwork)
            Interlocked.Increment(ref _lookups);
        if (family == AddressFamily.InterNetworkV6 && FailsIPv6)
            return Task.FromException<DnsReply<IPAddress>>(new DiscoveryException("IPv6 fails"));
        var found = Addresses.TryGetValue(name.TrimEnd('.'), out var known) ? known : [];
        return found is null
            ? Task.FromException<DnsReply<IPAddress>>(new DiscoveryException("no DNS server answers"))
            : Task.FromResult(new DnsReply<IPAddress>([.. found.Where(a => a.AddressFamily == family)], TimeToLive));
    }

    public Task<DnsReply<SrvTarget>> TargetsAsync(string name, CancellationToken cancellation)
    {
        Interlocked.Increment(ref _lookups);
        return Targets is null
            ? Task.FromException<DnsReply<SrvTarget>>(new DiscoveryException("no DNS server answers"))
            : Task.FromResult(new DnsReply<SrvTarget>(Targets, TimeToLive));
    }
}
