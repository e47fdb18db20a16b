using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Identities.Providers;

namespace Lintel.Policies.Identity;

/// <summary>A token (JWT) that the gateway signs to tell services who the caller is.</summary>
/// <remarks>
/// It holds <c>iss</c>, <c>aud</c>, <c>sub</c> (the caller's subject), <c>client</c> (the configured client), <c>scope</c>, the chosen
/// claims, <c>iat</c>, <c>nbf</c>, <c>exp</c> and <c>jti</c>; what is not known is absent. Requests of nobody get no token. A token is
/// reused for requests of the same caller for three quarters of its lifetime. Services verify it with the keys that the admin address
/// publishes at <c>/.well-known/jwks.json</c>.
/// </remarks>
public sealed record IdentityTokenConfig
{
    /// <summary>
    /// A PEM file with a private key, RSA of at least 2048 bits (RS256) or EC (ES256, ES384, ES512), or a list of them: the first one
    /// signs, all are published. To change keys without interruption add the new one at the end, then move it to the front when services
    /// have read it, and remove the old one when its last token has expired. At least one.
    /// </summary>
    public required ValueList<string> Key { get; init; }

    /// <summary>The <c>iss</c> of the tokens. Default: the gateway's <c>name</c>, or <c>lintel</c>.</summary>
    public string? Issuer { get; init; }

    /// <summary>The <c>aud</c> of the tokens: the services that they are for, which refuse tokens for others. At least one.</summary>
    public required ValueList<string> Audience { get; init; }

    /// <summary>How long a token is valid, from 10 s to 1 h. Default 60 s.</summary>
    public TimeSpan Lifetime { get; init; } = DefaultLifetime;

    /// <summary>The header that carries the token; in <c>Authorization</c>, the default, as <c>Bearer</c>.</summary>
    public string Header { get; init; } = DefaultHeader;

    /// <summary>Claims of the caller that the token has, too. A dotted name leads into objects. Default: none.</summary>
    public ValueList<string> Claims { get; init; } = [];

    /// <summary>
    /// A path at which the gateway publishes the keys, on the hosts of the routes that use the policy and any other, for everybody:
    /// <c>/.well-known/jwks.json</c>. Default: the admin address alone does.
    /// </summary>
    public string? Path { get; init; }

    internal const string DefaultHeader = "Authorization";

    private static readonly TimeSpan DefaultLifetime = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan Shortest = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    /// <summary>Claims that the gateway itself makes.</summary>
    private static readonly string[] Own = ["iss", "aud", "sub", "client", "scope", "iat", "nbf", "exp", "jti"];

    private static Grammar<string> ClaimGrammar { get; } =
        new ScalarGrammar<string>(
            "a claim that a token may have in addition",
            null,
            static (string text, out string value) =>
            {
                value = text;
                return text.Length > 0 && !Own.Contains(text);
            },
            $"the gateway sets {string.Join(", ", Own.Select(c => $"`{c}`"))} itself"
        );

    private static Grammar<string> PathGrammar { get; } =
        new ScalarGrammar<string>(
            "a path of plain segments",
            "^(/[A-Za-z0-9._~-]+)+$",
            static (string text, out string value) =>
            {
                value = text;
                return IsPath(text);
            },
            "write a path such as `/.well-known/jwks.json`, without a slash at its end and without parameters"
        );

    internal static Grammar<IdentityTokenConfig> Grammar { get; } =
        new RecordGrammar<IdentityTokenConfig>(static f =>
        {
            const string Few = "name a file with a private key: `key: certs/internal.key`";
            var token = new IdentityTokenConfig
            {
                Key = f.Require("key", new ListGrammar<string>(KeyGrammar.Instance, minimum: 1, allowSingle: true, Few)) ?? [],
                Issuer = f.Find("issuer", HeaderGrammar.Value),
                Audience = f.Require(
                    "audience",
                    new ListGrammar<string>(
                        HeaderGrammar.Value,
                        minimum: 1,
                        allowSingle: true,
                        "name who the tokens are for: `audience: internal`"
                    )
                ) ?? [],
                Lifetime = f.Get("lifetime", Scalars.Duration(Shortest, Longest), DefaultLifetime),
                Header = f.Get("header", HeaderGrammar.Name, DefaultHeader),
                Claims = f.List("claims", ClaimGrammar, allowSingle: true),
                Path = f.Find("path", PathGrammar),
            };
            return token;
        });

    /// <summary>The problem of a token that was configured in code; <see langword="null"/> for none.</summary>
    internal (string Message, string Hint)? Problem =>
        this switch
        {
            { Key.Count: 0 } => ("there is no key that signs tokens", "set `Key`"),
            { Audience.Count: 0 } => ("the tokens are for nobody", "set `Audience`"),
            _ when Lifetime < Shortest || Lifetime > Longest => ("`Lifetime` is out of range", "set it from 10 s to 1 h"),
            _ when Path is not null && !IsPath(Path) => ("`Path` is not a path of plain segments", "such as `/.well-known/jwks.json`"),
            _ when Claims.Any(Own.Contains) => ("`Claims` has one that the gateway sets itself", "remove it"),
            _ => null,
        };

    private static bool IsPath(string text) =>
        text.StartsWith('/')
        && text.Split('/')
            .Skip(1)
            .All(s => s is not ("" or "." or "..") && s.All(static c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '~' or '-'));

    /// <summary>A file with a key that can sign.</summary>
    private sealed class KeyGrammar : Grammar<string>
    {
        public static KeyGrammar Instance { get; } = new();

        public override bool TryRead(Config.Reading.ConfigNode node, KeyPath path, ConfigReport report, out string value)
        {
            if (!Scalars.FilePath.TryRead(node, path, report, out value))
                return false;
            try
            {
                SigningKey.Load(value, id: null).Key.Dispose();
                return true;
            }
            catch (Exception e) when (e is FormatException or IOException or UnauthorizedAccessException)
            {
                report.Add(
                    "bad-value",
                    node,
                    path,
                    e.Message,
                    "`openssl ecparam -name prime256v1 -genkey -noout -out internal.key` makes one"
                );
                return false;
            }
        }

        public override System.Text.Json.Nodes.JsonObject Describe(SchemaDefinitions definitions) => Scalars.FilePath.Describe(definitions);
    }
}
