using Microsoft.AspNetCore.Http;

namespace Lintel.Tests.Composition;

/// <summary>Redirects of services: followed as often as the call allows, and never to another service.</summary>
public sealed class RedirectTests
{
    private const string Following = "calls: { x: { request: a/x, redirects: 2 } }";

    [Theory]
    [InlineData(301, "/y?q=1")]
    [InlineData(302, "y?q=1")]
    [InlineData(303, "./y?q=1#part")]
    [InlineData(307, "SELF/y?q=1")]
    [InlineData(308, "HOST/y?q=1")]
    public async Task Redirect_ToAPlaceOfTheSameService_IsFollowed(int status, string location)
    {
        var backend = new MemoryService();
        using var gateway = MemoryGateway.Compose(Following, backend);
        location = location
            .Replace("SELF", backend.Address, StringComparison.Ordinal)
            .Replace("HOST", "http://" + "gateway.test", StringComparison.Ordinal);
        backend.On("x", status, "{}", ("Location", location)).On("y", "5");
        var answer = await gateway.GetAsync("/c/1", ("Authorization", "Bearer t"));
        Assert.Equal((200, """{"x":5}"""), (answer.Status, answer.Body));
        Assert.Equal(("/y?q=1", "Bearer t"), (backend.SeenOnce("y").Target, backend.SeenOnce("y")["Authorization"]));
    }

    [Theory]
    [InlineData("http://127.0.0.1:1/y")]
    [InlineData("//other.example/y")]
    [InlineData("https://SELF/y")]
    [InlineData("http://user@SELF/y")]
    [InlineData("ftp://SELF/y")]
    [InlineData("http://[")]
    [InlineData(null)]
    public async Task Redirect_ToAnotherPlace_IsTheCallsFailure(string? location)
    {
        var backend = new MemoryService();
        List<(string, string)> headers = location is null
            ? []
            : [("Location", location.Replace("SELF", new Uri(backend.Address).Authority, StringComparison.Ordinal))];
        backend.On("x", 302, "{}", [.. headers]).On("y", "5");
        using var gateway = MemoryGateway.Compose(Following, backend);
        var answer = await gateway.GetAsync();
        Assert.Equal(502, answer.Status);
        Assert.StartsWith("x;s=302;err=call-failed", answer.Of("x"), StringComparison.Ordinal);
        Assert.Equal(0, backend.Count("y"));
    }

    [Theory]
    [InlineData("", 1)]
    [InlineData(", redirects: 2", 3)]
    public async Task Redirects_BeyondTheNumber_AreTheCallsFailure(string more, int requests)
    {
        var backend = new MemoryService();
        backend.On("x", 302, "{}", ("Location", "/x"));
        using var gateway = MemoryGateway.Compose($"calls: {{ x: {{ request: a/x{more} }} }}", backend);
        Assert.Equal(502, (await gateway.GetAsync()).Status);
        Assert.Equal(requests, backend.Count("x"));
    }

    [Theory]
    [InlineData(307, "POST", "{\"n\":1}")]
    [InlineData(308, "POST", "{\"n\":1}")]
    [InlineData(303, "GET", "")]
    [InlineData(302, null, "")]
    public async Task Redirect_OfAWrite_RepeatsIt_LeadsToItsResult_OrIsNotFollowed(int status, string? method, string body)
    {
        var backend = new MemoryService();
        backend
            .On("x", status, "{}", ("Location", "/y"))
            .On("y", async context =>
            {
                var text = await MemoryService.BodyOf(context);
                await context.Response.WriteAsJsonAsync(new { method = context.Request.Method, body = text });
            });
        using var gateway = MemoryGateway.Compose("calls: { x: { request: POST a/x, body: { n: \"`1`\" }, redirects: 1 } }", backend);
        var answer = await gateway.GetAsync();
        Assert.Equal(method is null ? 502 : 200, answer.Status);
        if (method is not null)
            Assert.Equal((method, body), ((string?)answer.Json["x"]!["method"], (string?)answer.Json["x"]!["body"]));
    }

    [Theory]
    [InlineData(303, true)]
    [InlineData(307, false)]
    public async Task Write_WhoseResultCannotBeHad_IsUndone(int status, bool isUndone)
    {
        var backend = new MemoryService();
        backend.On("x", status, "{}", ("Location", "/y")).On("y", 500, "{}").On("undo", 204, "");
        using var gateway = MemoryGateway.Compose("calls: { x: { request: POST a/x, redirects: 1, compensate: DELETE a/undo } }", backend);
        Assert.Equal(502, (await gateway.GetAsync()).Status);
        Assert.Equal(isUndone ? 1 : 0, backend.Count("undo"));
    }

    [Fact]
    public async Task WhatARedirectSaysOfCaching_CountsToo()
    {
        var backend = new MemoryService();
        backend
            .On("x", 302, "{}", ("Location", "/y"), ("Cache-Control", "private, max-age=5"), ("Vary", "Authorization"))
            .On("y", 200, "5", ("Cache-Control", "max-age=60"), ("ETag", "\"1\""));
        using var gateway = MemoryGateway.Compose(Following, backend);
        var answer = await gateway.GetAsync();
        Assert.Equal(("private, max-age=5", "Authorization"), (answer["Cache-Control"], answer["Vary"]));

        // Another resource with the same tag is another answer.
        backend
            .On("x", 302, "{}", ("Location", "/z"), ("Cache-Control", "max-age=5"))
            .On("z", 200, "6", ("Cache-Control", "max-age=60"), ("ETag", "\"1\""));
        var other = await gateway.GetAsync("/c/7", ("If-None-Match", answer["ETag"]!));
        Assert.Equal((200, """{"x":6}"""), (other.Status, other.Body));
        Assert.All(backend.Seen, r => Assert.Null(r["If-None-Match"]));
    }

    [Fact]
    public async Task Redirect_StaysBelowTheBasePath()
    {
        var backend = new MemoryService();
        backend.On("base", context =>
        {
            var path = context.Request.Path.Value!;
            context.Response.StatusCode = path == "/base/y" ? 200 : 302;
            context.Response.ContentType = "application/json";
            if (path != "/base/y")
                context.Response.Headers.Location =
                    path == "/base/x" ? "/base/y"
                    : path == "/base/up" ? "../other"
                    : "/basement/y";
            return path == "/base/y" ? context.Response.WriteAsync("5") : Task.CompletedTask;
        });
        using var gateway = MemoryGateway.Compose(
            "calls: { x: { request: \"a/{id}\", redirects: 1 } }",
            new MemoryNet(backend),
            TimeProvider.System,
            backend.Address + "/base"
        );
        Assert.Equal("""{"x":5}""", (await gateway.GetAsync("/c/x")).Body);
        Assert.Equal(502, (await gateway.GetAsync("/c/up")).Status);
        Assert.Equal(502, (await gateway.GetAsync("/c/beside")).Status);
        Assert.Equal(4, backend.Count("base"));
    }
}
