using Lintel.Config;
using Lintel.Config.Grammars;

namespace Lintel.Policies.Jwt;

/// <summary>One of several issuers that a policy <c>jwt</c> accepts.</summary>
public sealed record JwtIssuerConfig
{
    /// <summary>
    /// The audiences (<c>aud</c>) of which a token of this issuer must have one; <c>any</c> for every token. Default: those of the policy.
    /// </summary>
    public ValueList<string> Audiences { get; init; } = [];

    /// <summary>
    /// The issuer's keys: a file, or the address of a JWK set. Default: they are found by the issuer's metadata. They verify tokens of this
    /// issuer alone.
    /// </summary>
    public KeySetLocation? Jwks { get; init; }

    internal static Grammar<JwtIssuerConfig> Grammar { get; } =
        new RecordGrammar<JwtIssuerConfig>(static f => new JwtIssuerConfig
        {
            Audiences = f.FilledList("audiences", Scalars.Text, TokenGrammar.AudienceHint, allowSingle: true),
            Jwks = f.Find("jwks", KeySetLocation.Grammar),
        });
}
