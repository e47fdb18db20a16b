using Lintel.Config.Grammars;

namespace Lintel.Config;

/// <summary>
/// A client: a named kind of frontend, recognized by its requests, or a named consumer of the API, recognized by its credential.
/// </summary>
/// <remarks>
/// <see cref="When"/> reads what any client can send, so it is for shaping responses and not for protection. A credential counts only on
/// routes with a policy that verifies it: <c>apiKey</c> for <see cref="ApiKeys"/>, any authentication for <see cref="Claims"/>,
/// <c>clientCertificate</c> for <see cref="Certificates"/>.
/// </remarks>
public sealed record ClientConfig
{
    /// <summary>The requests of this client. Default: it is recognized by its credential only.</summary>
    public WhenConfig When { get; init; } = new();

    /// <summary>
    /// The API keys of the client, as hashes: <c>lintel key new CLIENT</c> creates a key and its hash. Several may be valid at a time, so
    /// that a client can change its key without interruption. Default: none.
    /// </summary>
    public ValueList<ApiKeyHashConfig> ApiKeys { get; init; } = [];

    /// <summary>
    /// Conditions on claims by name, all of which an identity must meet to be this client: <c>{ azp: shop-app }</c>. A dotted name leads
    /// into objects. The first client in the order of the configuration applies. Default: none.
    /// </summary>
    public ValueMap<ConditionConfig> Claims { get; init; } = [];

    /// <summary>
    /// Names of certificates: an identity of <c>clientCertificate</c> with one of them as a subject alternative name is this client. DNS
    /// names with <c>*.</c> for one label, URIs with <c>*</c> for one segment and a final <c>**</c> for any number, email addresses with
    /// <c>*@</c> for anyone. Default: none.
    /// </summary>
    public ValueList<string> Certificates { get; init; } = [];

    /// <summary>Scopes that the client has in addition to those in its credential, for <c>authorize</c>. Default: none.</summary>
    public ValueList<string> Scopes { get; init; } = [];

    internal const string NoSign = "nothing distinguishes this client from others";

    /// <summary>Whether the client is recognized by nothing.</summary>
    internal bool HasNoSign => When.IsEmpty && !HasCredential;

    /// <summary>Whether the client is recognized by a credential.</summary>
    internal bool HasCredential => ApiKeys.Count + Claims.Count + Certificates.Count > 0;

    /// <summary>A scope: RFC 6749 section 3.3.</summary>
    internal static Grammar<string> ScopeGrammar { get; } =
        new ScalarGrammar<string>(
            "a scope",
            "^[!#-Z\\[\\]-~]+$",
            static (string text, out string value) =>
            {
                value = text;
                return text.Length > 0 && text.All(static c => c is '!' or (>= '#' and <= '[') or (>= ']' and <= '~'));
            },
            "one scope for each item, without spaces and quotation marks"
        );

    internal static Grammar<ClientConfig> Grammar { get; } =
        new RecordGrammar<ClientConfig>(static f =>
        {
            f.NotYet("rateLimit", "quota");
            string[] signs = ["when", "apiKeys", "claims", "certificates"];
            if (f.IsReading && !signs.Any(f.Has))
                f.Report(
                    "missing-key",
                    null,
                    NoSign,
                    "add `when` with conditions on headers, query or cookies, or a credential: `apiKeys`, `claims` or `certificates`"
                );
            return new ClientConfig
            {
                When = f.Get("when", WhenConfig.Grammar, new WhenConfig()),
                ApiKeys = f.List("apiKeys", ApiKeyHashConfig.Grammar, allowSingle: true),
                Claims = f.FilledMap("claims", ConditionConfig.Grammar, ConditionConfig.NoneHint),
                Certificates = f.List("certificates", CertificatePattern.Grammar, allowSingle: true),
                Scopes = f.List("scopes", ScopeGrammar, allowSingle: true),
            };
        });
}

/// <summary>The hash of an API key.</summary>
public sealed record ApiKeyHashConfig
{
    private const string Prefix = "sha256:";

    private static readonly System.Buffers.SearchValues<char> HexDigits = System.Buffers.SearchValues.Create("0123456789abcdefABCDEF");

    /// <summary>The SHA-256 hash of the key's UTF-8 text: <c>sha256:</c> and 64 hexadecimal digits.</summary>
    public required string Hash { get; init; }

    /// <summary>The time from which the key is refused, in UTC. Default: it does not expire.</summary>
    public DateTimeOffset? Expires { get; init; }

    internal byte[] HashBytes => Convert.FromHexString(Hash.AsSpan(Prefix.Length));

    /// <summary>What is written is not repeated: it may be the key itself.</summary>
    private static Grammar<string> HashGrammar { get; } =
        new ScalarGrammar<string>(
            "the hash of an API key: `sha256:` and 64 hexadecimal digits",
            "^sha256:[0-9a-fA-F]{64}$",
            static (string text, out string value) =>
            {
                value = text.ToLowerInvariant();
                return IsHash(text);
            },
            "`lintel key new CLIENT` creates a key and its hash"
        )
        {
            IsSecret = true,
        };

    internal static Grammar<ApiKeyHashConfig> Grammar { get; } =
        new ShortFormGrammar<ApiKeyHashConfig>(
            static (Reading.ScalarNode scalar, KeyPath path, ConfigReport report, out ApiKeyHashConfig value) =>
            {
                var isRead = HashGrammar.TryRead(scalar, path, report, out var hash);
                value = isRead ? new ApiKeyHashConfig { Hash = hash } : null!;
                return isRead;
            },
            "The hash: `sha256:` and 64 hexadecimal digits",
            new RecordGrammar<ApiKeyHashConfig>(static f => new ApiKeyHashConfig
            {
                Hash = f.Require("hash", HashGrammar),
                Expires = f.FindValue("expires", Scalars.Time),
            })
        );

    internal static bool IsHash(string text) =>
        text.Length == Prefix.Length + 64
        && text.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase)
        && text.AsSpan(Prefix.Length).IndexOfAnyExcept(HexDigits) < 0;
}
