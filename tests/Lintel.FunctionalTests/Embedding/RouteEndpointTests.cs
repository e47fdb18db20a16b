using System.Net;
using System.Security.Claims;
using System.Text.Encodings.Web;
using Lintel.Config;
using Lintel.Hosting;
using Lintel.TestKit;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Lintel.FunctionalTests.Embedding;

/// <summary>Each route is an endpoint of the application: its authorization, CORS and limits can differ per route.</summary>
[AnyTransport]
public sealed class RouteEndpointTests
{
    private const string Routes = """
        routes:
          open: { match: "/open/{id}", respond: { body: open } }
          admin: { match: "/admin/{**rest}", respond: { body: admin } }
          beta: { match: { path: "/open/{id}", headers: { X-Beta: "on" } }, respond: { body: beta } }
        """;

    private static readonly CancellationToken None = CancellationToken.None;

    [Theory]
    [InlineData("/open/1", "", 200)]
    [InlineData("/admin/1", "", 401)]
    [InlineData("/admin", "", 401)]
    [InlineData("//admin/1", "", 400)]
    [InlineData("/open/1", "X-Beta: on\r\n", 401)]
    [InlineData("/admin/1", "X-User: ada\r\n", 200)]
    [InlineData("/open/1", "X-Beta: on\r\nX-User: ada\r\n", 200)]
    [InlineData("/own", "", 200)]
    [InlineData("/nothing", "", 404)]
    public async Task Authorization_OfARoute_IsAskedForItAlone(string target, string headers, int status)
    {
        await using var app = await InProcessGateway.StartInApplicationAsync(
            Routes,
            a =>
            {
                a.UseAuthentication();
                a.UseAuthorization();
                a.MapGet("/own", () => "own");
                var lintel = a.MapLintel();
                lintel.ForRoute("admin").RequireAuthorization();
                lintel.ForRoute("beta").RequireAuthorization();
            },
            AddUsers
        );
        using var client = await RawClient.ConnectAsync(app.Address);
        Assert.Equal(status, (await client.GetAsync(target, headers)).Status);
    }

    [Theory]
    [InlineData("/open/1", 401)]
    [InlineData("/nothing", 401)]
    [InlineData("/own", 200)]
    public async Task Authorization_OfAll_IsAskedForAll(string target, int status)
    {
        await using var app = await InProcessGateway.StartInApplicationAsync(
            Routes,
            a =>
            {
                a.UseAuthentication();
                a.UseAuthorization();
                a.MapGet("/own", () => "own");
                a.MapLintel().RequireAuthorization();
            },
            AddUsers
        );
        using var client = await RawClient.ConnectAsync(app.Address);
        Assert.Equal(status, (await client.GetAsync(target)).Status);
    }

    [Fact]
    public async Task Authorization_OfAGroup_IsAskedForItsRoutes()
    {
        await using var app = await InProcessGateway.StartInApplicationAsync(
            Routes,
            a =>
            {
                a.UseAuthentication();
                a.UseAuthorization();
                var group = a.MapGroup("");
                group.RequireAuthorization();
                group.MapLintel();
            },
            AddUsers
        );
        using var client = await RawClient.ConnectAsync(app.Address);
        Assert.Equal(401, (await client.GetAsync("/open/1")).Status);
        Assert.Equal(200, (await client.GetAsync("/open/1", "X-User: ada\r\n")).Status);
    }

    /// <summary>Routing has chosen before this middleware: what the other route demands was never asked.</summary>
    [Theory]
    [InlineData("/admin/1", 500)]
    [InlineData("/open/2", 200)]
    public async Task Path_ChangedAfterRouting_NeverPassesAnothersDemands(string changed, int status)
    {
        await using var app = await InProcessGateway.StartInApplicationAsync(
            Routes,
            a =>
            {
                a.UseRouting();
                a.UseAuthentication();
                a.UseAuthorization();
                a.Use(
                    (context, next) =>
                    {
                        context.Request.Path = changed;
                        return next(context);
                    }
                );
                a.MapLintel().ForRoute("admin").RequireAuthorization();
            },
            AddUsers
        );
        using var client = await RawClient.ConnectAsync(app.Address);
        Assert.Equal(status, (await client.GetAsync("/open/1")).Status);
        if (status == 500)
            await Until.SeenAsync(() => app.Log.FirstOrDefault(l => l.Contains("UseRouting", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Endpoint_OfTheMatchedRoute_HasNamePatternAndValues()
    {
        (string? Name, string? Pattern, object? Id, string? Template) seen = default;
        await using var app = await InProcessGateway.StartInApplicationAsync(Routes, a =>
        {
            a.UseRouting();
            a.Use(
                (context, next) =>
                {
                    var endpoint = context.GetEndpoint() as RouteEndpoint;
                    seen = (
                        endpoint?.Metadata.GetMetadata<IGatewayRouteMetadata>()?.Name,
                        endpoint?.RoutePattern.RawText,
                        context.GetRouteValue("id"),
                        endpoint?.Metadata.GetMetadata<IRouteDiagnosticsMetadata>()?.Route
                    );
                    return next(context);
                }
            );
            a.MapLintel();
        });
        await app.Client.GetStringAsync(new Uri("/open/a%20b", UriKind.Relative), None);
        Assert.Equal(("open", "/open/{id}", "a b", "/open/{id}"), seen);
    }

    [Fact]
    public async Task Endpoints_AfterAReload_AreThoseOfTheNewConfiguration()
    {
        EndpointDataSource? all = null;
        await using var app = await InProcessGateway.StartInApplicationAsync(
            Routes,
            a =>
            {
                a.UseAuthentication();
                a.UseAuthorization();
                a.MapLintel()
                    .Add(b =>
                    {
                        if (b.Metadata.OfType<IGatewayRouteMetadata>().Any(r => r.Name.StartsWith("admin", StringComparison.Ordinal)))
                            b.Metadata.Add(new Microsoft.AspNetCore.Authorization.AuthorizeAttribute());
                    });
                all = a.Services.GetRequiredService<EndpointDataSource>();
            },
            AddUsers
        );
        Assert.Equal(["admin", "beta", "open"], Names(all!));
        var changed = false;
        using var watch = all!.GetChangeToken().RegisterChangeCallback(_ => changed = true, null);
        await app.ReloadAsync("routes: { admin-2: { match: \"/admin/{**rest}\", respond: { body: admin } } }");
        Assert.True(changed);
        Assert.Equal(["admin-2"], Names(all));
        Assert.Equal(HttpStatusCode.Unauthorized, (await app.Client.GetAsync(new Uri("/admin/1", UriKind.Relative), None)).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await app.Client.GetAsync(new Uri("/open/1", UriKind.Relative), None)).StatusCode);

        static IEnumerable<string> Names(EndpointDataSource all) =>
            all.Endpoints.Select(e => e.Metadata.GetMetadata<IGatewayRouteMetadata>()?.Name).OfType<string>().Order(StringComparer.Ordinal);
    }

    /// <summary>A route that is renamed must not lose what is demanded of it.</summary>
    [Fact]
    public async Task Route_ThatTheApplicationNames_CannotVanish()
    {
        await using var app = await InProcessGateway.StartInApplicationAsync(
            Routes,
            a =>
            {
                a.UseAuthentication();
                a.UseAuthorization();
                a.MapLintel().ForRoute("admin").RequireAuthorization();
            },
            AddUsers
        );
        await app.ReloadAsync("routes: { renamed: { match: \"/admin/{**rest}\", respond: { body: admin } } }");
        Assert.Contains("`admin`", Assert.Single(app.Gateway.LastReport.Problems).Message, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Unauthorized, (await app.Client.GetAsync(new Uri("/admin/1", UriKind.Relative), None)).StatusCode);
        var refusal = await Assert.ThrowsAsync<ConfigException>(() =>
            InProcessGateway.StartInApplicationAsync(Routes, a => a.MapLintel().ForRoute("nobody").WithMetadata("x"))
        );
        Assert.Contains("`nobody`", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RateLimit_OfARoute_CountsItAlone()
    {
        await using var app = await InProcessGateway.StartInApplicationAsync(
            Routes,
            a =>
            {
                a.UseRateLimiter();
                a.MapLintel().ForRoute("open").RequireRateLimiting("one");
            },
            s => s.AddRateLimiter(o => o.AddFixedWindowLimiter("one", w => (w.PermitLimit, w.Window) = (1, TimeSpan.FromHours(1))))
        );
        using var client = await RawClient.ConnectAsync(app.Address);
        Assert.Equal(200, (await client.GetAsync("/open/1")).Status);
        Assert.Equal(503, (await client.GetAsync("/open/1")).Status);
        Assert.Equal(200, (await client.GetAsync("/admin")).Status);
    }

    private static void AddUsers(IServiceCollection services)
    {
        services.AddAuthentication("test").AddScheme<AuthenticationSchemeOptions, TestUsers>("test", null);
        services.AddAuthorization();
    }

    private sealed class TestUsers(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync()
        {
            if (Request.Headers["X-User"] is not [{ } name])
                return Task.FromResult(AuthenticateResult.NoResult());
            var user = new ClaimsPrincipal(new ClaimsIdentity([new Claim(ClaimTypes.Name, name)], "test"));
            return Task.FromResult(AuthenticateResult.Success(new AuthenticationTicket(user, "test")));
        }
    }
}
