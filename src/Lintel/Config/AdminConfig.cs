using Lintel.Config.Grammars;
using Lintel.Config.Reading;

namespace Lintel.Config;

/// <summary>The admin address: health, readiness, metrics, and the admin API.</summary>
public sealed record AdminConfig
{
    /// <summary>Whether the admin address is opened. Default true.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>The address to listen on. Default <c>http://127.0.0.1:9901</c>. An address other than loopback requires a token.</summary>
    public ListenerAddress Address { get; init; } = new("127.0.0.1", 9901);

    /// <summary>
    /// The bearer token that is required for everything except <c>/health/…</c>. Default: none, which is allowed on loopback only; a
    /// <c>Host</c> other than those of this machine is then refused. Fewer than 16 bytes are a warning.
    /// </summary>
    public string Token { get; init; } = "";

    /// <summary><c>"${TOKEN:-}"</c> may expand to nothing.</summary>
    private static Grammar<string> OptionalText { get; } = new OptionalTextGrammar();

    internal static Grammar<AdminConfig> Grammar { get; } =
        new RecordGrammar<AdminConfig>(static f =>
        {
            var admin = new AdminConfig
            {
                Enabled = f.Get("enabled", Scalars.Boolean, true),
                Address = f.Get("address", ListenerAddress.PlainGrammar, new("127.0.0.1", 9901)),
                Token = f.Get("token", OptionalText, ""),
            };
            if (f.Get("console", Scalars.Boolean, false))
                f.Report("not-available", "console", "the console is not available yet", "write `console: false`, or remove it");
            if (f.IsReading && !f.HasFailed("token") && !admin.Address.IsLoopback && admin.Token.Length == 0)
                f.Report(
                    "insecure",
                    "address",
                    $"the admin address {admin.Address} is reachable from other machines and has no token",
                    "set `admin.token`, or listen on 127.0.0.1"
                );
            if (admin.Token.Length > 0 && !f.HasFailed("token") && System.Text.Encoding.UTF8.GetByteCount(admin.Token) < MinTokenBytes)
                f.Warn(
                    "weak",
                    "token",
                    $"the token is shorter than {MinTokenBytes} bytes and can be guessed",
                    "generate one with `openssl rand -base64 32`"
                );
            return admin;
        });

    /// <summary>
    /// 128 bits: the strength that RFC 6750 and OWASP's session id guidance consider infeasible to guess for random values.
    /// </summary>
    private const int MinTokenBytes = 16;

    /// <summary>Whether the web console is served. Not available yet: only <see langword="false"/> is accepted.</summary>
    public bool Console { get; init; }

    private sealed class OptionalTextGrammar : Grammar<string>
    {
        public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out string value)
        {
            value = (node as ScalarNode)?.Text ?? "";
            if (node is ScalarNode)
                return true;
            report.Add("wrong-type", node, path, $"text is expected, not {node.Kind}");
            return false;
        }

        public override System.Text.Json.Nodes.JsonObject Describe(SchemaDefinitions definitions) => Scalars.Text.Describe(definitions);
    }
}
