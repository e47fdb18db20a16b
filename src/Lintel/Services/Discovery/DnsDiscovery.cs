using System.Net;
using System.Net.Sockets;
using Lintel.Config;

namespace Lintel.Services.Discovery;

/// <summary>What the sources in DNS have in common.</summary>
internal abstract class DnsSource(string service, DiscoverConfig config, DiscoveryParts parts, IReadOnlyList<InstanceConfig> known)
    : InstanceDiscovery(service, config, parts, known)
{
    /// <summary>Records with a TTL of 0 are asked for once a second.</summary>
    private static readonly TimeSpan Shortest = TimeSpan.FromSeconds(1);

    protected IDnsQueries Queries { get; } = parts.Dns(EndPoint(config.Server));

    protected override TimeSpan FirstRetry => Config.Refresh < Shortest ? Config.Refresh : Shortest;

    /// <summary>When to ask again for records with this TTL.</summary>
    protected TimeSpan Next(TimeSpan? timeToLive)
    {
        var next = timeToLive > Shortest ? timeToLive.Value : Shortest;
        return timeToLive is null || next > Config.Refresh ? Config.Refresh : next;
    }

    private static IPEndPoint? EndPoint(string? server) =>
        server is not null && IPEndPoint.TryParse(server, out var point)
            ? new IPEndPoint(point.Address, point.Port == 0 ? 53 : point.Port)
            : null;
}

/// <summary>Each address of a name is an instance.</summary>
internal sealed class DnsDiscovery(string service, DiscoverConfig config, DiscoveryParts parts, IReadOnlyList<InstanceConfig> known)
    : DnsSource(service, config, parts, known)
{
    // By family, because often only one of the two lookups fails: its last addresses are then kept.
    private IReadOnlyList<IPAddress> _ipv4 = [];
    private IReadOnlyList<IPAddress> _ipv6 = [];

    protected override async Task<DiscoveryAnswer> QueryAsync(CancellationToken cancellation)
    {
        var name = Config.Dns!.Split(':')[0];
        var asked = Queries.AddressesAsync(name, AddressFamily.InterNetwork, cancellation);
        var also = Socket.OSSupportsIPv6
            ? Queries.AddressesAsync(name, AddressFamily.InterNetworkV6, cancellation)
            : Task.FromResult(new DnsReply<IPAddress>([], null));
        var (ipv4, failure) = await EndAsync(asked).ConfigureAwait(false);
        var (ipv6, otherFailure) = await EndAsync(also).ConfigureAwait(false);
        if (ipv4 is not { Records.Count: > 0 } && ipv6 is not { Records.Count: > 0 })
        {
            if ((failure ?? otherFailure) is { } problem)
                throw problem;
            return new DiscoveryAnswer([], Config.Refresh);
        }

        _ipv4 = ipv4?.Records ?? _ipv4;
        _ipv6 = ipv6?.Records ?? _ipv6;
        var found = new DiscoveredAddresses(Config.Scheme);
        foreach (var address in _ipv4.Concat(_ipv6))
            found.Add(address, Config.DnsPort);
        var shortest = (ipv4?.TimeToLive, ipv6?.TimeToLive) switch
        {
            ({ } a, { } b) => a < b ? a : b,
            var (a, b) => a ?? b,
        };
        return new DiscoveryAnswer(found.Instances, Next(shortest)) { Ignored = found.Ignored };
    }

    private static async Task<(DnsReply<IPAddress>? Reply, DiscoveryException? Failure)> EndAsync(Task<DnsReply<IPAddress>> asked)
    {
        try
        {
            return (await asked.ConfigureAwait(false), null);
        }
        catch (DiscoveryException e)
        {
            return (null, e);
        }
    }
}

/// <summary>Each address of the target of an SRV record is an instance.</summary>
internal sealed class SrvDiscovery(string service, DiscoverConfig config, DiscoveryParts parts, IReadOnlyList<InstanceConfig> known)
    : DnsSource(service, config, parts, known)
{
    /// <summary>The lookups of targets' addresses that run at the same time.</summary>
    private const int Concurrent = 8;

    protected override async Task<DiscoveryAnswer> QueryAsync(CancellationToken cancellation)
    {
        var reply = await Queries.TargetsAsync(Config.DnsSrv!, cancellation).ConfigureAwait(false);

        // "." says that there is no such service (RFC 2782).
        var targets = reply.Records.Where(r => r.Host.Length > 0).DistinctBy(r => (r.Host.ToLowerInvariant(), r.Port)).ToList();
        var found = new DiscoveredAddresses(Config.Scheme);
        foreach (var _ in targets.Skip(Config.MaxInstances))
            found.Ignore("`maxInstances` are found");
        targets = [.. targets.OrderBy(t => t.Priority).ThenBy(t => t.Host, StringComparer.Ordinal).Take(Config.MaxInstances)];
        var addresses = new IReadOnlyList<IPAddress>[targets.Count];
        await Parallel
            .ForAsync(
                0,
                targets.Count,
                new ParallelOptions { MaxDegreeOfParallelism = Concurrent, CancellationToken = cancellation },
                async (i, ends) => addresses[i] = await AddressesAsync(targets[i].Host, ends).ConfigureAwait(false)
            )
            .ConfigureAwait(false);

        var heaviest = targets.Count == 0 ? 0 : targets.Max(t => t.Weight);
        var priorities = targets.Select(t => t.Priority).Distinct().Order().ToList();
        for (var i = 0; i < targets.Count; i++)
        {
            var (host, port, priority, weight) = targets[i];
            if (addresses[i].Count == 0)
                found.Ignore("the target of an SRV record has no address");
            var scaled = heaviest > 1000 ? (int)Math.Round(weight * 1000.0 / heaviest) : weight;
            foreach (var address in addresses[i])
                found.Add(address, port, scaled, priorities.IndexOf(priority));
        }

        return new DiscoveryAnswer(found.Instances, Next(reply.TimeToLive)) { Ignored = found.Ignored };
    }

    /// <summary>IPv6 only for targets without IPv4: with both, one process would be two instances, and get twice its weight.</summary>
    private async Task<IReadOnlyList<IPAddress>> AddressesAsync(string host, CancellationToken cancellation)
    {
        if (IPAddress.TryParse(host, out var address))
            return [address];
        var ipv4 = await Queries.AddressesAsync(host + ".", AddressFamily.InterNetwork, cancellation).ConfigureAwait(false);
        if (ipv4.Records.Count > 0 || !Socket.OSSupportsIPv6)
            return ipv4.Records;
        return (await Queries.AddressesAsync(host + ".", AddressFamily.InterNetworkV6, cancellation).ConfigureAwait(false)).Records;
    }
}
