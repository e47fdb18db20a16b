using System.Net;
using System.Security.Claims;
using System.Text.Encodings.Web;
using Lintel.Policies.Custom;
using Lintel.TestKit;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Lintel.FunctionalTests.Embedding;

#pragma warning disable LINTEL001 // experimental

/// <summary>The user whom the application around the gateway has authenticated, as a caller.</summary>
[AnyTransport]
public sealed class HostCallerTests
{
    private const string Routes = """
        clients: { shop: { claims: { azp: shop-app }, scopes: [orders.read] } }
        policies:
          admin: { authorize: { role: admin } }
          own: { authorize: { claim: sub, equals: "{userId}" } }
          shop: { authorize: { all: [{ client: shop }, { scope: orders.read }] } }
          either: { anyOf: [{ apiKey: {} }, { apiKey: { query: key } }] }
        routes:
          who: { match: /who, respond: { body: "{claim:sub} {claim:roles}", headers: { X-Who: "{claim:sub}" } } }
          admin: { match: /admin, respond: { body: in }, policies: [admin] }
          own: { match: "/users/{userId}", respond: { body: in }, policies: [own] }
          shop: { match: /shop, respond: { body: in }, policies: [shop] }
          code: { match: /code, respond: { body: in }, policies: [code] }
        """;

    [Theory]
    [InlineData("/admin", "", 403)]
    [InlineData("/admin", "sub=kim", 403)]
    [InlineData("/admin", "sub=kim&roles=support&roles=admin", 200)]
    [InlineData("/users/kim", "sub=kim", 200)]
    [InlineData("/users/lee", "sub=kim", 403)]
    [InlineData("/users/kim", "", 403)]
    [InlineData("/shop", "sub=kim&azp=shop-app", 200)]
    [InlineData("/shop", "sub=kim&azp=other", 403)]
    [InlineData("/code", "sub=kim&scope=a orders.read", 200)]
    [InlineData("/code", "sub=lee&scope=a orders.read", 403)]
    [InlineData("/code", "sub=kim", 403)]
    [InlineData("/code", "", 401)]
    public async Task Rule_OverTheUserOfTheApplication_AdmitsOrRefuses(string path, string user, int status)
    {
        await using var app = await StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(path, UriKind.Relative));
        request.Headers.Add("X-Test-User", user);
        using var response = await app.Client.SendAsync(request);
        Assert.Equal(status, (int)response.StatusCode);
    }

    [Fact]
    public async Task User_OfACookie_IsTheCaller()
    {
        await using var app = await StartAsync();
        using var login = await app.Client.PostAsync(new Uri("/login", UriKind.Relative), null);
        var cookie = login.Headers.GetValues("Set-Cookie").Single().Split(';')[0];
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri("/admin", UriKind.Relative));
        request.Headers.Add("Cookie", cookie);
        using var response = await app.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    private static Task<InProcessGateway> StartAsync() =>
        InProcessGateway.StartInApplicationAsync(
            Routes,
            app =>
            {
                app.UseAuthentication();
                app.MapPost("/login", (HttpContext c) =>
                    c.SignInAsync(
                        CookieAuthenticationDefaults.AuthenticationScheme,
                        new ClaimsPrincipal(new ClaimsIdentity([new("sub", "kim"), new("roles", "admin")], "cookie"))
                    )
                );
                app.MapLintel();
            },
            services =>
            {
                services
                    .AddAuthentication("either")
                    .AddPolicyScheme("either", null, o =>
                        o.ForwardDefaultSelector = c =>
                            c.Request.Headers.ContainsKey("Cookie") ? CookieAuthenticationDefaults.AuthenticationScheme : "test"
                    )
                    .AddCookie()
                    .AddScheme<AuthenticationSchemeOptions, TestScheme>("test", null);
                services.AddLintelPolicy<CodePolicy>("code");
            }
        );

    /// <summary>Decides in code, over the same caller.</summary>
    private sealed class CodePolicy : GatewayPolicy
    {
        public override ValueTask<PolicyRefusal?> AdmitAsync(PolicyContext context, CancellationToken cancellationToken) =>
            new(
                !context.IsAuthenticated ? new PolicyRefusal(401)
                : context.Subject == "kim" && context.HasScope("orders.read") && context.FindClaim("none") is null && context.Client is null
                    ? null
                : new PolicyRefusal(403)
            );
    }

    /// <summary>Takes the claims from a header.</summary>
    private sealed class TestScheme(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync()
        {
            if (Request.Headers["X-Test-User"].ToString() is not { Length: > 0 } user)
                return Task.FromResult(AuthenticateResult.NoResult());
            var claims = user.Split('&').Select(c => c.Split('=')).Select(c => new Claim(c[0], c[1]));
            return Task.FromResult(
                AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(new ClaimsIdentity(claims, "test")), "test"))
            );
        }
    }
}
