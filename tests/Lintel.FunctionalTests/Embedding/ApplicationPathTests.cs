using System.Net;
using CsCheck;
using Lintel.TestKit;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Rewrite;

namespace Lintel.FunctionalTests.Embedding;

/// <summary>The path and query that the application's middleware saw, or made, are those that are routed and sent.</summary>
[EveryTransport]
public sealed class ApplicationPathTests
{
    private const string Echo = "routes: { all: { match: { path: \"/{**rest}\", allow: [encodedSlashes, semicolons] }, forward: s } }";

    [Theory]
    [InlineData("//echo/admin")]
    [InlineData("/echo//admin")]
    [InlineData("/echo/x/..//admin")]
    [InlineData("/echo/x//../admin")]
    [InlineData("/echo/%2e//admin")]
    [InlineData("/./echo/%2E%2E//echo/admin/1")]
    [InlineData("http://test//echo/admin")]
    public async Task Path_ThatAGuardReadsDifferently_IsRefused(string target)
    {
        await using var service = await TestService.StartAsync();
        await using var app = await StartAsync(service, Guarded);
        using var client = await RawClient.ConnectAsync(app.Address);
        Assert.Equal(403, (await client.GetAsync("/echo/admin")).Status);
        var response = await client.GetAsync(target);
        Assert.Equal(400, response.Status);
        Assert.Contains("urn:problem-type:lintel:bad-target", response.Body, StringComparison.Ordinal);
        Assert.Empty(service.Seen);
    }

    [Theory]
    [InlineData("/echo/./admin", 403)]
    [InlineData("/echo/%61dmin", 403)]
    [InlineData("/echo/%2e/admin//", 403)]
    [InlineData("/echo/x/%2e%2e/admin", 403)]
    [InlineData("/echo/x/../y", 200)]
    [InlineData("/echo/%C3%A9%25%2541", 200)]
    [InlineData("/echo/a%2fb;c", 200)]
    [InlineData("/echo%2Fadmin", 200)]
    [InlineData("/?a//b", 200)]
    public async Task Path_ThatAGuardReadsAlike_IsRouted(string target, int status)
    {
        await using var service = await TestService.StartAsync();
        await using var app = await StartAsync(service, Guarded);
        using var client = await RawClient.ConnectAsync(app.Address);
        Assert.Equal(status, (await client.GetAsync(target)).Status);
        Assert.Equal(status == 200 ? 1 : 0, service.Seen.Count);
    }

    /// <summary>A route that keeps empty segments sends the path that the guard saw, slash for slash.</summary>
    [Fact]
    public async Task Path_WithEmptySegmentsThatTheRouteKeeps_IsSentAsTheGuardSawIt()
    {
        await using var service = await TestService.StartAsync();
        await using var app = await InProcessGateway.StartInApplicationAsync(
            $"services: {{ s: \"{service.Address}\" }}\nroutes: {{ all: {{ match: {{ path: \"/echo/{{**rest}}\", allow: "
                + $"[emptySegments] }}, forward: s }} }}",
            a =>
            {
                Guarded(a);
                a.MapLintel();
            }
        );
        using var client = await RawClient.ConnectAsync(app.Address);
        Assert.Equal(200, (await client.GetAsync("/echo//admin")).Status);
        Assert.Equal("/echo//admin", Assert.Single(service.Seen).Target);
        Assert.Equal(403, (await client.GetAsync("/echo/admin//x")).Status);
        Assert.Equal(400, (await client.GetAsync("//echo/admin")).Status);
        Assert.Equal(200, (await client.GetAsync("/echo/x/..//admin/../y")).Status);
        Assert.Equal("/echo//y", service.Seen.Last().Target);
    }

    /// <summary>Random targets: a service receives no path below the guarded one that the guard would have refused.</summary>
    [Fact]
    public async Task Guard_OverRandomTargets_IsNeverPassed()
    {
        await using var service = await TestService.StartAsync();
        await using var app = await StartAsync(service, Guarded);
        using var client = await RawClient.ConnectAsync(app.Address);
        string[] pieces =
        [
            "echo",
            "admin",
            "/",
            "/",
            "//",
            ".",
            "..",
            "%2e",
            "%2F",
            "%5c",
            "%61dmin",
            "%2561dmin",
            ";",
            "%25",
            "x",
            "%C3%A9",
        ];
        var targets = Gen.Int[0, pieces.Length - 1]
            .Select(i => pieces[i])
            .Array[1, 9]
            .Select(p => "/" + string.Concat(p))
            .Array[300]
            .Single();
        foreach (var target in targets.Append("/echo/admin").Append("/echo/x"))
            await client.GetAsync(target);
        Assert.NotEmpty(service.Seen);
        foreach (var seen in service.Seen)
        {
            var path = new PathString(
                "/"
                    + string.Join(
                        '/',
                        Uri.UnescapeDataString(seen.Target.Replace("%2F", "%252F", StringComparison.Ordinal))
                            .Split('/', StringSplitOptions.RemoveEmptyEntries)
                    )
            );
            Assert.False(path.StartsWithSegments("/echo/admin", StringComparison.Ordinal), seen.Target);
        }
    }

    [Theory]
    [InlineData("/base/a%20b?q=1", "/a%20b?q=1")]
    [InlineData("/BASE/a/", "/a/")]
    [InlineData("/base", "/")]
    [InlineData("/base/", "/")]
    [InlineData("/other/a", "/other/a")]
    public async Task PathBase_OfTheApplication_IsNotRouted(string target, string expected)
    {
        await using var service = await TestService.StartAsync();
        await using var app = await StartAsync(service, a => a.UsePathBase("/base"));
        using var client = await RawClient.ConnectAsync(app.Address);
        Assert.Equal(200, (await client.GetAsync(target)).Status);
        Assert.Equal(expected, Assert.Single(service.Seen).Target);
    }

    [Theory]
    [InlineData("/old/%C3%A9?a=1", "/new/%C3%A9?a=1")]
    [InlineData("/q/7", "/by-query?id=7")]
    [InlineData("/same/7?a=b", "/same/7?a=b")]
    public async Task Rewriter_OfTheApplication_Counts(string target, string expected)
    {
        await using var service = await TestService.StartAsync();
        await using var app = await StartAsync(service, a =>
            a.UseRewriter(new RewriteOptions().AddRewrite("^old/(.*)$", "new/$1", true).AddRewrite("^q/(.*)$", "by-query?id=$1", true))
        );
        using var client = await RawClient.ConnectAsync(app.Address);
        Assert.Equal(200, (await client.GetAsync(target)).Status);
        Assert.Equal(expected, Assert.Single(service.Seen).Target);
    }

    [Theory]
    [InlineData("/echo/changed", "?x=1", "/echo/changed?x=1")]
    [InlineData("/echo/100%41 é", "", "/echo/100%2541%20%C3%A9")]
    [InlineData("", "", "/")]
    public async Task PathAndQuery_ChangedByTheApplication_AreSent(string path, string query, string expected)
    {
        await using var service = await TestService.StartAsync();
        await using var app = await StartAsync(service, a => a.Use(
                (context, next) =>
                {
                    (context.Request.Path, context.Request.QueryString) = (new PathString(path), new QueryString(query));
                    return next(context);
                }
            ));
        Assert.Equal(
            HttpStatusCode.OK,
            (await app.Client.GetAsync(new Uri("/echo/first?y=2", UriKind.Relative), CancellationToken.None)).StatusCode
        );
        Assert.Equal(expected, Assert.Single(service.Seen).Target);
    }

    [Theory]
    [InlineData("/echo//x")]
    [InlineData("/echo/../x")]
    [InlineData("/echo/..;a/x")]
    public async Task Path_ChangedToAnAmbiguousOne_IsRefused(string path)
    {
        await using var service = await TestService.StartAsync();
        await using var app = await StartAsync(service, a => a.Use(
                (context, next) =>
                {
                    context.Request.Path = new PathString(path);
                    return next(context);
                }
            ));
        Assert.Equal(
            HttpStatusCode.BadRequest,
            (await app.Client.GetAsync(new Uri("/a", UriKind.Relative), CancellationToken.None)).StatusCode
        );
        Assert.Empty(service.Seen);
    }

    private static Task<InProcessGateway> StartAsync(TestService service, Action<WebApplication> configure) =>
        InProcessGateway.StartInApplicationAsync($"services: {{ s: \"{service.Address}\" }}\n{Echo}", a =>
        {
            configure(a);
            a.MapLintel();
        });

    private static void Guarded(WebApplication app) =>
        app.Use(
            (context, next) =>
            {
                if (!context.Request.Path.StartsWithSegments("/echo/admin", StringComparison.Ordinal))
                    return next(context);
                context.Response.StatusCode = StatusCodes.Status403Forbidden;
                return Task.CompletedTask;
            }
        );
}
