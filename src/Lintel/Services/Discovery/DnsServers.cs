using System.Net;
using System.Net.Sockets;
using DnsClient;
using DnsClient.Protocol;

namespace Lintel.Services.Discovery;

/// <summary>Asks DNS servers, over UDP, and over TCP where the answer does not fit.</summary>
internal sealed class DnsServers(IReadOnlyList<IPEndPoint> servers) : IDnsQueries
{
    /// <summary>The time for one server's answer. glibc's 5 s is already the time that the gateway waits for the first one.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly LookupClient _client = new(
        new LookupClientOptions([.. servers.Select(s => new NameServer(s))])
        {
            UseCache = false, // the caller asks when the TTL is over
            Timeout = Patience,
            Retries = 1,
            ThrowDnsErrors = false,
            UseRandomNameServer = false,
            ContinueOnDnsError = true,
            ContinueOnEmptyResponse = false,
            AutoResolveNameServers = false,
        }
    );

    public async Task<DnsReply<IPAddress>> AddressesAsync(string name, AddressFamily family, CancellationToken cancellation)
    {
        var isIPv4 = family == AddressFamily.InterNetwork;
        var answer = await AskAsync(name, isIPv4 ? QueryType.A : QueryType.AAAA, cancellation).ConfigureAwait(false);
        var records = answer.Answers.OfType<AddressRecord>().Where(r => r.Address.AddressFamily == family).ToList();
        return Reply(answer, records, r => r.Address);
    }

    public async Task<DnsReply<SrvTarget>> TargetsAsync(string name, CancellationToken cancellation)
    {
        var answer = await AskAsync(name, QueryType.SRV, cancellation).ConfigureAwait(false);
        return Reply(answer, [.. answer.Answers.SrvRecords()], r => new SrvTarget(
            r.Target.Value.TrimEnd('.'),
            r.Port,
            r.Priority,
            r.Weight
        ));
    }

    private async Task<IDnsQueryResponse> AskAsync(string name, QueryType type, CancellationToken cancellation)
    {
        try
        {
            var answer = await _client
                .QueryAsync(name.EndsWith('.') ? name : name + ".", type, QueryClass.IN, cancellation)
                .ConfigureAwait(false);
            return answer.Header.ResponseCode is DnsHeaderResponseCode.NoError or DnsHeaderResponseCode.NotExistentDomain
                ? answer
                : throw new DiscoveryException($"the DNS server answers {answer.Header.ResponseCode}");
        }
        catch (Exception e) when (e is not DiscoveryException && !cancellation.IsCancellationRequested)
        {
            throw new DiscoveryException(
                e is DnsResponseException { Code: DnsResponseCode.ConnectionTimeout }
                    ? "no DNS server answers"
                    : $"the DNS lookup fails: {e.GetBaseException().Message}",
                e
            );
        }
    }

    private static DnsReply<T> Reply<T, TRecord>(IDnsQueryResponse answer, List<TRecord> records, Func<TRecord, T> read)
        where TRecord : DnsResourceRecord =>
        new([.. records.Select(read)], records.Count == 0 ? null : TimeSpan.FromSeconds(records.Min(r => r.InitialTimeToLive)))
        {
            IsUnknown = answer.Header.ResponseCode == DnsHeaderResponseCode.NotExistentDomain,
        };
}
