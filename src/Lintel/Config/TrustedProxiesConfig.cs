using System.Net;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;

namespace Lintel.Config;

/// <summary>The proxies in front of the gateway whose forwarding headers are trusted, and the headers that they overwrite.</summary>
public sealed record TrustedProxiesConfig
{
    /// <summary>Stands for the peers of Unix socket listeners, which have no address.</summary>
    internal const string Unix = "unix:";

    /// <summary>
    /// Addresses or CIDR ranges; <c>unix:</c> for peers of Unix socket listeners. Default: none, so forwarding headers are dropped.
    /// </summary>
    public ValueList<string> From { get; init; } = [];

    /// <summary>
    /// The headers that these proxies overwrite or append to: <c>forwarded</c>, <c>x-real-ip</c> and names that start with
    /// <c>x-forwarded-</c>. Other forwarding headers could originate from the client and are dropped. Default: <c>[x-forwarded-for,
    /// x-forwarded-proto]</c>, which every common load balancer that terminates TLS sets.
    /// </summary>
    public ValueList<string> Fields { get; init; } = ["x-forwarded-for", "x-forwarded-proto"];

    /// <summary>An address, a CIDR range, or <c>unix:</c>.</summary>
    internal static Grammar<string> AddressRange { get; } =
        new ScalarGrammar<string>(
            "an address range",
            null,
            static (string text, out string value) =>
            {
                value = text;
                return text == Unix || (text.Contains('/') ? IPNetwork.TryParse(text, out _) : IPAddress.TryParse(text, out _));
            },
            "write an address or a CIDR range: `10.0.0.0/8`, `fd00::/8`, `192.0.2.7`; `unix:` for the peers of Unix sockets"
        );

    private static Grammar<string> FieldGrammar { get; } =
        new ScalarGrammar<string>(
            "a forwarding field",
            null,
            static (string text, out string value) =>
            {
                value = text.ToLowerInvariant();
                return HeaderGrammar.IsToken(text)
                    && !text.Contains('_')
                    && (
                        value is "forwarded" or "x-real-ip"
                        || (value.StartsWith("x-forwarded-", StringComparison.Ordinal) && value.Length > 12)
                    );
            },
            "write `x-forwarded-for`, `x-forwarded-proto`, `x-forwarded-host`, another `x-forwarded-…`, `x-real-ip` or `forwarded`"
        );

    private static ListGrammar<string> FromList { get; } = new(AddressRange);

    internal static Grammar<TrustedProxiesConfig> Grammar { get; } = new ListOrRecordGrammar();

    private static RecordGrammar<TrustedProxiesConfig> Full { get; } =
        new(static f => new TrustedProxiesConfig
        {
            From = f.Require("from", new ListGrammar<string>(AddressRange, minimum: 1)) ?? [],
            Fields = f.Get("fields", new ListGrammar<string>(FieldGrammar, minimum: 1), new TrustedProxiesConfig().Fields),
        });

    /// <summary>A list is the short form.</summary>
    private sealed class ListOrRecordGrammar : Grammar<TrustedProxiesConfig>
    {
        public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out TrustedProxiesConfig value)
        {
            if (node is MapNode)
                return Full.TryRead(node, path, report, out value);
            var read = FromList.TryRead(node, path, report, out var from);
            value = new TrustedProxiesConfig { From = from ?? [] };
            return read;
        }

        public override System.Text.Json.Nodes.JsonObject Describe(SchemaDefinitions definitions) =>
            SchemaDefinitions.AnyOf(FromList.Describe(definitions), Full.Describe(definitions));
    }
}
