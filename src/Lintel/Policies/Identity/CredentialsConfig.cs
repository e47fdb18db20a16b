using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;

namespace Lintel.Policies.Identity;

/// <summary>What services receive of a caller's credentials.</summary>
public enum CredentialsKind
{
    /// <summary>Nothing.</summary>
    Strip,

    /// <summary>What the client sent.</summary>
    Pass,

    /// <summary>A token that the provider issued in exchange for the caller's (RFC 8693).</summary>
    Exchange,

    /// <summary>A token of the gateway itself (RFC 6749 section 4.4).</summary>
    ClientCredentials,
}

/// <summary>What services receive of a caller's credentials: <c>strip</c>, <c>pass</c>, or where their token is from.</summary>
public sealed record CredentialsConfig
{
    /// <summary>What services receive; in files, the short form. Default <c>strip</c>, or the one whose settings are given.</summary>
    public CredentialsKind Kind
    {
        get =>
            Exchange is not null ? CredentialsKind.Exchange
            : ClientCredentials is not null ? CredentialsKind.ClientCredentials
            : field;
        init;
    }

    /// <summary>
    /// The provider that exchanges the caller's access token for one that services accept (RFC 8693), and what is asked for. A request
    /// without an access token, or whose token the provider does not exchange, is refused.
    /// </summary>
    public TokenRequestConfig? Exchange { get; init; }

    /// <summary>The provider that issues a token to the gateway itself (RFC 6749 section 4.4): it says nothing about the caller.</summary>
    public TokenRequestConfig? ClientCredentials { get; init; }

    internal TokenRequestConfig? Request => Exchange ?? ClientCredentials;

    private const string Hint = "write `strip`, `pass`, `{ exchange: { issuer, clientId, … } }` or `{ clientCredentials: { … } }`";

    private static Grammar<CredentialsKind> Words { get; } =
        Scalars.Choice([("strip", CredentialsKind.Strip), ("pass", CredentialsKind.Pass)]);

    internal static Grammar<CredentialsConfig> Grammar { get; } =
        new ShortFormGrammar<CredentialsConfig>(
            static (ScalarNode scalar, KeyPath path, ConfigReport report, out CredentialsConfig value) =>
            {
                var isRead = Words.TryRead(scalar, path, report, out var kind);
                value = new CredentialsConfig { Kind = kind };
                return isRead;
            },
            "strip or pass",
            new RecordGrammar<CredentialsConfig>(static f =>
            {
                var credentials = new CredentialsConfig
                {
                    Exchange = f.Find("exchange", TokenRequestConfig.Grammar),
                    ClientCredentials = f.Find("clientCredentials", TokenRequestConfig.Grammar),
                };
                if (f.IsReading && f.Has("exchange") == f.Has("clientCredentials"))
                    f.Report(
                        f.Has("exchange") ? "conflict" : "missing-key",
                        null,
                        f.Has("exchange") ? "services receive one token" : "there is nothing that services receive",
                        Hint
                    );
                return credentials;
            })
        );
}

/// <summary>A request for a token: the provider, the gateway's credential there, and what the token is for.</summary>
public sealed record TokenRequestConfig : ProviderClientConfig
{
    /// <summary>The token endpoint, if the provider has no metadata at its issuer. Either this or <c>issuer</c> is required.</summary>
    public Uri? Address { get; init; }

    /// <summary>The services that the token is for, by the names that the provider knows (<c>audience</c>). Default: none.</summary>
    public ValueList<string> Audience { get; init; } = [];

    /// <summary>The services that the token is for, by their URLs (<c>resource</c>, RFC 8707). Default: none are sent.</summary>
    public ValueList<string> Resource { get; init; } = [];

    /// <summary>The scopes that are asked for. Default: none are sent, and the provider decides.</summary>
    public ValueList<string> Scope { get; init; } = [];

    internal override string Kind => IdentityConfig.Key;

    internal override (string Message, string Hint)? Problem =>
        ("a request for a token is no policy of its own", "set it in the `Credentials` of an `IdentityConfig`");

    /// <summary>The problem of the request; <see langword="null"/> for none.</summary>
    internal (string Message, string Hint)? RequestProblem =>
        (Issuer, Address) switch
        {
            (null, null) => ("the provider is not known", "set `issuer`, or `address` to its token endpoint"),
            ({ }, { }) => ("the provider is known by its issuer and by its address", "remove one of them"),
            _ => CredentialProblem,
        };

    private static Grammar<string> ResourceGrammar { get; } =
        new ScalarGrammar<string>(
            "an absolute URI without fragment",
            null,
            static (string text, out string value) =>
            {
                value = text;
                return Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Fragment.Length == 0;
            },
            "such as `https://orders.internal`"
        );

    internal static Grammar<TokenRequestConfig> Grammar { get; } =
        new RecordGrammar<TokenRequestConfig>(static f =>
        {
            var request = new TokenRequestConfig
            {
                Issuer = f.Find("issuer", IssuerGrammar),
                Address = f.Find("address", AddressGrammar),
                Authorities = f.Find("authorities", Scalars.FilePath),
                Timeout = f.Get("timeout", TimeoutGrammar, DefaultTimeout),
                ClientId = f.Require("clientId", HeaderGrammar.Value),
                ClientSecret = f.Find("clientSecret", SecretGrammar),
                ClientKey = f.Find("clientKey", Scalars.FilePath),
                ClientKeyId = f.Find("clientKeyId", HeaderGrammar.Value),
                ClientAuthentication = f.FindValue("clientAuthentication", ClientAuthenticationGrammar),
                Audience = f.List("audience", HeaderGrammar.Value, allowSingle: true),
                Resource = f.List("resource", ResourceGrammar, allowSingle: true),
                Scope = f.List("scope", ClientConfig.ScopeGrammar, allowSingle: true),
            };
            string[] keys = ["issuer", "address", "clientSecret", "clientKey", "clientAuthentication"];
            if (f.IsReading && !keys.Any(f.HasFailed) && request.RequestProblem is { } problem)
                f.Report("conflict", null, problem.Message, problem.Hint);
            return request;
        });
}
