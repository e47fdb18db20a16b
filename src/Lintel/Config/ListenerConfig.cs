using System.Globalization;
using System.Net;

namespace Lintel.Config;

/// <summary>An HTTP version that a listener offers.</summary>
public enum ListenerProtocol
{
    /// <summary>HTTP/1.1 (and 1.0).</summary>
    Http1,

    /// <summary>HTTP/2; without TLS by prior knowledge (h2c).</summary>
    Http2,
}

/// <summary>Where clients connect.</summary>
public sealed record ListenerConfig
{
    /// <summary>Scheme, address and port, such as <c>http://0.0.0.0:8080</c>. Port 0 takes any free one.</summary>
    public required ListenerAddress Address { get; init; }

    /// <summary>The HTTP versions offered. Default: HTTP/1.1. Without TLS a listener speaks one of them.</summary>
    public ValueList<ListenerProtocol> Protocols { get; init; } = [ListenerProtocol.Http1];

    /// <summary>Used when the configuration names no listener.</summary>
    internal static ListenerConfig Default { get; } = new() { Address = new ListenerAddress("127.0.0.1", 8080) };

    internal static Grammar<ListenerConfig> Grammar { get; } = new ShortFormGrammar<ListenerConfig>(
        static (ScalarNode scalar, KeyPath path, ConfigReport report, out ListenerConfig value) =>
        {
            var read = ListenerAddress.Grammar.TryRead(scalar, path, report, out var address);
            value = read ? new ListenerConfig { Address = address } : null!;
            return read;
        },
        "The address, such as http://0.0.0.0:8080",
        new RecordGrammar<ListenerConfig>(static f =>
        {
            f.NotYet("certificates", "clientCertificates", "transport", "limits", "proxyProtocol");
            var listener = new ListenerConfig
            {
                Address = f.Require("address", ListenerAddress.Grammar),
                Protocols = f.Get("protocols", new ListGrammar<ListenerProtocol>(Scalars.Choice([("http1", ListenerProtocol.Http1), ("http2", ListenerProtocol.Http2)], "http3"), minimum: 1), [ListenerProtocol.Http1]),
            };
            if (listener.Protocols.Count > 1)
                f.Report("bad-value", "protocols", "without TLS a listener cannot offer HTTP/1.1 and HTTP/2 on one port", "name one of them, or open two listeners");
            return listener;
        }));

    internal static Grammar<string> NetworkGrammar { get; } = new ScalarGrammar<string>("an address range", null, static (string text, out string value) =>
    {
        value = text;
        return text.Contains('/') ? IPNetwork.TryParse(text, out _) : IPAddress.TryParse(text, out _);
    }, "write an address or a CIDR range: `10.0.0.0/8`, `fd00::/8`, `192.0.2.7`");
}

/// <summary>Where to listen.</summary>
/// <param name="Host">An IP address without brackets, <c>localhost</c> (both loopback addresses), or <c>*</c> (every address).</param>
/// <param name="Port">0 to 65535; 0 takes any free port.</param>
public sealed record ListenerAddress(string Host, int Port)
{
    /// <summary>Whether only this machine can reach it.</summary>
    public bool IsLoopback => Host == "localhost" || (IPAddress.TryParse(Host, out var ip) && IPAddress.IsLoopback(ip));

    internal static Grammar<ListenerAddress> Grammar { get; } = new AddressGrammar();

    /// <inheritdoc/>
    public override string ToString() => Host.Contains(':') ? $"http://[{Host}]:{Port}" : $"http://{Host}:{Port}";

    private sealed class AddressGrammar : Grammar<ListenerAddress>
    {
        private const string Hint = "write `http://ADDRESS:PORT`, such as `http://0.0.0.0:8080` or `http://[::1]:8080`";

        public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out ListenerAddress value)
        {
            value = null!;
            if (node is not ScalarNode { IsNull: false } scalar)
            {
                report.Add("wrong-type", node, path, $"an address is expected, not {node.Kind}", Hint);
                return false;
            }

            var text = scalar.Text;
            if (text.StartsWith("https://", StringComparison.OrdinalIgnoreCase) || text.StartsWith("http://unix:", StringComparison.OrdinalIgnoreCase))
            {
                report.Add("not-available", node, path, text[4] is 's' or 'S' ? "TLS listeners are not available yet" : "Unix sockets are not available yet", Hint);
                return false;
            }

            if (!text.StartsWith("http://", StringComparison.OrdinalIgnoreCase) || !TrySplit(text["http://".Length..].TrimEnd('/'), out var host, out var port))
            {
                report.Add("bad-value", node, path, $"`{scalar.Written}` is not an address to listen on", Hint);
                return false;
            }

            if (host is not ("*" or "localhost") && !IPAddress.TryParse(host, out _))
            {
                report.Add("bad-value", node, path, $"`{host}` is not an IP address", "listen on an IP address, `localhost` or `*`; choose names with `match.hosts`");
                return false;
            }

            value = new ListenerAddress(host, port);
            return true;
        }

        public override System.Text.Json.Nodes.JsonObject Describe(SchemaDefinitions definitions) =>
            new() { ["type"] = "string", ["pattern"] = "^http://.+:[0-9]+/?$" };

        private static bool TrySplit(string authority, out string host, out int port)
        {
            var colon = authority.LastIndexOf(':');
            host = colon < 0 ? "" : authority[..colon];
            port = 0;
            var isBracketed = host.StartsWith('[') && host.EndsWith(']');
            if (isBracketed)
                host = host[1..^1];
            return host.Length > 0 && isBracketed == host.Contains(':')
                && int.TryParse(authority.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out port) && port <= 65535;
        }
    }
}
