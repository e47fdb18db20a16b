using System.Net;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;

namespace Lintel.Config;

/// <summary>An HTTP version that a listener offers.</summary>
public enum ListenerProtocol
{
    /// <summary>HTTP/1.1 (and 1.0).</summary>
    Http1,

    /// <summary>HTTP/2; without TLS with prior knowledge (h2c).</summary>
    Http2,

    /// <summary>
    /// HTTP/3, over TLS on the UDP port of the same number. Requires the library libmsquic; without it a warning is logged and the other
    /// versions are offered.
    /// </summary>
    Http3,
}

/// <summary>The transport of a listener's connections.</summary>
public enum ListenerTransport
{
    /// <summary>Lintel's event loops, one per core; Linux only.</summary>
    Loop,

    /// <summary>Kestrel's sockets and .NET's thread pool.</summary>
    Sockets,
}

/// <summary>An address on which clients connect.</summary>
public sealed record ListenerConfig
{
    /// <summary>
    /// Scheme, address and port, such as <c>http://0.0.0.0:8080</c> or <c>https://[::]:8443</c>, or a Unix socket:
    /// <c>http://unix:/run/lintel.sock</c>. Port 0 selects a free port.
    /// </summary>
    public required ListenerAddress Address { get; init; }

    /// <summary>
    /// The HTTP versions offered. Default: <c>[http1]</c>, with TLS <c>[http1, http2]</c>. Without TLS a listener supports either
    /// <c>http1</c> or <c>http2</c>; with TLS the version is negotiated by ALPN.
    /// </summary>
    public ValueList<ListenerProtocol> Protocols { get; init; } = [ListenerProtocol.Http1];

    /// <summary>
    /// The certificates of an <c>https</c> address; at least one. Selected by the client's server name (SNI): exact name, then wildcard,
    /// then the first certificate without <c>hosts</c>.
    /// </summary>
    public ValueList<CertificateConfig> Certificates { get; init; } = [];

    /// <summary>Client certificates (mutual TLS). Default: not requested.</summary>
    public ClientCertificatesConfig? ClientCertificates { get; init; }

    /// <summary>Versions, cipher suites and groups of an <c>https</c> address.</summary>
    public TlsConfig Tls { get; init; } = new();

    /// <summary>
    /// Addresses or CIDR ranges of load balancers that start every connection with a PROXY protocol header, version 1 or 2. For these peers
    /// the header is required; for others it is not accepted. Default: none.
    /// </summary>
    public ValueList<string> ProxyProtocol { get; init; } = [];

    /// <summary>
    /// The proxies in front of this listener whose forwarding headers are trusted, instead of the gateway's <c>trustedProxies</c>. Default:
    /// the gateway's.
    /// </summary>
    public TrustedProxiesConfig? TrustedProxies { get; init; }

    /// <summary><c>loop</c> or <c>sockets</c>. Default: <c>loop</c> on Linux, elsewhere <c>sockets</c>.</summary>
    public ListenerTransport? Transport { get; init; }

    /// <summary>Limits of the requests and connections of clients.</summary>
    public ListenerLimitsConfig Limits { get; init; } = new();

    /// <summary>The listener that is used if none is configured.</summary>
    internal static ListenerConfig Default { get; } = new() { Address = new ListenerAddress("127.0.0.1", 8080) };

    /// <summary>Files whose content is part of the listener.</summary>
    internal IEnumerable<string> Files =>
        Certificates
            .SelectMany(c => new[] { c.Path, c.KeyPath ?? c.Path })
            .Concat(ClientCertificates is { } clients ? [clients.Authorities] : [])
            .Distinct();

    private static Grammar<ListenerProtocol> ProtocolGrammar { get; } =
        Scalars.Choice([("http1", ListenerProtocol.Http1), ("http2", ListenerProtocol.Http2), ("http3", ListenerProtocol.Http3)]);

    private static Grammar<ListenerTransport> TransportGrammar { get; } =
        Scalars.Choice([("loop", ListenerTransport.Loop), ("sockets", ListenerTransport.Sockets)]);

    internal static Grammar<string> NetworkGrammar { get; } =
        new ScalarGrammar<string>(
            "an address range",
            null,
            static (string text, out string value) =>
            {
                value = text;
                return text.Contains('/') ? IPNetwork.TryParse(text, out _) : IPAddress.TryParse(text, out _);
            },
            "write an address or a CIDR range: `10.0.0.0/8`, `fd00::/8`, `192.0.2.7`"
        );

    internal static Grammar<ListenerConfig> Grammar { get; } =
        new ShortFormGrammar<ListenerConfig>(
            static (ScalarNode scalar, KeyPath path, ConfigReport report, out ListenerConfig value) =>
            {
                var read = ListenerAddress.Grammar.TryRead(scalar, path, report, out var address);
                value = read ? new ListenerConfig { Address = address } : null!;
                if (!read || !address.IsTls)
                    return read;
                report.Add(
                    "missing-key",
                    scalar,
                    path,
                    "an https address requires certificates",
                    "write it in long form: `{ address: …, certificates: [{ path: …, keyPath: … }] }`"
                );
                return false;
            },
            "The address, such as http://0.0.0.0:8080",
            new RecordGrammar<ListenerConfig>(static f =>
            {
                var address = f.Require("address", ListenerAddress.Grammar);
                ValueList<ListenerProtocol> usual = address is { IsTls: true }
                    ? [ListenerProtocol.Http1, ListenerProtocol.Http2]
                    : [ListenerProtocol.Http1];
                var listener = new ListenerConfig
                {
                    Address = address,
                    Protocols = f.Get("protocols", new ListGrammar<ListenerProtocol>(ProtocolGrammar, minimum: 1), usual),
                    Certificates = f.List("certificates", CertificateConfig.Grammar),
                    ClientCertificates = f.Find("clientCertificates", ClientCertificatesConfig.Grammar),
                    Tls = f.Get("tls", TlsConfig.Grammar, new()),
                    Transport = f.FindValue("transport", TransportGrammar),
                    ProxyProtocol = f.List("proxyProtocol", NetworkGrammar),
                    TrustedProxies = f.Find("trustedProxies", TrustedProxiesConfig.Grammar),
                    Limits = f.Get("limits", ListenerLimitsConfig.Grammar, new()),
                };
                if (f.IsReading && address is not null)
                    Check(f, listener);
                return listener;
            })
        );

    private static void Check(RecordFields f, ListenerConfig listener)
    {
        var isTls = listener.Address.IsTls;
        if (!isTls && listener.Protocols.Contains(ListenerProtocol.Http3))
            f.Report("bad-value", "protocols", "HTTP/3 requires TLS", "listen on an `https` address");
        else if (!isTls && listener.Protocols.Count > 1)
            f.Report(
                "bad-value",
                "protocols",
                "without TLS a listener cannot offer HTTP/1.1 and HTTP/2 on one port",
                "choose one of them, or configure two listeners"
            );
        if (isTls && listener.Address.IsUnix && listener.Protocols.Contains(ListenerProtocol.Http3))
            f.Report("bad-value", "protocols", "HTTP/3 requires a UDP port, which a Unix socket does not have", "remove `http3`");
        if (isTls && listener.Certificates.Count == 0 && !f.HasFailed("certificates"))
            f.Report(
                "missing-key",
                "certificates",
                "an https address requires certificates",
                "add `certificates: [{ path: …, keyPath: … }]`"
            );
        if (!isTls && f.Has("certificates"))
            f.Report(
                "conflict",
                "certificates",
                "an http address cannot have certificates",
                "write the address with `https://`, or remove them"
            );
        if (!isTls && f.Has("clientCertificates"))
            f.Report(
                "conflict",
                "clientCertificates",
                "an http address cannot request client certificates",
                "write the address with `https://`, or remove it"
            );
        if (!isTls && f.Has("tls"))
            f.Report("conflict", "tls", "an http address does not use TLS", "write the address with `https://`, or remove it");
        if (listener.Protocols.Contains(ListenerProtocol.Http2) && listener.Tls.CipherSuites.Any(TlsConfig.IsOld))
            f.Report(
                "conflict",
                "tls",
                "HTTP/2 forbids CBC cipher suites",
                "write `protocols: [http1]`, or remove the suites whose names contain `CBC`"
            );
        if (listener.ProxyProtocol.Count > 0 && listener.Protocols.Contains(ListenerProtocol.Http3))
            f.Report(
                "conflict",
                "proxyProtocol",
                "the PROXY protocol requires TCP and cannot be used with HTTP/3",
                "remove `http3`, or configure a separate listener for it"
            );
        if (listener.ProxyProtocol.Count > 0 && listener.Address.IsUnix)
            f.Report("conflict", "proxyProtocol", "peers of a Unix socket have no IP address to trust", "remove it");
        if (
            listener
                .Certificates.SelectMany(c => c.Hosts)
                .GroupBy(h => h, StringComparer.OrdinalIgnoreCase)
                .FirstOrDefault(g => g.Count() > 1) is
            { } twice
        )
            f.Report("conflict", "certificates", $"duplicate certificate for the server name `{twice.Key}`", "remove one of them");
    }
}

/// <summary>A certificate of the gateway.</summary>
public sealed record CertificateConfig
{
    /// <summary>
    /// The server names that the certificate is used for: exact, or with <c>*.</c> for one label. Default: every name without a certificate
    /// of its own.
    /// </summary>
    public ValueList<string> Hosts { get; init; } = [];

    /// <summary>
    /// A PEM file with the certificate followed by the intermediate certificates. The file is watched: new content is used without closing
    /// connections.
    /// </summary>
    public required string Path { get; init; }

    /// <summary>The PEM file of the private key. Default: the file of <see cref="Path"/> contains it too.</summary>
    public string? KeyPath { get; init; }

    private static Grammar<string> HostGrammar { get; } =
        new ScalarGrammar<string>(
            "a server name",
            null,
            static (string text, out string value) =>
            {
                var isWildcard = text.StartsWith("*.", StringComparison.Ordinal);
                var name = HostNames.ToAscii(isWildcard ? text[2..] : text); // SNI has A-labels only
                value = (isWildcard ? "*." : "") + name;
                return name.Length is > 0 and <= 253 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_');
            },
            "write `api.example.com` or `*.example.com`"
        );

    internal static Grammar<CertificateConfig> Grammar { get; } =
        new RecordGrammar<CertificateConfig>(static f => new CertificateConfig
        {
            Hosts = f.FilledList(
                "hosts",
                HostGrammar,
                "list a host, or remove the key to use the certificate for every server name that has no certificate of its own"
            ),
            Path = f.Require("path", Scalars.FilePath),
            KeyPath = f.Find("keyPath", Scalars.FilePath),
        });
}

/// <summary>Whether clients must present a certificate.</summary>
public enum ClientCertificateMode
{
    /// <summary>Optional; a certificate that is presented must be valid.</summary>
    Optional,

    /// <summary>Required; the handshake fails without one.</summary>
    Required,
}

/// <summary>Client certificates (mutual TLS).</summary>
public sealed record ClientCertificatesConfig
{
    /// <summary>
    /// <c>required</c> (default): the handshake fails without a certificate. <c>optional</c>: clients may present none. A certificate that
    /// none of the authorities has signed always fails the handshake.
    /// </summary>
    public ClientCertificateMode Mode { get; init; } = ClientCertificateMode.Required;

    /// <summary>A PEM file with the trusted certificate authorities, instead of the system's. Revocation is not checked.</summary>
    public required string Authorities { get; init; }

    internal static Grammar<ClientCertificatesConfig> Grammar { get; } =
        new RecordGrammar<ClientCertificatesConfig>(static f => new ClientCertificatesConfig
        {
            Mode = f.Get(
                "mode",
                Scalars.Choice([("optional", ClientCertificateMode.Optional), ("required", ClientCertificateMode.Required)]),
                ClientCertificateMode.Required
            ),
            Authorities = f.Require("authorities", Scalars.FilePath),
        });
}
