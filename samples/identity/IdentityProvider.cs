using System.Security.Claims;
using System.Security.Cryptography;
using Microsoft.AspNetCore;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.Logging.Console;
using Microsoft.IdentityModel.Tokens;
using OpenIddict.Abstractions;
using OpenIddict.Server.AspNetCore;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace Lintel.Samples.Identity;

/// <summary>An OpenID provider for the demo: OpenIddict without a database, two users, two clients.</summary>
public static class IdentityProvider
{
    private const string Scheme = CookieAuthenticationDefaults.AuthenticationScheme;

    /// <summary>
    /// Builds the provider. The caller starts, stops and disposes it; it handles no signals of its own, reads no ambient configuration, and
    /// writes warnings and errors to stderr, nothing to stdout. Its keys live as long as it does.
    /// </summary>
    /// <param name="url">Where it listens, such as <c>http://127.0.0.1:5401</c>: also its issuer.</param>
    /// <remarks><c>StartAsync</c> throws an <see cref="IOException"/> when the port is taken.</remarks>
    public static WebApplication Create(Uri url)
    {
        ArgumentNullException.ThrowIfNull(url);
        var builder = WebApplication.CreateEmptyBuilder(
            new WebApplicationOptions
            {
                ApplicationName = typeof(IdentityProvider).Assembly.GetName().Name,
                ContentRootPath = AppContext.BaseDirectory,
                EnvironmentName = Environments.Production,
            }
        );
        builder
            .WebHost.UseKestrelCore()
            .ConfigureKestrel(kestrel => kestrel.AddServerHeader = false)
            .UseUrls(url.GetLeftPart(UriPartial.Authority));
        builder
            .Logging.SetMinimumLevel(LogLevel.Warning)
            .AddFilter("Microsoft", LogLevel.None) // keys are not kept, which is intended
            .AddSimpleConsole(console => console.SingleLine = true);
        builder
            .Services.AddRoutingCore()
            .AddSingleton<IHostLifetime, CallersLifetime>()
            .Configure<ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace)
            .Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(2));
        builder.Services.AddSingleton<IDataProtectionProvider>(new EphemeralDataProtectionProvider());
        builder.Services.AddAuthentication(Scheme).AddCookie(cookie => cookie.Cookie.Name = "lintel-demo-identity");
        builder.Services.AddOpenIddict().AddServer(server => Configure(server, url));
        var app = builder.Build();
        app.UseAuthentication();
        LoginPages.Map(app);
        app.MapPost("/token", (Func<HttpContext, Task<IResult>>)TokenAsync);
        return app;
    }

    /// <summary>The principal of tokens for a user.</summary>
    internal static ClaimsPrincipal PrincipalOf(DemoUser user, IEnumerable<string> scopes)
    {
        var identity = new ClaimsIdentity(OpenIddictServerAspNetCoreDefaults.AuthenticationScheme, Claims.Name, Claims.Role);
        identity.SetClaim(Claims.Subject, user.Id).SetClaim(Claims.Name, user.Name).SetClaim(Claims.Role, user.Role);
        string[] own = [Scopes.OpenId, Scopes.Profile, Scopes.OfflineAccess, .. user.Scopes];
        identity.SetScopes(scopes.Intersect(own)).SetResources("shop");
        identity.SetDestinations(static _ => [Destinations.AccessToken, Destinations.IdentityToken]);
        return new ClaimsPrincipal(identity);
    }

    private static void Configure(OpenIddictServerBuilder server, Uri url)
    {
        server
            .SetIssuer(url)
            .SetAuthorizationEndpointUris("/authorize")
            .SetTokenEndpointUris("/token")
            .SetEndSessionEndpointUris("/logout")
            .AllowAuthorizationCodeFlow()
            .AllowRefreshTokenFlow()
            .AllowClientCredentialsFlow()
            .RequireProofKeyForCodeExchange()
            .RegisterScopes([Scopes.Profile, Scopes.OfflineAccess, "orders.read", "users.read"])
            .SetAccessTokenLifetime(TimeSpan.FromMinutes(5))
            .DisableAccessTokenEncryption()
            .AddEncryptionKey(new SymmetricSecurityKey(RandomNumberGenerator.GetBytes(32))) // of codes and refresh tokens: its own
            .AddEphemeralSigningKey(SecurityAlgorithms.EcdsaSha256)
            .EnableDegradedMode(); // without a database: the handlers below know the clients
        server
            .UseAspNetCore()
            .EnableAuthorizationEndpointPassthrough()
            .EnableTokenEndpointPassthrough()
            .EnableEndSessionEndpointPassthrough()
            .DisableTransportSecurityRequirement(); // on loopback
        server.AddEventHandler<ValidateAuthorizationRequestContext>(h => h.UseInlineHandler(ValidateAuthorization));
        server.AddEventHandler<ValidateTokenRequestContext>(h => h.UseInlineHandler(ValidateToken));
        server.AddEventHandler<ValidateEndSessionRequestContext>(h => h.UseInlineHandler(ValidateLogout));
    }

    private static ValueTask ValidateAuthorization(ValidateAuthorizationRequestContext context)
    {
        if (DemoAccounts.Clients.All(c => c.Id != context.ClientId))
            context.Reject(Errors.InvalidClient, "there is no such client");
        else if (!DemoAccounts.IsOwn(context.RedirectUri, DemoAccounts.Callback))
            context.Reject(Errors.InvalidRequest, "the redirect URI is not registered");
        return default;
    }

    private static ValueTask ValidateToken(ValidateTokenRequestContext context)
    {
        if (DemoAccounts.Clients.All(c => c.Id != context.ClientId || c.Secret != context.ClientSecret))
            context.Reject(Errors.InvalidClient, "the client or its secret is wrong");
        return default;
    }

    private static ValueTask ValidateLogout(ValidateEndSessionRequestContext context)
    {
        if (context.PostLogoutRedirectUri is { Length: > 0 } address && !DemoAccounts.IsOwn(address, DemoAccounts.AfterLogout))
            context.Reject(Errors.InvalidRequest, "the redirect URI is not registered");
        return default;
    }

    /// <summary>Issues tokens for a code, a refresh token, or to a client on its own account.</summary>
    private static async Task<IResult> TokenAsync(HttpContext context)
    {
        var request = context.GetOpenIddictServerRequest()!;
        const string Server = OpenIddictServerAspNetCoreDefaults.AuthenticationScheme;
        if (!request.IsClientCredentialsGrantType())
        {
            var known = await context.AuthenticateAsync(Server);
            return Results.SignIn(known.Principal!, null, Server);
        }

        var client = DemoAccounts.Clients.Single(c => c.Id == request.ClientId);
        var identity = new ClaimsIdentity(Server, Claims.Name, Claims.Role);
        identity.SetClaim(Claims.Subject, client.Id).SetScopes(request.GetScopes().Intersect(client.Scopes)).SetResources("shop");
        identity.SetDestinations(static _ => [Destinations.AccessToken]);
        return Results.SignIn(new ClaimsPrincipal(identity), null, Server);
    }

    /// <summary>Leaves Ctrl+C and SIGTERM to the caller, who runs several services in one process and decides their order.</summary>
    private sealed class CallersLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
