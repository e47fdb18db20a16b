using System.Globalization;
using System.Net;
using Lintel.Config.Grammars;

namespace Lintel.Config;

/// <summary>
/// Where the instances of a service are looked up while the gateway runs: exactly one of <see cref="Dns"/>, <see cref="DnsSrv"/>,
/// <see cref="Consul"/>, <see cref="File"/> and <see cref="Host"/>.
/// </summary>
public sealed record DiscoverConfig
{
    /// <summary>
    /// A host name, optionally with a port (default: that of <see cref="Scheme"/>): each of its IPv4 and IPv6 addresses is an instance.
    /// </summary>
    public string? Dns { get; init; }

    /// <summary>
    /// A name with SRV records, such as <c>_http._tcp.orders</c>: they have the port, the weight and the priority of each instance.
    /// </summary>
    public string? DnsSrv { get; init; }

    /// <summary>A service in Consul's catalog: its instances whose health checks pass.</summary>
    public string? Consul { get; init; }

    /// <summary>
    /// A YAML or JSON file with a list of instances, in the syntax of <c>instances</c>. It is read again whenever it changes; a file that
    /// is not valid changes nothing.
    /// </summary>
    public string? File { get; init; }

    /// <summary>
    /// A service that the application resolves by <c>Microsoft.Extensions.ServiceDiscovery</c>, for a gateway inside another host.
    /// </summary>
    public string? Host { get; init; }

    /// <summary>
    /// The DNS server for <see cref="Dns"/> and <see cref="DnsSrv"/>: an IP address, optionally with a port (default 53). Default: those of
    /// the system; only then the system's hosts file and search domains apply.
    /// </summary>
    public string? Server { get; init; }

    /// <summary>
    /// The maximum time between two DNS lookups. A shorter TTL of the records applies, but not below 1 s. Default 5s (Envoy's
    /// <c>dns_refresh_rate</c>), 100ms to 1h.
    /// </summary>
    public TimeSpan Refresh { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The address of Consul's HTTP API. Default <c>http://127.0.0.1:8500</c>, that of the local agent.</summary>
    public Uri Address { get; init; } = DefaultConsul;

    /// <summary>Only instances with this tag in Consul. Default: all.</summary>
    public string? Tag { get; init; }

    /// <summary>Consul's ACL token, sent as <c>X-Consul-Token</c>. Default: none.</summary>
    public string? Token { get; init; }

    /// <summary>Consul's datacenter. Default: that of the agent.</summary>
    public string? Datacenter { get; init; }

    /// <summary>The scheme of the instances, <c>http</c> (default) or <c>https</c>. A file's instances must all have it.</summary>
    public string Scheme { get; init; } = Uri.UriSchemeHttp;

    /// <summary>
    /// The maximum number of instances: of a longer answer only the first ones, in the order of their addresses, are used. Default 1000, 1
    /// to 10000.
    /// </summary>
    public int MaxInstances { get; init; } = 1000;

    /// <summary>
    /// How long the last instances are used while the source fails or has none. Default: without limit, 0s to 7d.
    /// </summary>
    public TimeSpan? KeepFor { get; init; }

    private static readonly Uri DefaultConsul = new("http://127.0.0.1:8500");

    /// <summary>The kind of source and its name, as messages show it.</summary>
    internal string Source =>
        this switch
        {
            { Dns: { } name } => $"dns {name}",
            { DnsSrv: { } name } => $"dnsSrv {name}",
            { Consul: { } name } => $"consul {name} at {Address.GetLeftPart(UriPartial.Path).TrimEnd('/')}",
            { File: { } path } => $"file {path}",
            _ => $"host {Host}",
        };

    /// <summary>The number of sources: one, if the configuration is valid.</summary>
    internal int Sources => new[] { Dns, DnsSrv, Consul, File, Host }.Count(s => s is not null);

    /// <summary>The host part of <see cref="Dns"/>.</summary>
    internal string? DnsHost => Dns?.Split(':')[0].TrimEnd('.');

    /// <summary>The port of <see cref="Dns"/>.</summary>
    internal int DnsPort =>
        Dns!.Split(':') is [_, var port] ? int.Parse(port, CultureInfo.InvariantCulture)
        : Scheme == Uri.UriSchemeHttps ? 443
        : 80;

    /// <summary>
    /// The name that certificates of the instances are verified against: the one that was looked up, not what DNS gave for it (RFC 6125
    /// section 6.2.1); <see langword="null"/> if the source gives complete addresses.
    /// </summary>
    internal string? ServerName =>
        DnsHost
        ?? (DnsSrv is null ? null : string.Join('.', DnsSrv.TrimEnd('.').Split('.').SkipWhile(label => label.StartsWith('_'))))
        ?? Host;

    private static Grammar<string> DnsGrammar { get; } =
        new ScalarGrammar<string>(
            "a host name",
            null,
            static (string text, out string value) =>
            {
                var parts = text.Split(':');
                value = HostNames.ToAscii(parts[0]) + text[parts[0].Length..];
                return parts.Length <= 2
                    && IsName(HostNames.ToAscii(parts[0]))
                    && !IPAddress.TryParse(parts[0], out _)
                    && (parts.Length == 1 || IsPort(parts[1]));
            },
            "write a host name, optionally with a port, such as `orders.internal:8080`; addresses belong in `instances`"
        );

    private static Grammar<string> SrvGrammar { get; } =
        new ScalarGrammar<string>(
            "a name of SRV records",
            null,
            static (string text, out string value) =>
            {
                value = HostNames.ToAscii(text);
                return IsName(value) && value.TrimEnd('.').Split('.').Any(label => !label.StartsWith('_'));
            },
            "write `_SERVICE._PROTOCOL.NAME`, such as `_http._tcp.orders.internal`, without a port"
        );

    private static Grammar<string> ServerGrammar { get; } =
        new ScalarGrammar<string>(
            "the address of a DNS server",
            null,
            static (string text, out string value) =>
            {
                value = text;
                return IPEndPoint.TryParse(text, out _);
            },
            "write an IP address, optionally with a port, such as `10.0.0.2:53`"
        );

    private static Grammar<Uri> AddressGrammar { get; } =
        new ScalarGrammar<Uri>(
            "the address of Consul",
            "^https?://",
            static (string text, out Uri value) =>
                Uri.TryCreate(text, UriKind.Absolute, out value!)
                && value.Scheme is "http" or "https"
                && value.Host.Length > 0
                && (value.Query.Length | value.Fragment.Length | value.UserInfo.Length) == 0,
            "write `http://HOST:PORT` or `https://HOST:PORT`"
        );

    /// <summary>What Consul accepts as the name of a service, a tag or a datacenter, in the URL of a request.</summary>
    private static Grammar<string> ConsulGrammar { get; } =
        new ScalarGrammar<string>(
            "a name",
            null,
            static (string text, out string value) =>
            {
                value = text;
                return text.Length is > 0 and <= 253 && text.All(c => c is > ' ' and < '\x7f' and not '/' and not '?' and not '#');
            },
            "write the name as it is in Consul, such as `orders`"
        );

    private static Grammar<string> TokenGrammar { get; } =
        new ScalarGrammar<string>(
            "a token",
            null,
            static (string text, out string value) =>
            {
                value = text;
                return text.Length > 0 && text.All(c => c is > ' ' and < '\x7f');
            },
            "write visible ASCII characters, best by `${file:/run/secrets/consul}`"
        );

    internal static Grammar<DiscoverConfig> Grammar { get; } =
        new RecordGrammar<DiscoverConfig>(static f =>
        {
            f.NotYet("kubernetes");
            var d = new DiscoverConfig();
            var discover = new DiscoverConfig
            {
                Dns = f.Find("dns", DnsGrammar),
                DnsSrv = f.Find("dnsSrv", SrvGrammar),
                Consul = f.Find("consul", ConsulGrammar),
                File = f.Find("file", Scalars.LaterFilePath),
                Host = f.Find("host", ServiceConfig.HostGrammar),
                Server = f.Find("server", ServerGrammar),
                Refresh = f.Get("refresh", Scalars.Duration(TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1)), d.Refresh),
                Address = f.Get("address", AddressGrammar, d.Address),
                Tag = f.Find("tag", ConsulGrammar),
                Token = f.Find("token", TokenGrammar),
                Datacenter = f.Find("datacenter", ConsulGrammar),
                Scheme = f.Get("scheme", MatchConfig.SchemeGrammar, d.Scheme),
                MaxInstances = f.Get("maxInstances", Scalars.Integer(1, 10_000), d.MaxInstances),
                KeepFor = f.FindValue("keepFor", Scalars.Duration(TimeSpan.Zero, TimeSpan.FromDays(7))),
            };
            CheckSource(f);
            if (discover.Token is not null && discover.Address is { Scheme: "http", IsLoopback: false })
                f.Warn(
                    "insecure",
                    "token",
                    $"the token is sent to {discover.Address.Host} without encryption",
                    "use `address: https://…`, or the agent on this machine"
                );
            return discover;
        });

    private static void CheckSource(RecordFields f)
    {
        var sources = Kinds.Where(f.Has).ToList();
        if (sources.Count == 0)
            f.Report(
                "missing-key",
                null,
                "`discover` requires a source",
                "add one of `dns`, `dnsSrv`, `consul`, `file` and `host`, such as `dns: orders.internal:8080`"
            );
        if (sources.Count > 1)
            f.Report(
                "conflict",
                sources[1],
                $"the instances come from one source, and {string.Join(" and ", sources.Select(s => $"`{s}`"))} are given",
                "keep one of them, or configure two services"
            );
        if (sources.Count != 1)
            return;
        foreach (var (key, of) in Options.Where(o => f.Has(o.Key) && !o.Of.Contains(sources[0])))
            f.Report(
                "conflict",
                key,
                $"`{key}` does not apply to `{sources[0]}`",
                $"remove it: it belongs to {string.Join(" and ", of.Select(o => $"`{o}`"))}"
            );
    }

    private static readonly string[] Kinds = ["dns", "dnsSrv", "consul", "file", "host", "kubernetes"];

    /// <summary>Keys that only some sources have.</summary>
    private static readonly (string Key, string[] Of)[] Options =
    [
        ("server", ["dns", "dnsSrv"]),
        ("refresh", ["dns", "dnsSrv"]),
        ("address", ["consul"]),
        ("tag", ["consul"]),
        ("token", ["consul"]),
        ("datacenter", ["consul"]),
    ];

    private static bool IsName(string text) =>
        text.Length is > 0 and <= 254
        && text.TrimEnd('.')
            .Split('.')
            .All(label => label.Length is > 0 and <= 63 && label.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'));

    private static bool IsPort(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is > 0 and <= 65535;
}
