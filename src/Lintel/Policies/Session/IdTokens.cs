using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Lintel.Identities;
using Lintel.Identities.Providers;
using Lintel.Identities.Tokens;

namespace Lintel.Policies.Session;

/// <summary>Validates the tokens that a provider signs for the gateway itself: ID tokens and logout tokens.</summary>
/// <remarks>Thread rule: any number of callers.</remarks>
internal sealed class IdTokens : IDisposable
{
    private const string LogoutEvent = "http://schemas.openid.net/event/backchannel-logout";

    /// <summary>How far the provider's clock may be off.</summary>
    private static readonly TimeSpan Skew = TimeSpan.FromSeconds(60);

    private readonly string _clientId;
    private readonly TimeProvider _time;
    private readonly KeySource _keys;
    private readonly TokenVerifier _idTokens;
    private readonly TokenVerifier _logoutTokens;

    public IdTokens(OpenIdProvider provider, string clientId, TimeProvider time, KeySourceLog log)
    {
        (_clientId, _time) = (clientId, time);
        _keys = KeySource.OfProvider(provider, time, log);
        var rules = new TokenRules(provider.Issuer) { Audiences = [clientId], ClockSkew = Skew };
        _idTokens = new TokenVerifier(rules with { Types = [null, "jwt"] }, _keys, time);
        _logoutTokens = new TokenVerifier(rules with { Types = [null, "jwt", "logout+jwt"] }, _keys, time);
    }

    /// <summary>Validates an ID token (OpenID Connect Core 1.0 section 3.1.3.7).</summary>
    /// <param name="text">The token.</param>
    /// <param name="nonce">The nonce of the login; <see langword="null"/> after a refresh, where it need not be repeated.</param>
    /// <param name="accessToken">The access token beside it.</param>
    /// <param name="cancellationToken">Cancels the wait for keys.</param>
    /// <returns>Its claims.</returns>
    /// <exception cref="ProviderException">The keys cannot be fetched.</exception>
    /// <exception cref="TokenException">The token is not valid.</exception>
    public async Task<ClaimSet> ValidateAsync(string text, string? nonce, string accessToken, CancellationToken cancellationToken)
    {
        var (token, claims, _) = await VerifyAsync(_idTokens, text, cancellationToken).ConfigureAwait(false);
        if (claims.Text("sub") is not { Length: > 0 })
            throw new TokenException("the ID token has no `sub`");
        if (nonce is not null && claims.Text("nonce") != nonce)
            throw new TokenException("the ID token is not of this login: its `nonce` is another one");
        var isForSeveral =
            claims.TryFind("aud", out var audience) && audience.ValueKind == JsonValueKind.Array && audience.GetArrayLength() > 1;
        if (claims.Text("azp") is { } party ? party != _clientId : isForSeveral)
            throw new TokenException("the ID token is for another client (`azp`)");
        if (claims.Text("at_hash") is { } hash && hash != HashOf(accessToken, token.Algorithm))
            throw new TokenException("the ID token does not belong to the access token beside it (`at_hash`)");
        return claims;
    }

    /// <summary>Validates a logout token (OpenID Connect Back-Channel Logout 1.0 section 2.6).</summary>
    /// <returns>Its claims, and how long its identifier must be remembered, so that it counts once.</returns>
    /// <exception cref="ProviderException">The keys cannot be fetched.</exception>
    /// <exception cref="TokenException">The token is not valid.</exception>
    public async Task<(ClaimSet Claims, TimeSpan Memory)> ValidateLogoutAsync(string text, CancellationToken cancellationToken)
    {
        var (_, claims, expires) = await VerifyAsync(_logoutTokens, text, cancellationToken).ConfigureAwait(false);
        if (!claims.TryFind("iat", out _))
            throw new TokenException("the logout token does not say when it was issued");
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
        return (claims, expires - _time.GetUtcNow() + Skew);
    }

    public void Dispose() => _keys.Dispose();

    private static async Task<(SignedToken Token, ClaimSet Claims, DateTimeOffset Expires)> VerifyAsync(
        TokenVerifier verifier,
        string text,
        CancellationToken cancellationToken
    )
    {
        if (!SignedToken.TryParse(text, out var token, out var problem))
            throw new TokenException("the provider's token is malformed: " + problem);
        var verified = await verifier.VerifyAsync(token, cancellationToken).ConfigureAwait(false);
        if (verified.Problem is { } refusal)
            throw refusal.Unavailable is { } cause
                ? new ProviderException(refusal.Detail, cause)
                : new TokenException("the provider's token is not valid: " + refusal.Detail);
        return (token, verified.Claims!, verified.Expires);
    }

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
}

/// <summary>A token of the provider is not valid. The message contains nothing of it.</summary>
[SuppressMessage("Design", "CA1032:Implement standard exception constructors", Justification = "thrown here alone")]
internal sealed class TokenException(string message) : Exception(message);
