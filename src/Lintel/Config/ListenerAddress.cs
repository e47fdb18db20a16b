using System.Globalization;
using System.Net;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;

namespace Lintel.Config;

/// <summary>Where to listen.</summary>
public sealed record ListenerAddress
{
    private const string UnixPrefix = "unix:";

    /// <summary>An address to listen on.</summary>
    /// <param name="host">An IP address without brackets, <c>localhost</c> (both loopback addresses), <c>*</c> (every address), or the
    /// path of a Unix socket.</param>
    /// <param name="port">0 to 65535; 0 takes any free port, and is a Unix socket's.</param>
    /// <param name="isTls">Whether clients connect with TLS.</param>
    public ListenerAddress(string host, int port, bool isTls = false) => (Host, Port, IsTls) = (host, port, isTls);

    /// <summary>
    /// An IP address without brackets, <c>localhost</c> (both loopback addresses), <c>*</c> (every address), or the path of a Unix socket.
    /// </summary>
    public string Host { get; }

    /// <summary>0 to 65535; 0 takes any free port, and is a Unix socket's.</summary>
    public int Port { get; }

    /// <summary>Whether clients connect with TLS.</summary>
    public bool IsTls { get; }

    /// <summary>Whether it is a Unix socket; <see cref="Host"/> is its path then.</summary>
    internal bool IsUnix => Host.StartsWith('/');

    /// <summary>Whether only this machine can reach it.</summary>
    internal bool IsLoopback => IsUnix || Host == "localhost" || (IPAddress.TryParse(Host, out var ip) && IPAddress.IsLoopback(ip));

    internal static Grammar<ListenerAddress> Grammar { get; } = new AddressGrammar(isListener: true);

    /// <summary>For the admin address: plain TCP.</summary>
    internal static Grammar<ListenerAddress> PlainGrammar { get; } = new AddressGrammar(isListener: false);

    /// <inheritdoc/>
    public override string ToString() =>
        (IsTls ? "https://" : "http://")
        + (
            IsUnix ? UnixPrefix + Host
            : Host.Contains(':') ? $"[{Host}]:{Port}"
            : $"{Host}:{Port}"
        );

    /// <summary>Whether the two cannot be open at once, whatever is spoken on them.</summary>
    internal bool IsSamePlace(ListenerAddress other) => Host == other.Host && Port == other.Port && (Port != 0 || IsUnix);

    private sealed class AddressGrammar(bool isListener) : Grammar<ListenerAddress>
    {
        private string Hint =>
            isListener
                ? "write `http://ADDRESS:PORT` or `https://ADDRESS:PORT`, such as `http://0.0.0.0:8080` or `https://[::1]:8443`, or "
                    + "`http://unix:/run/lintel.sock`"
                : "write `http://ADDRESS:PORT`, such as `http://127.0.0.1:9901` or `http://[::1]:9901`";

        public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out ListenerAddress value)
        {
            value = null!;
            if (node is not ScalarNode { IsNull: false } scalar)
            {
                report.Add("wrong-type", node, path, $"an address is expected, not {node.Kind}", Hint);
                return false;
            }

            var text = scalar.Text;
            var isTls = isListener && text.StartsWith("https://", StringComparison.OrdinalIgnoreCase);
            var scheme =
                isTls ? 8
                : text.StartsWith("http://", StringComparison.OrdinalIgnoreCase) ? 7
                : -1;
            if (scheme > 0 && isListener && text[scheme..].StartsWith(UnixPrefix + "/", StringComparison.Ordinal))
                return TryReadUnix(text[(scheme + UnixPrefix.Length)..], isTls, node, path, report, out value);
            if (scheme < 0 || !TrySplit(text[scheme..].TrimEnd('/'), out var host, out var port))
            {
                report.Add("bad-value", node, path, $"`{scalar.Written}` is not an address to listen on", Hint);
                return false;
            }

            if (host is not ("*" or "localhost") && !IPAddress.TryParse(host, out _))
            {
                report.Add(
                    "bad-value",
                    node,
                    path,
                    $"`{host}` is not an IP address",
                    "listen on an IP address, `localhost` or `*`; choose names with `match.hosts`"
                );
                return false;
            }

            value = new ListenerAddress(host, port, isTls);
            return true;
        }

        public override System.Text.Json.Nodes.JsonObject Describe(SchemaDefinitions definitions) =>
            new() { ["type"] = "string", ["pattern"] = isListener ? "^https?://(unix:/.+|.+:[0-9]+/?)$" : "^http://.+:[0-9]+/?$" };

        private static bool TryReadUnix(
            string file,
            bool isTls,
            ConfigNode node,
            KeyPath path,
            ConfigReport report,
            out ListenerAddress value
        )
        {
            value = new ListenerAddress(file, 0, isTls);
            if (System.Text.Encoding.UTF8.GetByteCount(file) <= 107) // sockaddr_un's 108 bytes with the final zero
                return true;
            report.Add("bad-value", node, path, "the socket's path is longer than 107 bytes", "Linux does not allow longer paths");
            return false;
        }

        private static bool TrySplit(string authority, out string host, out int port)
        {
            var colon = authority.LastIndexOf(':');
            host = colon < 0 ? "" : authority[..colon];
            port = 0;
            var isBracketed = host.StartsWith('[') && host.EndsWith(']');
            if (isBracketed)
                host = host[1..^1];
            return host.Length > 0
                && isBracketed == host.Contains(':')
                && int.TryParse(authority.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out port)
                && port <= 65535;
        }
    }
}
