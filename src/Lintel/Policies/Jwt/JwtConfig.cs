using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Identities.Tokens;
using Lintel.Pipeline;

namespace Lintel.Policies.Jwt;

/// <summary>Requires a signed token (JWT, RFC 7519) of an issuer, such as an access token of an OpenID provider (RFC 9068).</summary>
/// <remarks>
/// The token is in <c>Authorization: Bearer</c>. Its signature is verified with the issuer's keys, which are fetched ahead of the first
/// request and refreshed in the background; a provider that does not respond stops nothing that a known key can decide.
/// </remarks>
public sealed record JwtConfig : ProviderConfig
{
    internal const string Key = "jwt";

    private static readonly TimeSpan DefaultSkew = TimeSpan.FromSeconds(30);

    private static readonly string AllAlgorithms = string.Join(", ", SignatureAlgorithm.All.Select(a => $"`{a.Name}`"));

    /// <summary>
    /// Several issuers, each with its own keys, in place of <see cref="ProviderConfig.Issuer"/>. A key of one never verifies a token of
    /// another. Default: none.
    /// </summary>
    public ValueMap<JwtIssuerConfig> Issuers { get; init; } = [];

    /// <summary>
    /// The audiences (<c>aud</c>) of which a token must have one; <c>any</c> for every token of the issuer, including those for other
    /// services. Required, unless every issuer has its own.
    /// </summary>
    public ValueList<string> Audiences { get; init; } = [];

    /// <summary>
    /// The issuer's keys: a file with a JWK set (RFC 7517) or with public keys in PEM, or the address of a JWK set. Default: they are found
    /// by the issuer's metadata.
    /// </summary>
    public KeySetLocation? Jwks { get; init; }

    /// <summary>
    /// The accepted signature algorithms. Default: <c>ES256</c>, <c>ES384</c>, <c>ES512</c>, <c>PS256</c>, <c>PS384</c>, <c>PS512</c>,
    /// <c>RS256</c>, <c>RS384</c>, <c>RS512</c>, which are all that exist here: there are no unsigned tokens and no shared secrets.
    /// </summary>
    public ValueList<string> Algorithms { get; init; } = [];

    /// <summary>How far the provider's clock may differ from the gateway's, up to 5 min. Default 30 s.</summary>
    public TimeSpan ClockSkew { get; init; } = DefaultSkew;

    /// <summary>
    /// The types of tokens (<c>typ</c>) that are accepted, such as <c>at+jwt</c>. Default: <c>JWT</c>, <c>at+jwt</c>, and none.
    /// </summary>
    public ValueList<string> Types { get; init; } = [];

    /// <summary>
    /// What a token must be bound to, one of these: <c>dpop</c>, <c>certificate</c>. A token that is bound to something is never accepted
    /// without its proof, whatever is written here. Default: tokens need not be bound.
    /// </summary>
    public ValueList<TokenBinding> BoundTo { get; init; } = [];

    /// <summary>
    /// Whether a DPoP proof must contain a nonce that this gateway has issued in the last 5 min (RFC 9449 section 9), so that proofs cannot
    /// be made in advance. Clients must reach the same gateway again. Default false.
    /// </summary>
    public bool DpopNonce { get; init; }

    /// <summary>
    /// The header that carries the token; one other than <c>Authorization</c> has the token alone. Default <c>Authorization</c>, with the
    /// scheme <c>Bearer</c> or <c>DPoP</c>.
    /// </summary>
    public string Header { get; init; } = BearerToken.Authorization;

    private static Grammar<string> AlgorithmGrammar { get; } =
        new ScalarGrammar<string>(
            "a signature algorithm with a public key",
            $"^({string.Join('|', SignatureAlgorithm.All.Select(a => a.Name))})$",
            static (string text, out string value) =>
            {
                value = text;
                return SignatureAlgorithm.Find(text) is not null;
            },
            $"use {AllAlgorithms}"
        );

    internal static Grammar<JwtConfig> Grammar { get; } =
        new RecordGrammar<JwtConfig>(static f =>
        {
            var jwt = new JwtConfig
            {
                Issuer = f.Find("issuer", IssuerGrammar),
                Issuers = f.FilledMap("issuers", JwtIssuerConfig.Grammar, "list at least one issuer", IssuerGrammar),
                Audiences = f.FilledList("audiences", Scalars.Text, TokenGrammar.AudienceHint, allowSingle: true),
                Jwks = f.Find("jwks", KeySetLocation.Grammar),
                Algorithms = f.FilledList("algorithms", AlgorithmGrammar, "remove it to accept all", allowSingle: true),
                ClockSkew = f.Get("clockSkew", TokenGrammar.ClockSkew, DefaultSkew),
                Types = f.FilledList("types", Scalars.Text, "remove it to accept `JWT`, `at+jwt` and none", allowSingle: true),
                BoundTo = f.FilledList("boundTo", TokenGrammar.Binding, "remove it: tokens need not be bound then", allowSingle: true),
                DpopNonce = f.Get("dpopNonce", Scalars.Boolean, false),
                Header = f.Get("header", MatchConfig.TokenGrammar, BearerToken.Authorization),
                Authorities = f.Find("authorities", Scalars.FilePath),
                Timeout = f.Get("timeout", TimeoutGrammar, DefaultTimeout),
            };
            string[] together = ["issuer", "issuers", "audiences", "jwks", "boundTo"];
            if (f.IsReading && !together.Any(f.HasFailed) && jwt.FindProblem() is { } problem)
                f.Report(problem.Code, problem.Key, problem.Message, problem.Hint);
            return jwt;
        });

    internal override string Kind => Key;

    internal override IEnumerable<string> SecretHeaders => [Header];

    internal override IEnumerable<string> Files => base.Files.Concat(Locations.Select(l => l?.File).OfType<string>());

    internal override (string Message, string Hint)? Problem => FindProblem() is { } found ? (found.Message, found.Hint) : null;

    /// <summary>The issuers with their audiences and keys, in whichever way they are written.</summary>
    internal IEnumerable<KeyValuePair<string, JwtIssuerConfig>> EffectiveIssuers =>
        Issuer is { } issuer
            ? [new(issuer, new JwtIssuerConfig { Audiences = Audiences, Jwks = Jwks })]
            : Issuers.Select(i =>
                KeyValuePair.Create(i.Key, i.Value.Audiences.Count > 0 ? i.Value : i.Value with { Audiences = Audiences })
            );

    /// <summary>Whether the token is in <c>Authorization</c>, in any spelling.</summary>
    internal bool IsAuthorization => Header.Equals(BearerToken.Authorization, StringComparison.OrdinalIgnoreCase);

    private IEnumerable<KeySetLocation?> Locations => EffectiveIssuers.Select(i => i.Value.Jwks);

    private (string Code, string? Key, string Message, string Hint)? FindProblem() =>
        FindIssuerProblem() ?? FindKeyProblem() ?? FindBindingProblem();

    private (string Code, string? Key, string Message, string Hint)? FindIssuerProblem()
    {
        if (Issuer is null && Issuers.Count == 0)
            return ("missing-key", null, "the policy accepts no issuer", "set `issuer`, or `issuers` for several");
        if (Issuer is not null && Issuers.Count > 0)
            return ("conflict", "issuers", "`issuer` and `issuers` are both set", "move the issuer into `issuers`");
        if (EffectiveIssuers.Any(i => i.Value.Audiences.Count == 0))
            return ("missing-key", null, "`audiences` is missing: tokens for other services would be accepted", TokenGrammar.AudienceHint);
        return EffectiveIssuers.Select(i => TokenGrammar.ProblemOf(i.Value.Audiences)).FirstOrDefault(p => p is not null) is { } problem
            ? ("conflict", "audiences", problem.Message, problem.Hint)
            : null;
    }

    private (string Code, string? Key, string Message, string Hint)? FindKeyProblem()
    {
        if (Issuers.Count > 0 && Jwks is not null)
            return ("conflict", "jwks", "these keys belong to none of the issuers", "move `jwks` below its issuer");
        if (EffectiveIssuers.Any(i => i.Value.Jwks?.Address?.Scheme == "http" && i.Key.StartsWith("https:", StringComparison.Ordinal)))
            return ("insecure", "jwks", "keys that are fetched without TLS can be replaced on the way", "write an https address");
        return Locations.All(l => l?.File is not null) && (Authorities is not null || Timeout != DefaultTimeout)
            ? (
                "conflict",
                Authorities is null ? "timeout" : "authorities",
                "no keys are fetched: all of them are in files",
                "remove `authorities` and `timeout`"
            )
            : null;
    }

    private (string Code, string? Key, string Message, string Hint)? FindBindingProblem()
    {
        var isDpop = BoundTo.Contains(TokenBinding.Dpop);
        if (DpopNonce && !isDpop)
            return ("conflict", "dpopNonce", "tokens need not have a DPoP proof here", "write `boundTo: dpop`, or remove `dpopNonce`");
        return isDpop && !IsAuthorization
            ? ("conflict", "header", "a token with a DPoP proof is sent in `Authorization`", "remove `header`, or `dpop` from `boundTo`")
            : null;
    }
}
