using System.Globalization;
using System.Text;
using Lintel.Config.Grammars;

namespace Lintel.Config;

/// <summary>How the gateway authenticates itself to an identity provider.</summary>
public enum ClientAuthenticationKind
{
    /// <summary>With its identifier and secret in <c>Authorization: Basic</c> (RFC 6749 section 2.3.1).</summary>
    Basic,

    /// <summary>With its identifier and secret in the form.</summary>
    Post,

    /// <summary>With a signed assertion (RFC 7523 section 2.2, OpenID Connect Core 1.0 section 9).</summary>
    PrivateKeyJwt,
}

/// <summary>The keys that policies share which talk to an identity provider.</summary>
public abstract record ProviderConfig : PolicyConfig
{
    private protected ProviderConfig() { }

    /// <summary>
    /// The issuer: the provider's identifier, exactly as in its tokens. Its addresses and keys are found at
    /// <c>ISSUER/.well-known/openid-configuration</c> (OpenID Connect Discovery 1.0), or as RFC 8414 says.
    /// </summary>
    public string? Issuer { get; init; }

    /// <summary>
    /// A PEM file with the certificate authorities that the provider's certificate is checked against. Default: those of the system.
    /// </summary>
    public string? Authorities { get; init; }

    /// <summary>The time that a request to the provider may take, from 100 ms to 1 min. Default 5 s.</summary>
    public TimeSpan Timeout { get; init; } = DefaultTimeout;

    internal override IEnumerable<string> Files => Authorities is null ? [] : [Authorities];

    internal static TimeSpan DefaultTimeout { get; } = TimeSpan.FromSeconds(5);

    internal static Grammar<TimeSpan> TimeoutGrammar { get; } = Scalars.Duration(TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(1));

    /// <summary>An issuer: RFC 8414 section 2 allows neither query nor fragment.</summary>
    internal static Grammar<string> IssuerGrammar { get; } =
        new ScalarGrammar<string>(
            "an issuer, which is an http or https URL without query and fragment",
            "^https?://[^?#]+$",
            static (string text, out string value) =>
            {
                value = text;
                return IsAddress(text) && text.AsSpan().IndexOfAny('?', '#') < 0;
            },
            "write it exactly as the `iss` of the provider's tokens, such as `https://id.example.com`"
        );

    /// <summary>An address to which the gateway itself sends requests.</summary>
    internal static Grammar<Uri> AddressGrammar { get; } =
        new ScalarGrammar<Uri>(
            "an http or https URL without user and fragment",
            "^https?://[^#]+$",
            static (string text, out Uri value) =>
            {
                value = IsAddress(text) ? new Uri(text) : null!;
                return value is { Fragment: "" };
            },
            "such as `https://id.example.com/keys`"
        );

    private static bool IsAddress(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri)
        && uri.Scheme is "http" or "https"
        && uri.Host.Length > 0
        && uri.UserInfo.Length == 0;
}

/// <summary>The keys that policies share for which the gateway is a client of an identity provider.</summary>
public abstract record ProviderClientConfig : ProviderConfig
{
    private protected ProviderClientConfig() { }

    /// <summary>The gateway's identifier at the provider.</summary>
    public required string ClientId { get; init; }

    /// <summary>The gateway's secret at the provider; a placeholder keeps it out of the file: <c>${file:/run/secrets/shop}</c>.</summary>
    public string? ClientSecret { get; init; }

    /// <summary>
    /// A PEM file with the private key (RSA or EC) that signs the gateway's assertions, in place of a secret: the provider knows its public
    /// key.
    /// </summary>
    public string? ClientKey { get; init; }

    /// <summary>The <c>kid</c> of <see cref="ClientKey"/> at the provider. Default: none is sent.</summary>
    public string? ClientKeyId { get; init; }

    /// <summary>
    /// How the gateway authenticates itself. Default <c>basic</c> with <see cref="ClientSecret"/>, <c>privateKeyJwt</c> with
    /// <see cref="ClientKey"/>.
    /// </summary>
    public ClientAuthenticationKind? ClientAuthentication { get; init; }

    internal override IEnumerable<string> Files => ClientKey is null ? base.Files : base.Files.Append(ClientKey);

    /// <summary>A secret, which problems do not repeat.</summary>
    internal static Grammar<string> SecretGrammar { get; } =
        new ScalarGrammar<string>(
            "a secret",
            null,
            static (string text, out string value) =>
            {
                value = text;
                return text.Length > 0;
            },
            "keep it out of the file: `${file:/run/secrets/NAME}`"
        )
        {
            IsSecret = true,
        };

    internal static Grammar<ClientAuthenticationKind> ClientAuthenticationGrammar { get; } =
        Scalars.Choice([
            ("basic", ClientAuthenticationKind.Basic),
            ("post", ClientAuthenticationKind.Post),
            ("privateKeyJwt", ClientAuthenticationKind.PrivateKeyJwt),
        ]);

    /// <summary>The problem of the credential; <see langword="null"/> for none.</summary>
    internal (string Message, string Hint)? CredentialProblem =>
        (ClientSecret, ClientKey, ClientAuthentication) switch
        {
            (null, null, _) => ("the gateway has no credential for the provider", "set `clientSecret`, or `clientKey`"),
            ({ }, { }, _) => ("the gateway has two credentials for the provider", "remove `clientSecret` or `clientKey`"),
            ({ }, _, ClientAuthenticationKind.PrivateKeyJwt) => ("an assertion is signed with a key, not with a secret", "set `clientKey`"),
            (_, { }, ClientAuthenticationKind.Basic or ClientAuthenticationKind.Post) => (
                "a key signs assertions and is not sent",
                "write `clientAuthentication: privateKeyJwt`, or remove it"
            ),
            _ => null,
        };

    /// <summary>Everything but the secret.</summary>
    protected override bool PrintMembers(StringBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        base.PrintMembers(builder);
        builder.Append(CultureInfo.InvariantCulture, $", ClientId = {ClientId}, ClientKey = {ClientKey}, ClientKeyId = {ClientKeyId}");
        builder.Append(CultureInfo.InvariantCulture, $", ClientAuthentication = {ClientAuthentication}");
        return true;
    }
}
