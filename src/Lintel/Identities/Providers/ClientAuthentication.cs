using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using Lintel.Config;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Lintel.Identities.Providers;

/// <summary>How the gateway proves to a provider who it is.</summary>
internal sealed class ClientAuthentication : IDisposable
{
    /// <summary>An assertion is used once, at once.</summary>
    private static readonly TimeSpan AssertionLifetime = TimeSpan.FromMinutes(1);

    private readonly ProviderClientConfig _config;
    private readonly ClientAuthenticationKind _kind;
    private readonly SigningCredentials? _signing;
    private readonly AsymmetricAlgorithm? _key;

    /// <exception cref="FormatException">The key cannot be used.</exception>
    public ClientAuthentication(ProviderClientConfig config)
    {
        _config = config;
        _kind = config.ClientAuthentication
            ?? (config.ClientKey is null ? ClientAuthenticationKind.Basic : ClientAuthenticationKind.PrivateKeyJwt);
        if (config.ClientKey is { } file)
            (_key, _signing) = SigningKey.Load(file, config.ClientKeyId);
    }

    /// <summary>The value of <c>Authorization</c>; <see langword="null"/> where the form carries the credential.</summary>
    public AuthenticationHeaderValue? Header =>
        _kind == ClientAuthenticationKind.Basic
            ? new AuthenticationHeaderValue(
                "Basic",
                Convert.ToBase64String(
                    // RFC 6749 section 2.3.1: both are form-encoded before they are joined
                    Encoding.ASCII.GetBytes($"{Uri.EscapeDataString(_config.ClientId)}:{Uri.EscapeDataString(_config.ClientSecret!)}")
                )
            )
            : null;

    /// <summary>Adds to a form what the credential needs there.</summary>
    /// <param name="form">The form.</param>
    /// <param name="audience">The provider's issuer, to which an assertion is addressed.</param>
    /// <param name="now">The current time.</param>
    public void AddTo(List<KeyValuePair<string, string>> form, string audience, DateTimeOffset now)
    {
        form.Add(new("client_id", _config.ClientId));
        if (_kind == ClientAuthenticationKind.Post)
            form.Add(new("client_secret", _config.ClientSecret!));
        if (_signing is null)
            return;
        form.Add(new("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
        form.Add(new("client_assertion", Assertion(_signing, audience, now)));
    }

    public void Dispose() => _key?.Dispose();

    private string Assertion(SigningCredentials signing, string audience, DateTimeOffset now) =>
        new JsonWebTokenHandler { SetDefaultTimesOnTokenCreation = false }.CreateToken(
            new SecurityTokenDescriptor
            {
                Issuer = _config.ClientId,
                Audience = audience,
                IssuedAt = now.UtcDateTime,
                NotBefore = now.UtcDateTime,
                Expires = (now + AssertionLifetime).UtcDateTime,
                Claims = new Dictionary<string, object>
                {
                    ["sub"] = _config.ClientId,
                    ["jti"] = RandomNumberGenerator.GetHexString(32, lowercase: true),
                },
                SigningCredentials = signing,
            }
        );
}
