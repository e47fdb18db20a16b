using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Lintel.Errors;
using Lintel.Identities;
using Lintel.Identities.Providers;
using Lintel.Pipeline;
using Lintel.Routing;

namespace Lintel.Policies.Session;

/// <summary>The login: authorization code flow with PKCE (RFC 6749 section 4.1, RFC 7636, RFC 9700).</summary>
internal sealed class LoginFlow(SessionParts parts)
{
    /// <summary>Claims that are about the ID token and not about the user.</summary>
    private static readonly string[] OfToken = ["nonce", "at_hash", "c_hash", "s_hash", "exp", "iat", "nbf", "jti"];

    /// <summary>
    /// The URL of a path, as the client reaches the gateway; <see langword="null"/> where a login is not possible.
    /// </summary>
    public static string? AddressOf(Exchange exchange, string path, out GatewayError? error)
    {
        error = null;
        var host = exchange.Host;
        if (!HostSyntax.IsHost(host))
            error = new GatewayError(GatewayErrorKind.BadTarget, "the request needs a valid `Host`");
        else if (!exchange.IsHttps && !IsLoopback(host))
            error = new GatewayError(GatewayErrorKind.Forbidden, "a login needs https")
            {
                LogDetail = $"a login over plain http at {host}: behind a proxy that terminates TLS, list it in `trustedProxies`",
            };
        return error is null ? $"{exchange.Scheme}://{host}{path}" : null;
    }

    /// <summary>Sends the browser to the provider.</summary>
    public async ValueTask<GatewayError?> BeginAsync(Exchange exchange)
    {
        var wanted = QueryValues.Find(exchange.RequestTarget.Query, "returnUrl");
        var returnUrl = wanted.Count == 0 ? parts.Config.ReturnTo : wanted[0]!;
        if (wanted.Count > 1 || !ReturnUrl.IsOwnPath(returnUrl))
            return new GatewayError(GatewayErrorKind.BadPlaceholder, "`returnUrl` is not a path of this host");
        if (AddressOf(exchange, parts.Config.Path + SessionEndpoints.Callback, out var error) is not { } redirectUri)
            return error;
        var verifier = SessionStore.NewId();
        var challenge = Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(verifier)));
        var login = new PendingLogin(SessionStore.NewId(), SessionStore.NewId(), verifier, redirectUri, returnUrl);
        string url;
        try
        {
            url = await parts.Provider.AuthorizationUrlAsync(login, challenge, exchange.Aborted).ConfigureAwait(false);
        }
        catch (ProviderException e)
        {
            return Unavailable(e);
        }

        parts.Cookies.SetLogin(exchange, login);
        SessionEndpoints.Redirect(exchange, url);
        return null;
    }

    /// <summary>Takes the provider's answer from the browser, and begins a session.</summary>
    public async ValueTask<GatewayError?> CompleteAsync(Exchange exchange)
    {
        if (Single(exchange, "state") is not { } state || parts.Cookies.TakeLogin(exchange, state) is not { } login)
            return Fail(exchange, "the login was not begun in this browser, or took too long: open the application again", "no such state");
        try
        {
            if (await CheckAnswerAsync(exchange, login).ConfigureAwait(false) is { } refusal)
                return refusal;
            var answer = await parts.Provider.ExchangeAsync(Single(exchange, "code")!, login, exchange.Aborted).ConfigureAwait(false);
            if (answer.Status != HttpStatusCode.OK)
                return (int)answer.Status >= 500 || answer.Text("error") is null
                    ? Unavailable(new ProviderException("the code was refused: " + SessionProvider.ErrorOf(answer)))
                    : Fail(exchange, "the login could not be completed", "the code was refused: " + SessionProvider.ErrorOf(answer));
            var session = await CreateAsync(answer, login, exchange.Aborted).ConfigureAwait(false);
            await BeginSessionAsync(exchange, session).ConfigureAwait(false);
            SessionEndpoints.Redirect(exchange, login.ReturnUrl);
            return null;
        }
        catch (TokenException e)
        {
            return Fail(exchange, "the login could not be completed", e.Message);
        }
        catch (ProviderException e)
        {
            return Unavailable(e);
        }
    }

    /// <summary>Checks who answers, and what (RFC 9207, RFC 6749 section 4.1.2.1).</summary>
    private async ValueTask<GatewayError?> CheckAnswerAsync(Exchange exchange, PendingLogin login)
    {
        if (AddressOf(exchange, parts.Config.Path + SessionEndpoints.Callback, out var error) != login.RedirectUri)
            return error ?? Fail(exchange, "the login was begun at another address", "the redirect URI differs");
        var metadata = await parts.Provider.MetadataAsync(exchange.Aborted).ConfigureAwait(false);
        var issuers = QueryValues.Find(exchange.RequestTarget.Query, "iss");
        if (issuers.Count > 0 ? issuers.ToString() != parts.Config.Issuer : metadata.NamesItselfInResponses)
            return Fail(exchange, "the answer is not from the identity provider", "`iss` is missing, or another issuer's");
        if (QueryValues.Find(exchange.RequestTarget.Query, "error").Count > 0)
        {
            var code =
                Single(exchange, "error") is { Length: <= 64 } text && text.All(static c => char.IsAsciiLetter(c) || c == '_') ? text : "?";
            parts.Count("login-failed");
            return new GatewayError(GatewayErrorKind.Forbidden, "the identity provider refused the login")
            {
                LogDetail = "its error: " + code,
            };
        }

        return Single(exchange, "code") is null ? Fail(exchange, "the login could not be completed", "no code, or several") : null;
    }

    private async Task<UserSession> CreateAsync(ProviderAnswer answer, PendingLogin login, CancellationToken cancellationToken)
    {
        var now = parts.Time.GetUtcNow();
        var tokens = SessionTokens.Of(answer, null, parts.Config, now);
        if (answer.Text("id_token") is not { } id)
            throw new TokenException("the provider's answer has no ID token");
        var claims = await parts.Provider.Tokens.ValidateAsync(id, login.Nonce, tokens.Access, cancellationToken).ConfigureAwait(false);
        var more = parts.Config.UserInfo
            ? await parts.Provider.UserInfoAsync(tokens.Access, cancellationToken).ConfigureAwait(false)
            : (JsonElement?)null;
        if (more is { } info && !(info.TryGetProperty("sub", out var sub) && sub.ValueEquals(claims.Text("sub"))))
            throw new TokenException("the claims of UserInfo are another user's");
        return new UserSession
        {
            Claims = Merge(claims, more, answer.Text("scope") ?? string.Join(' ', parts.Config.Scopes)),
            Begun = now,
            Ends = now + parts.Config.Lifetime,
            Tokens = tokens with { Id = id },
        };
    }

    /// <summary>
    /// A new identifier for each login: whoever has planted one in the browser before does not share the session (fixation).
    /// </summary>
    private async Task BeginSessionAsync(Exchange exchange, UserSession session)
    {
        if (parts.Cookies.FindSession(exchange) is { } before && parts.Sessions.KeyOf(before) is { } old)
            await parts.Sessions.RemoveAsync(old, exchange.Aborted).ConfigureAwait(false);
        var id = SessionStore.NewId();
        await parts.Sessions.AddAsync(parts.Sessions.KeyOf(id)!, session, exchange.Aborted).ConfigureAwait(false);
        parts.Cookies.SetSession(exchange, id);
        parts.Count("begun");
    }

    /// <summary>The claims of the ID token come first: it is signed.</summary>
    private static ClaimSet Merge(ClaimSet signed, JsonElement? more, string scope)
    {
        var claims = new System.Text.Json.Nodes.JsonObject();
        foreach (var claim in signed.Root.EnumerateObject().Where(c => !OfToken.Contains(c.Name)))
            claims[claim.Name] = System.Text.Json.Nodes.JsonNode.Parse(claim.Value.GetRawText());
        if (more is { } info)
        {
            foreach (var claim in info.EnumerateObject().Where(c => !claims.ContainsKey(c.Name) && !OfToken.Contains(c.Name)))
                claims[claim.Name] = System.Text.Json.Nodes.JsonNode.Parse(claim.Value.GetRawText());
        }

        claims.TryAdd("scope", scope);
        return ClaimSet.Of(claims);
    }

    private static string? Single(Exchange exchange, string parameter) =>
        QueryValues.Find(exchange.RequestTarget.Query, parameter) is [{ Length: > 0 } value] ? value : null;

    private GatewayError Fail(Exchange exchange, string detail, string log)
    {
        parts.Count("login-failed");
        exchange.SetResponseField("Referrer-Policy", "no-referrer");
        return new GatewayError(GatewayErrorKind.Unauthenticated, detail) { LogDetail = log, Challenges = [SessionPolicy.Scheme] };
    }

    private GatewayError Unavailable(ProviderException cause)
    {
        parts.Count("login-failed");
        return new GatewayError(GatewayErrorKind.AuthenticationUnavailable, Cause: cause) { LogDetail = cause.Message };
    }

    /// <summary>Browsers treat these as trustworthy without https (W3C Secure Contexts section 3.1).</summary>
    private static bool IsLoopback(string host)
    {
        var colon = host.LastIndexOf(':');
        var name = colon > host.LastIndexOf(']') ? host[..colon] : host;
        return name.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || name.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase)
            || (IPAddress.TryParse(name.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));
    }
}
