using Lintel.Config;
using Lintel.Config.Grammars;

namespace Lintel.Policies.Introspection;

/// <summary>
/// Asks the provider about each token whether it is valid (RFC 7662): for opaque tokens, and where revocation has to count soon.
/// </summary>
/// <remarks>
/// The token is in <c>Authorization: Bearer</c>. The answer is kept for a while; a request whose token cannot be asked for is refused with
/// a 503. Signed answers (RFC 9701) are not requested and not accepted.
/// </remarks>
public sealed record IntrospectionConfig : ProviderClientConfig
{
    internal const string Key = "introspection";

    private static readonly TimeSpan DefaultCache = TimeSpan.FromSeconds(60);

    /// <summary>
    /// The address of the introspection endpoint. Default: that in the metadata of <see cref="ProviderConfig.Issuer"/>. One of the two is
    /// required; with both, the answer's <c>iss</c> must be the issuer.
    /// </summary>
    public Uri? Address { get; init; }

    /// <summary>
    /// The audiences (<c>aud</c>) of which a token must have one. Default: any; the provider decides for whom it answers.
    /// </summary>
    public ValueList<string> Audiences { get; init; } = [];

    /// <summary>
    /// How long the answer for a valid token is kept, at most until the token expires, up to 10 min. A revoked token is accepted for as
    /// long. Answers for other tokens are kept for up to 5 s. Default 60 s; <c>0s</c> asks for each request.
    /// </summary>
    public TimeSpan Cache { get; init; } = DefaultCache;

    internal static Grammar<IntrospectionConfig> Grammar { get; } =
        new RecordGrammar<IntrospectionConfig>(static f =>
        {
            var config = new IntrospectionConfig
            {
                Issuer = f.Find("issuer", IssuerGrammar),
                Address = f.Find("address", AddressGrammar),
                ClientId = f.Require("clientId", Scalars.Text),
                ClientSecret = f.Find("clientSecret", SecretGrammar),
                ClientKey = f.Find("clientKey", Scalars.FilePath),
                ClientKeyId = f.Find("clientKeyId", Scalars.Text),
                ClientAuthentication = f.FindValue("clientAuthentication", ClientAuthenticationGrammar),
                Audiences = f.FilledList("audiences", Scalars.Text, "remove it to accept any audience", allowSingle: true),
                Cache = f.Get("cache", Scalars.Duration(TimeSpan.Zero, TimeSpan.FromMinutes(10)), DefaultCache),
                Authorities = f.Find("authorities", Scalars.FilePath),
                Timeout = f.Get("timeout", TimeoutGrammar, DefaultTimeout),
            };
            string[] together = ["issuer", "address", "clientSecret", "clientKey", "clientAuthentication"];
            if (f.IsReading && !together.Any(f.HasFailed) && config.Problem is { } problem)
                f.Report("conflict", null, problem.Message, problem.Hint);
            return config;
        });

    internal override string Kind => Key;

    internal override (string Message, string Hint)? Problem =>
        Issuer is null && Address is null
            ? ("the policy knows no provider", "set `issuer`, or the `address` of the introspection endpoint")
            : CredentialProblem;
}
