using System.Net;
using System.Text.Json.Nodes;
using Lintel.Control.Status;
using Lintel.Hosting;
using Lintel.TestKit;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Timeouts;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Lintel.FunctionalTests.Embedding;

/// <summary>The gateway behind middleware of the application that it runs in.</summary>
[EveryTransport]
public sealed class HostMiddlewareTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    public static TheoryData<string, Action<WebApplication>> Limits() =>
        new() { { "RequestTimeouts", app => app.UseRequestTimeouts() }, { "its own token", app => app.Use(CancelAsync) } };

    [Theory]
    [MemberData(nameof(Limits))]
    public async Task Request_GivenUpByTheApplication_Is504(string limit, Action<WebApplication> configure)
    {
        await using var service = await TestService.StartAsync(context => Task.Delay(Timeout.Infinite, context.RequestAborted));
        await using var http2 = await TestService.StartAsync(
            context => Task.Delay(Timeout.Infinite, context.RequestAborted),
            l => l.Protocols = HttpProtocols.Http2
        );
        foreach (var route in new[] { "forward: s", "forward: h2", "compose: { calls: { a: { request: s/x } } }" })
        {
            await using var app = await InProcessGateway.StartInApplicationAsync(
                $"services: {{ s: \"{service.Address}\", h2: {{ instances: [\"{http2.Address}\"], protocol: http2 }} }}\nroutes: {{ "
                    + $"all: {{ match: \"/{{**rest}}\", {route} }} }}",
                a =>
                {
                    configure(a);
                    a.MapLintel();
                },
                s => s.AddRequestTimeouts(o => o.DefaultPolicy = new RequestTimeoutPolicy { Timeout = TimeSpan.FromMilliseconds(100) })
            );
            using var response = await app.Client.GetAsync(new Uri("/x", UriKind.Relative), None);
            Assert.Equal($"{limit} {route} 504", $"{limit} {route} {(int)response.StatusCode}");
            var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync(None))!;
            Assert.Equal("urn:problem-type:lintel:canceled-by-host", (string?)problem["type"]);
            await Until.SeenAsync(() => app.Log.FirstOrDefault(l => l.Contains("canceled-by-host", StringComparison.Ordinal)));
        }
    }

    /// <summary>A client disconnect is distinguished, also behind middleware that replaces the token.</summary>
    [Fact]
    public async Task Client_ThatLeaves_IsNoTimeout()
    {
        var forwarded = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var service = await TestService.StartAsync(context =>
        {
            forwarded.TrySetResult();
            return Task.Delay(Timeout.Infinite, context.RequestAborted);
        });
        await using var app = await InProcessGateway.StartInApplicationAsync(
            $"services: {{ s: \"{service.Address}\" }}\nroutes: {{ all: {{ match: \"/{{**rest}}\", forward: s }} }}",
            a =>
            {
                a.UseRequestTimeouts();
                a.MapLintel();
            },
            s => s.AddRequestTimeouts(o => o.DefaultPolicy = new RequestTimeoutPolicy { Timeout = TimeSpan.FromSeconds(60) })
        );
        using (var client = await RawClient.ConnectAsync(app.Address))
        {
            await client.SendAsync("GET /x HTTP/1.1\r\nHost: test\r\n\r\n");
            await forwarded.Task.InTimeAsync();
        }

        await Until.SeenAsync(() => app.Gateway.Errors.FirstOrDefault(e => e.Error == "client-aborted"));
    }

    [Fact]
    public async Task Headers_OfTheApplication_StayOnErrors()
    {
        await using var app = await InProcessGateway.StartInApplicationAsync(
            "routes: { get: { match: GET /x, respond: { status: 200 } } }",
            a =>
            {
                a.Use(
                    (context, next) =>
                    {
                        context.Response.Headers.XFrameOptions = "DENY";
                        context.Response.Headers.CacheControl = "public";
                        return next(context);
                    }
                );
                a.MapLintel();
            }
        );
        using var missing = await app.Client.GetAsync(new Uri("/y", UriKind.Relative), None);
        Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);
        Assert.Equal("DENY", missing.Headers.GetValues("X-Frame-Options").Single());
        Assert.Equal("no-store", missing.Headers.GetValues("Cache-Control").Single());
        Assert.Equal("application/problem+json", missing.Content.Headers.ContentType!.MediaType);
        using var refused = await app.Client.DeleteAsync(new Uri("/x", UriKind.Relative), None);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, refused.StatusCode);
        Assert.Equal("GET, HEAD", string.Join(", ", refused.Content.Headers.Allow));
        Assert.Equal("DENY", refused.Headers.GetValues("X-Frame-Options").Single());
        using var grpc = new HttpRequestMessage(HttpMethod.Post, "/y")
        {
            Content = new ByteArrayContent([]) { Headers = { ContentType = new("application/grpc-web") } },
        };
        using var told = await app.Client.SendAsync(grpc, None);
        Assert.Equal("12", told.Headers.GetValues("grpc-status").Single());
        Assert.Equal("DENY", told.Headers.GetValues("X-Frame-Options").Single());
    }

    /// <summary>For a header that the service sends too, the service's value is used, once.</summary>
    [Theory]
    [InlineData("")]
    [InlineData(", protocol: http2")]
    public async Task Headers_OfTheApplication_GiveWayToTheServices(string protocol)
    {
        await using var service = await TestService.StartAsync(
            context =>
            {
                context.Response.ContentType = "text/plain";
                return context.Response.WriteAsync("ok");
            },
            l => l.Protocols = protocol.Length > 0 ? HttpProtocols.Http2 : HttpProtocols.Http1
        );
        await using var app = await InProcessGateway.StartInApplicationAsync(
            $"services: {{ s: {{ instances: [\"{service.Address}\"]{protocol} }} }}\nroutes: {{ all: {{ match: \"/{{**rest}}\", "
                + $"forward: s }} }}",
            a =>
            {
                a.Use(
                    (context, next) =>
                    {
                        context.Response.ContentType = "text/html";
                        return next(context);
                    }
                );
                a.MapLintel();
            }
        );
        using var response = await app.Client.GetAsync(new Uri("/x", UriKind.Relative), None);
        Assert.Equal("text/plain", Assert.Single(response.Content.Headers.GetValues("Content-Type")));
    }

    [Fact]
    public async Task Feature_BehindTheGateway_TellsWhatWasMatched()
    {
        await using var service = await TestService.StartAsync();
        IGatewayFeature? after = null;
        (string?, string?) starting = default;
        await using var app = await InProcessGateway.StartInApplicationAsync(
            $"services: {{ s: \"{service.Address}\" }}\nroutes: {{ all: {{ match: \"/x/{{**rest}}\", forward: s }} }}",
            a =>
            {
                a.Use(
                    async (context, next) =>
                    {
                        context.Response.OnStarting(() =>
                        {
                            starting = (context.Features.Get<IGatewayFeature>()?.Route, context.Features.Get<IGatewayFeature>()?.Service);
                            return Task.CompletedTask;
                        });
                        await next(context);
                        after = context.Features.Get<IGatewayFeature>();
                    }
                );
                a.MapLintel();
            }
        );
        await app.Client.GetStringAsync(new Uri("/x/1", UriKind.Relative), None);
        await Until.SeenAsync(() => after);
        Assert.Equal(("all", "s"), starting);
        Assert.Equal(("all", "s", service.Address), (after!.Route, after.Service, after.Instance?.TrimEnd('/')));
        after = null;
        using var missing = await app.Client.GetAsync(new Uri("/y", UriKind.Relative), None);
        await Until.SeenAsync(() => after);
        Assert.Equal((null, null, null), (after!.Route, after.Service, after.Instance));
    }

    private static async Task CancelAsync(HttpContext context, RequestDelegate next)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        limit.CancelAfter(TimeSpan.FromMilliseconds(100));
        context.RequestAborted = limit.Token;
        await next(context);
    }
}
