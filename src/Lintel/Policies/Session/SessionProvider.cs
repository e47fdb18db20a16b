using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Lintel.Identities.Providers;

namespace Lintel.Policies.Session;

/// <summary>What a policy asks its provider: each method is one request of a standard.</summary>
internal sealed class SessionProvider : IDisposable
{
    private readonly SessionConfig _config;
    private readonly ProviderClient _client;
    private readonly OpenIdProvider _provider;
    private readonly ClientAuthentication _authentication;
    private readonly TimeProvider _time;

    /// <exception cref="FormatException">The key cannot be used.</exception>
    public SessionProvider(SessionConfig config, TimeProvider time, KeySourceLog log)
    {
        (_config, _time) = (config, time);
        _authentication = new ClientAuthentication(config);
        _client = new ProviderClient(config.Authorities, config.Timeout);
        _provider = new OpenIdProvider(config.Issuer!, _client, time);
        Tokens = new IdTokens(_provider, config.ClientId, time, log);
    }

    /// <summary>Validates what the provider has signed.</summary>
    public IdTokens Tokens { get; }

    /// <summary>What the provider says of itself.</summary>
    /// <exception cref="ProviderException">It has never answered.</exception>
    public ValueTask<ProviderMetadata> MetadataAsync(CancellationToken cancellationToken) => _provider.MetadataAsync(cancellationToken);

    /// <summary>Where the browser goes to log in: with all parameters, or with those that were pushed before (RFC 9126).</summary>
    /// <exception cref="ProviderException">The provider does not answer, or has no such endpoint.</exception>
    public async ValueTask<string> AuthorizationUrlAsync(PendingLogin login, string challenge, CancellationToken cancellationToken)
    {
        var metadata = await MetadataAsync(cancellationToken).ConfigureAwait(false);
        var endpoint = metadata.Authorization ?? throw Lacks("authorization_endpoint");
        List<KeyValuePair<string, string>> parameters =
        [
            new("response_type", "code"),
            new("redirect_uri", login.RedirectUri),
            new("scope", string.Join(' ', _config.Scopes)),
            new("state", login.State),
            new("nonce", login.Nonce),
            new("code_challenge", challenge),
            new("code_challenge_method", "S256"),
            .. _config.Parameters,
        ];
        if (metadata.PushedAuthorization is not { } pushed)
            return With(endpoint, [new("client_id", _config.ClientId), .. parameters]);
        var answer = await PostAsync(pushed, parameters, cancellationToken).ConfigureAwait(false);
        if (answer.Status is not (HttpStatusCode.Created or HttpStatusCode.OK) || answer.Text("request_uri") is not { } reference)
            throw new ProviderException($"{pushed} refused the login: {ErrorOf(answer)}");
        return With(endpoint, [new("client_id", _config.ClientId), new("request_uri", reference)]);
    }

    /// <summary>Exchanges a code for tokens (RFC 6749 section 4.1.3).</summary>
    /// <exception cref="ProviderException">The provider does not answer.</exception>
    public async Task<ProviderAnswer> ExchangeAsync(string code, PendingLogin login, CancellationToken cancellationToken) =>
        await PostAsync(
                await TokenEndpointAsync(cancellationToken).ConfigureAwait(false),
                [
                    new("grant_type", "authorization_code"),
                    new("code", code),
                    new("redirect_uri", login.RedirectUri),
                    new("code_verifier", login.Verifier),
                ],
                cancellationToken
            )
            .ConfigureAwait(false);

    /// <summary>Exchanges a refresh token for tokens (RFC 6749 section 6).</summary>
    /// <exception cref="ProviderException">The provider does not answer.</exception>
    public async Task<ProviderAnswer> RefreshAsync(string token, CancellationToken cancellationToken) =>
        await PostAsync(
                await TokenEndpointAsync(cancellationToken).ConfigureAwait(false),
                [new("grant_type", "refresh_token"), new("refresh_token", token)],
                cancellationToken
            )
            .ConfigureAwait(false);

    /// <summary>Revokes a refresh token, and with it what was issued for it (RFC 7009), if the provider offers that.</summary>
    /// <exception cref="ProviderException">The provider does not answer.</exception>
    public async Task RevokeAsync(string token, CancellationToken cancellationToken)
    {
        if ((await MetadataAsync(cancellationToken).ConfigureAwait(false)).Revocation is not { } endpoint)
            return;
        List<KeyValuePair<string, string>> form = [new("token", token), new("token_type_hint", "refresh_token")];
        await PostAsync(endpoint, form, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The claims of UserInfo (OpenID Connect Core 1.0 section 5.3).</summary>
    /// <exception cref="ProviderException">The provider does not answer as it should.</exception>
    public async Task<JsonElement> UserInfoAsync(string accessToken, CancellationToken cancellationToken)
    {
        var endpoint = (await MetadataAsync(cancellationToken).ConfigureAwait(false)).UserInfo ?? throw Lacks("userinfo_endpoint");
        using var request = new HttpRequestMessage(HttpMethod.Get, endpoint);
        request.Headers.Accept.ParseAdd("application/json");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", accessToken);
        var answer = await _client.SendAsync(request, cancellationToken).ConfigureAwait(false);
        return answer is { Status: HttpStatusCode.OK, Json: { ValueKind: JsonValueKind.Object } claims }
            ? claims
            : throw new ProviderException($"{endpoint} answered {(int)answer.Status} without claims in JSON");
    }

    /// <summary>
    /// Where the browser goes to log out at the provider (OpenID Connect RP-Initiated Logout 1.0); <see langword="null"/> if that is not
    /// possible.
    /// </summary>
    public async ValueTask<string?> LogoutUrlAsync(string idToken, string returnUrl, CancellationToken cancellationToken) =>
        (await MetadataAsync(cancellationToken).ConfigureAwait(false)).EndSession is { } endpoint
            ? With(
                endpoint,
                [new("id_token_hint", idToken), new("client_id", _config.ClientId), new("post_logout_redirect_uri", returnUrl)]
            )
            : null;

    /// <summary>The error code of an answer (RFC 6749 section 5.2), or its status.</summary>
    public static string ErrorOf(ProviderAnswer answer) =>
        answer.Text("error") is { Length: > 0 and <= 64 } code && code.All(static c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-')
            ? code
            : "status " + answer;

    public void Dispose()
    {
        Tokens.Dispose();
        _client.Dispose();
        _authentication.Dispose();
    }

    private async ValueTask<Uri> TokenEndpointAsync(CancellationToken cancellationToken) =>
        (await MetadataAsync(cancellationToken).ConfigureAwait(false)).Token ?? throw Lacks("token_endpoint");

    private async Task<ProviderAnswer> PostAsync(Uri endpoint, List<KeyValuePair<string, string>> form, CancellationToken cancellationToken)
    {
        _authentication.AddTo(form, _config.Issuer!, _time.GetUtcNow());
        return await _client.PostAsync(endpoint, form, _authentication.Header, cancellationToken).ConfigureAwait(false);
    }

    private ProviderException Lacks(string endpoint) => new($"the metadata of {_config.Issuer} has no `{endpoint}`");

    private static string With(Uri endpoint, IEnumerable<KeyValuePair<string, string>> parameters) =>
        endpoint.AbsoluteUri
        + (endpoint.Query.Length > 0 ? "&" : "?")
        + string.Join('&', parameters.Select(p => Uri.EscapeDataString(p.Key) + "=" + Uri.EscapeDataString(p.Value)));
}
