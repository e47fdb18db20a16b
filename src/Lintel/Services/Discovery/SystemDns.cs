using System.Net;
using System.Net.Sockets;
using DnsClient;

namespace Lintel.Services.Discovery;

/// <summary>
/// Looks names up as the system is configured: the hosts file, then the servers and search domains of <c>/etc/resolv.conf</c>. Both files
/// are read again when they change.
/// </summary>
/// <param name="folder">Where the files are.</param>
internal sealed class SystemDns(string folder = "/etc") : IDnsQueries
{
    private readonly Lock _lock = new();
    private readonly string _hosts = OperatingSystem.IsWindows()
        ? Path.Combine(Environment.SystemDirectory, "drivers", "etc", "hosts")
        : Path.Combine(folder, "hosts");
    private readonly string _resolver = Path.Combine(folder, "resolv.conf");
    private (DateTime Written, ResolverFile File, DnsServers Servers)? _read;

    public Task<DnsReply<IPAddress>> AddressesAsync(string name, AddressFamily family, CancellationToken cancellation)
    {
        if (HostsFile.Find(Text(_hosts), name) is { Count: > 0 } known)
            return Task.FromResult(new DnsReply<IPAddress>([.. known.Where(a => a.AddressFamily == family)], null));
        return SearchAsync(name, (servers, full) => servers.AddressesAsync(full, family, cancellation));
    }

    public Task<DnsReply<SrvTarget>> TargetsAsync(string name, CancellationToken cancellation) =>
        SearchAsync(name, (servers, full) => servers.TargetsAsync(full, cancellation));

    private async Task<DnsReply<T>> SearchAsync<T>(string name, Func<DnsServers, string, Task<DnsReply<T>>> ask)
    {
        var (file, servers) = Resolver();
        var reply = new DnsReply<T>([], null) { IsUnknown = true };
        foreach (var full in file.Names(name))
        {
            reply = await ask(servers, full).ConfigureAwait(false);
            if (!reply.IsUnknown)
                break;
        }

        return reply;
    }

    private (ResolverFile File, DnsServers Servers) Resolver()
    {
        lock (_lock)
        {
            var written = File.GetLastWriteTimeUtc(_resolver); // of a missing file: the year 1601
            if (_read is not { } read || read.Written != written)
            {
                var file = ResolverFile.Parse(Text(_resolver));
                var servers =
                    file.Servers.Count > 0 ? file.Servers
                    : OperatingSystem.IsWindows()
                        ?
                        [
                            .. NameServer
                                .ResolveNameServers(fallbackToGooglePublicDns: false)
                                .Select(s => new IPEndPoint(IPAddress.Parse(s.Address), s.Port)),
                        ]
                    : [new IPEndPoint(IPAddress.Loopback, 53)]; // resolv.conf(5)
                _read = read = (written, file, new DnsServers(servers));
            }

            return (read.File, read.Servers);
        }
    }

    private static string Text(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}

/// <summary>The hosts file.</summary>
internal static class HostsFile
{
    /// <summary>The addresses of a name in the text of the file.</summary>
    public static IReadOnlyList<IPAddress> Find(string text, string name)
    {
        List<IPAddress> found = [];
        foreach (var line in text.AsSpan().EnumerateLines())
        {
            var words = line.ToString().Split('#')[0].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            if (
                words.Skip(1).Contains(name.TrimEnd('.'), StringComparer.OrdinalIgnoreCase) && IPAddress.TryParse(words[0], out var address)
            )
                found.Add(address);
        }

        return found;
    }
}

/// <summary>What a <c>resolv.conf</c> says: see resolv.conf(5).</summary>
/// <param name="Servers">The DNS servers, in their order.</param>
/// <param name="Search">The domains that names are completed with.</param>
/// <param name="Dots">Names with as many dots are tried as they are before they are completed.</param>
internal sealed record ResolverFile(IReadOnlyList<IPEndPoint> Servers, IReadOnlyList<string> Search, int Dots)
{
    public static ResolverFile Parse(string text)
    {
        List<IPEndPoint> servers = [];
        IReadOnlyList<string> search = [];
        var dots = 1;
        foreach (var line in text.AsSpan().EnumerateLines())
        {
            var words = line.ToString().Split('#', ';')[0].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            switch (words)
            {
                case ["nameserver", var server, ..] when IPAddress.TryParse(server, out var address):
                    servers.Add(new IPEndPoint(address, 53));
                    break;
                case ["search" or "domain", .. var domains]:
                    search = domains;
                    break;
                case ["options", .. var options]:
                    foreach (var option in options.Where(o => o.StartsWith("ndots:", StringComparison.Ordinal)))
                        dots = int.TryParse(option.AsSpan(6), out var number) ? number : dots;
                    break;
            }
        }

        return new ResolverFile(servers, search, dots);
    }

    /// <summary>The complete names to look up for a name, in their order.</summary>
    public IEnumerable<string> Names(string name)
    {
        if (name.EndsWith('.'))
            return [name];
        var completed = Search.Select(domain => domain is "." ? name : $"{name}.{domain.TrimEnd('.')}");
        return name.Count(c => c == '.') >= Dots ? completed.Prepend(name).Distinct() : completed.Append(name).Distinct();
    }
}
