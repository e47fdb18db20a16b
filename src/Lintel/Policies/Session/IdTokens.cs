using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Lintel.Identities;
using Lintel.Identities.Providers;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Lintel.Policies.Session;

/// <summary>Validates the tokens that a provider signs for the gateway itself: ID tokens and logout tokens.</summary>
internal sealed class IdTokens(OpenIdProvider provider, string clientId, TimeProvider time)
{
    private const string LogoutEvent = "http://schemas.openid.net/event/backchannel-logout";

    /// <summary>How far the provider's clock may be off.</summary>
    private static readonly TimeSpan Skew = TimeSpan.FromSeconds(60);

    /// <summary>How old a logout token may be that does not say when it ends.</summary>
    private static readonly TimeSpan LogoutAge = TimeSpan.FromMinutes(2);

    private static readonly string[] Algorithms =
    [
        SecurityAlgorithms.RsaSha256,
        SecurityAlgorithms.RsaSha384,
        SecurityAlgorithms.RsaSha512,
        SecurityAlgorithms.RsaSsaPssSha256,
        SecurityAlgorithms.RsaSsaPssSha384,
        SecurityAlgorithms.RsaSsaPssSha512,
        SecurityAlgorithms.EcdsaSha256,
        SecurityAlgorithms.EcdsaSha384,
        SecurityAlgorithms.EcdsaSha512,
    ];

    private readonly JsonWebTokenHandler _handler = new() { MaximumTokenSizeInBytes = 64 * 1024 };

    private readonly Refreshed<IList<SecurityKey>> _keys = new(token => FetchKeysAsync(provider, token), TimeSpan.FromMinutes(5), time);

    /// <summary>Validates an ID token (OpenID Connect Core 1.0 section 3.1.3.7).</summary>
    /// <param name="token">The token.</param>
    /// <param name="nonce">The nonce of the login; <see langword="null"/> after a refresh, where it need not be repeated.</param>
    /// <param name="accessToken">The access token beside it.</param>
    /// <param name="cancellationToken">Cancels the wait for keys.</param>
    /// <returns>Its claims.</returns>
    /// <exception cref="ProviderException">The keys cannot be fetched.</exception>
    /// <exception cref="TokenException">The token is not valid.</exception>
    public async Task<ClaimSet> ValidateAsync(string token, string? nonce, string accessToken, CancellationToken cancellationToken)
    {
        var (jwt, claims) = await CheckAsync(token, cancellationToken).ConfigureAwait(false);
        if (claims.Text("sub") is not { Length: > 0 })
            throw new TokenException("the ID token has no `sub`");
        if (jwt.ValidTo == DateTime.MinValue || jwt.ValidTo + Skew <= time.GetUtcNow().UtcDateTime)
            throw new TokenException("the ID token has expired, or does not expire");
        if (nonce is not null && claims.Text("nonce") != nonce)
            throw new TokenException("the ID token is not of this login: its `nonce` is another one");
        var audiences = jwt.Audiences.ToList();
        if (claims.Text("azp") is { } party ? party != clientId : audiences.Count > 1)
            throw new TokenException("the ID token is for another client (`azp`)");
        if (claims.Text("at_hash") is { } hash && hash != HashOf(accessToken, jwt.Alg))
            throw new TokenException("the ID token does not belong to the access token beside it (`at_hash`)");
        return claims;
    }

    /// <summary>Validates a logout token (OpenID Connect Back-Channel Logout 1.0 section 2.6).</summary>
    /// <returns>Its claims.</returns>
    /// <exception cref="ProviderException">The keys cannot be fetched.</exception>
    /// <exception cref="TokenException">The token is not valid.</exception>
    public async Task<ClaimSet> ValidateLogoutAsync(string token, CancellationToken cancellationToken)
    {
        var (jwt, claims) = await CheckAsync(token, cancellationToken).ConfigureAwait(false);
        var now = time.GetUtcNow().UtcDateTime;
        if (!jwt.TryGetPayloadValue<long>("iat", out var issued) || DateTimeOffset.FromUnixTimeSeconds(issued).UtcDateTime > now + Skew)
            throw new TokenException("the logout token does not say when it was issued, or was in the future");
        var ends = jwt.ValidTo == DateTime.MinValue ? DateTimeOffset.FromUnixTimeSeconds(issued).UtcDateTime + LogoutAge : jwt.ValidTo;
        if (ends + Skew <= now)
            throw new TokenException("the logout token has expired");
        if (
            !claims.Root.TryGetProperty("events", out var events)
            || events.ValueKind != JsonValueKind.Object
            || !events.TryGetProperty(LogoutEvent, out var logout)
            || logout.ValueKind != JsonValueKind.Object
        )
            throw new TokenException("the token is not a logout token: `events` does not say so");
        if (claims.TryFind("nonce", out _))
            throw new TokenException("the token is not a logout token: it has a `nonce`");
        if (claims.Text("sub") is null && claims.Text("sid") is null)
            throw new TokenException("the logout token names neither a user nor a session");
        if (claims.Text("jti") is not { Length: > 0 and <= 256 })
            throw new TokenException("the logout token has no `jti`");
        return claims;
    }

    /// <summary>How long the identifier of a logout token must be remembered, so that it counts once.</summary>
    public static TimeSpan LogoutMemory => LogoutAge + Skew + Skew;

    /// <summary>The left half of the access token's hash, with the hash function of the ID token's algorithm.</summary>
    private static string HashOf(string accessToken, string algorithm)
    {
        var bytes = Encoding.ASCII.GetBytes(accessToken);
        var hash = algorithm[^3..] switch
        {
            "384" => SHA384.HashData(bytes),
            "512" => SHA512.HashData(bytes),
            _ => SHA256.HashData(bytes),
        };
        return Base64Url.EncodeToString(hash.AsSpan(0, hash.Length / 2));
    }

    private async Task<(JsonWebToken Jwt, ClaimSet Claims)> CheckAsync(string token, CancellationToken cancellationToken)
    {
        var keys = await _keys.GetAsync(cancellationToken).ConfigureAwait(false);
        var result = await ValidateAsync(token, keys).ConfigureAwait(false);
        if (result.Exception is SecurityTokenSignatureKeyNotFoundException) // the provider may have new keys
            result = await ValidateAsync(token, await _keys.RenewAsync(cancellationToken).ConfigureAwait(false)).ConfigureAwait(false);
        if (!result.IsValid)
            throw new TokenException($"the provider's token is not valid: {result.Exception?.GetType().Name}");
        var jwt = (JsonWebToken)result.SecurityToken;
        try
        {
            using var payload = JsonDocument.Parse(Base64Url.DecodeFromChars(jwt.EncodedPayload), Strict);
            return (jwt, new ClaimSet(payload.RootElement.Clone()));
        }
        catch (JsonException)
        {
            throw new TokenException("the provider's token has a claim twice");
        }
    }

    private static JsonDocumentOptions Strict { get; } = new() { MaxDepth = 32, AllowDuplicateProperties = false };

    private Task<TokenValidationResult> ValidateAsync(string token, IList<SecurityKey> keys) =>
        _handler.ValidateTokenAsync(
            token,
            new TokenValidationParameters
            {
                ValidIssuer = provider.Issuer,
                ValidAudience = clientId,
                IssuerSigningKeys = keys,
                ValidAlgorithms = Algorithms,
                ValidateLifetime = false, // with the gateway's own clock, above
                ValidateTokenReplay = false,
                TryAllIssuerSigningKeys = false,
            }
        );

    private static async Task<IList<SecurityKey>> FetchKeysAsync(OpenIdProvider provider, CancellationToken cancellationToken)
    {
        var metadata = await provider.MetadataAsync(cancellationToken).ConfigureAwait(false);
        var address = metadata.KeySet ?? throw new ProviderException($"the metadata of {provider.Issuer} has no `jwks_uri`");
        var json = await provider.Client.GetAsync(address, cancellationToken).ConfigureAwait(false);
        return new JsonWebKeySet(json.GetRawText()).GetSigningKeys();
    }
}

/// <summary>A token of the provider is not valid. The message contains nothing of it.</summary>
[SuppressMessage("Design", "CA1032:Implement standard exception constructors", Justification = "thrown here alone")]
internal sealed class TokenException(string message) : Exception(message);
