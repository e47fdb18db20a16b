using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Lintel.Errors;
using Lintel.Identities.Providers;
using Lintel.Pipeline;
using Lintel.Routing;
using Microsoft.AspNetCore.Http;

namespace Lintel.Policies.Session;

/// <summary>What a policy serves below its path.</summary>
internal sealed class SessionEndpoints(SessionParts parts)
{
    public const string Login = "/login";

    public const string Callback = "/callback";

    private const string Logout = "/logout";

    private const string User = "/user";

    private const string BackchannelLogout = "/backchannel-logout";

    /// <summary>The longest form: one logout token.</summary>
    private const int MaxForm = 64 * 1024;

    private readonly LoginFlow _flow = new(parts);

    public IEnumerable<PolicyEndpoint> All =>
        [
            Endpoint(Login, [HttpMethods.Get], _flow.BeginAsync),
            Endpoint(Callback, [HttpMethods.Get], _flow.CompleteAsync),
            Endpoint(Logout, [HttpMethods.Get, HttpMethods.Post], LogOutAsync),
            Endpoint(User, [HttpMethods.Get], DescribeUserAsync),
            Endpoint(BackchannelLogout, [HttpMethods.Post], LogOutByProviderAsync),
        ];

    /// <summary>Redirects a browser, which need not tell the next page where it comes from: the URL may contain a code.</summary>
    public static void Redirect(Exchange exchange, string url)
    {
        exchange.SetResponseField("Location", url);
        exchange.SetResponseField("Cache-Control", "no-store");
        exchange.SetResponseField("Referrer-Policy", "no-referrer");
        exchange.AnswerEmpty(StatusCodes.Status302Found);
    }

    private PolicyEndpoint Endpoint(string path, string[] methods, Func<Exchange, ValueTask<GatewayError?>> run) =>
        new(path[1..], parts.Config.Path + path, methods, new EndpointTarget(run)) { BodyLimit = MaxForm };

    /// <summary>Ends the session of the browser, and leads it to the provider to end it there, too.</summary>
    private async ValueTask<GatewayError?> LogOutAsync(Exchange exchange)
    {
        var id = parts.Cookies.FindSession(exchange);
        var key = id is null ? null : parts.Sessions.KeyOf(id);
        var session = key is null ? null : await parts.Sessions.FindAsync(key, isUse: false, exchange.Aborted).ConfigureAwait(false);
        var next = parts.Config.ReturnTo;
        if (session is not null)
        {
            if (!IsMeant(exchange, id!))
                return new GatewayError(
                    GatewayErrorKind.Forbidden,
                    $"a logout needs the URL of the session as `{parts.Config.Path}{User}` tells it, or `{BrowserRequest.Header}: 1`"
                );
            await parts.Sessions.RemoveAsync(key!, exchange.Aborted).ConfigureAwait(false);
            parts.Count("logout");
            await parts.RevokeAsync(session).ConfigureAwait(false);
            next = await ProviderLogoutAsync(exchange, session).ConfigureAwait(false) ?? next;
        }

        if (id is not null)
            parts.Cookies.DeleteSession(exchange);
        if (HttpMethods.IsPost(exchange.Request.Method) && BrowserRequest.HasHeader(exchange)) // a page, which decides itself where to go
            return await AnswerAsync(exchange, json => json.WriteString("location"u8, next)).ConfigureAwait(false);
        Redirect(exchange, next);
        return null;
    }

    /// <summary>Whether a page of the application wants the logout: a link to it on any other page would be a nuisance.</summary>
    private static bool IsMeant(Exchange exchange, string id) =>
        BrowserRequest.HasHeader(exchange)
        || (HttpMethods.IsPost(exchange.Request.Method) && BrowserRequest.IsOfSameOrigin(exchange))
        || (
            QueryValues.Find(exchange.RequestTarget.Query, "sid") is [{ } sid]
            && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(sid), Encoding.ASCII.GetBytes(LogoutKey(id)))
        );

    private async ValueTask<string?> ProviderLogoutAsync(Exchange exchange, UserSession session)
    {
        if (!parts.Config.LogoutEverywhere || LoginFlow.AddressOf(exchange, parts.Config.ReturnTo, out _) is not { } returnUrl)
            return null;
        try
        {
            return await parts.Provider.LogoutUrlAsync(session.Tokens.Id, returnUrl, exchange.Aborted).ConfigureAwait(false);
        }
        catch (ProviderException)
        {
            return null; // the session here has ended in any case
        }
    }

    /// <summary>Tells a page who its user is. Asking is no use of the session: a page that asks regularly does not keep it.</summary>
    private async ValueTask<GatewayError?> DescribeUserAsync(Exchange exchange)
    {
        if (!BrowserRequest.HasHeader(exchange))
            return new GatewayError(GatewayErrorKind.Forbidden, $"the request needs `{BrowserRequest.Header}: 1`");
        if (
            parts.Cookies.FindSession(exchange) is not { } id
            || parts.Sessions.KeyOf(id) is not { } key
            || await parts.Sessions.FindAsync(key, isUse: false, exchange.Aborted).ConfigureAwait(false) is not { } session
        )
            return new GatewayError(GatewayErrorKind.Unauthenticated) { Challenges = [SessionPolicy.Scheme] };
        return await AnswerAsync(exchange, json =>
            {
                json.WritePropertyName("claims"u8);
                session.Claims.Root.WriteTo(json);
                json.WriteString("expires"u8, session.Ends);
                json.WriteString("logoutUrl"u8, $"{parts.Config.Path}{Logout}?sid={LogoutKey(id)}");
            })
            .ConfigureAwait(false);
    }

    /// <summary>Ends the sessions of a user, or of one of the user's sessions, at the provider's wish.</summary>
    private async ValueTask<GatewayError?> LogOutByProviderAsync(Exchange exchange)
    {
        if (
            await ReadFormAsync(exchange).ConfigureAwait(false) is not { } form
            || QueryValues.Find(form, "logout_token") is not [{ } token]
        )
            return new GatewayError(GatewayErrorKind.BadRequestBody, "the form needs one `logout_token`");
        try
        {
            var (claims, memory) = await parts.Provider.Tokens.ValidateLogoutAsync(token, exchange.Aborted).ConfigureAwait(false);
            if (!await parts.Sessions.TakeOnceAsync(claims.Text("jti")!, memory, exchange.Aborted).ConfigureAwait(false))
                return new GatewayError(GatewayErrorKind.BadRequestBody, "the logout token was used before");
            var (claim, value) = claims.Text("sid") is { } sid ? ("sid", sid) : ("sub", claims.Text("sub")!);
            await parts.Sessions.RevokeAsync(claim, value, exchange.Aborted).ConfigureAwait(false);
            parts.Count("backchannel-logout");
        }
        catch (TokenException e)
        {
            return new GatewayError(GatewayErrorKind.BadRequestBody, "the logout token is not valid") { LogDetail = e.Message };
        }
        catch (ProviderException e)
        {
            return new GatewayError(GatewayErrorKind.AuthenticationUnavailable, Cause: e) { LogDetail = e.Message };
        }

        exchange.SetResponseField("Cache-Control", "no-store");
        exchange.AnswerEmpty(StatusCodes.Status200OK);
        return null;
    }

    /// <summary>A form as a query; <see langword="null"/> if the body is not one.</summary>
    private static async ValueTask<string?> ReadFormAsync(Exchange exchange)
    {
        const string Form = "application/x-www-form-urlencoded";
        if (exchange.Request.ContentType?.Split(';')[0].Trim().Equals(Form, StringComparison.OrdinalIgnoreCase) != true)
            return null;
        using var body = new MemoryStream();
        var buffer = new byte[4096];
        while (await exchange.Request.Body.ReadAsync(buffer, exchange.Aborted).ConfigureAwait(false) is > 0 and var read)
        {
            exchange.RequestBytes += read;
            if (body.Length + read > MaxForm)
                return null;
            body.Write(buffer, 0, read);
        }

        return "?" + Encoding.ASCII.GetString(body.GetBuffer(), 0, (int)body.Length);
    }

    private static async ValueTask<GatewayError?> AnswerAsync(Exchange exchange, Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using var json = new Utf8JsonWriter(buffer);
        json.WriteStartObject();
        write(json);
        json.WriteEndObject();
        json.Flush();
        exchange.SetResponseField("Cache-Control", "no-store");
        exchange.SetResponseField("X-Content-Type-Options", "nosniff");
        exchange.Response.StatusCode = StatusCodes.Status200OK;
        return await AnswerContent.WriteAsync(exchange, "application/json", buffer.WrittenMemory).ConfigureAwait(false);
    }

    /// <summary>What the URL of a logout contains: derived from the cookie's value, which it does not disclose.</summary>
    private static string LogoutKey(string id) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.ASCII.GetBytes(id), "logout"u8).AsSpan(0, 16));

    private sealed class EndpointTarget(Func<Exchange, ValueTask<GatewayError?>> run) : Target
    {
        public override ValueTask<GatewayError?> RunAsync(Exchange exchange) => run(exchange);
    }
}
