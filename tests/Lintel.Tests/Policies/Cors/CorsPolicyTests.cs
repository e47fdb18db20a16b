using Lintel.Policies.Cors;
using Microsoft.AspNetCore.Http;

namespace Lintel.Tests.Policies.Cors;

public sealed class CorsPolicyTests : IDisposable
{
    private readonly Spine _spine = new(
        """
        policies:
          web: { cors: { origins: ["https://shop.example.com", "https://*.example.net"], methods: [GET, PUT], headers: [Content-Type], expose: [RateLimit], credentials: true, maxAge: 1h } }
          open: { cors: { origins: "*" } }
          nobody: { access: { deny: ["0.0.0.0/0", "::/0"] } }
        routes:
          item: { match: "GET,PUT /items/{id}", respond: { body: item, headers: { Access-Control-Allow-Origin: "*", Vary: Accept } }, policies: [web] }
          open: { match: "GET,DELETE /open", respond: { body: open }, policies: [open] }
          refused: { match: "GET /refused", respond: { body: never }, policies: [nobody, web] }
          own: { match: "/own", respond: { status: 204, headers: { X-Own: preflight } } }
        """
    );

    public void Dispose() => _spine.Dispose();

    [Theory]
    [InlineData("https://shop.example.com", true)]
    [InlineData("https://SHOP.example.com", true)]
    [InlineData("https://a.example.net", true)]
    [InlineData("https://a.b.example.net", true)]
    [InlineData("https://example.net", false)]
    [InlineData("https://aexample.net", false)]
    [InlineData("https://evil.com/.example.net", false)]
    [InlineData("https://evil.com?.example.net", false)]
    [InlineData("https://a@.example.net", false)]
    [InlineData("http://shop.example.com", false)]
    [InlineData("https://shop.example.com:8443", false)]
    [InlineData("https://shop.example.com.evil.com", false)]
    [InlineData("null", false)]
    [InlineData("", false)]
    public void Origin_IsAdmitted_ByWhatIsListedAlone(string origin, bool admitted) =>
        Assert.Equal(
            admitted,
            new CorsPolicy(new CorsConfig { Origins = ["https://shop.example.com", "https://*.example.net"] }).Admits(origin)
        );

    [Fact]
    public async Task Answer_ToAPageThatIsAdmitted_SaysSo()
    {
        var answer = await _spine.SendAsync("GET", "/items/1", ("Origin", "https://shop.example.com"));
        Assert.Equal(
            (200, "https://shop.example.com", "true", "RateLimit"),
            (
                answer.StatusCode,
                Of(answer, "Access-Control-Allow-Origin"),
                Of(answer, "Access-Control-Allow-Credentials"),
                Of(answer, "Access-Control-Expose-Headers")
            )
        );
        Assert.Equal("Accept,Origin", Of(answer, "Vary"));
        Assert.Null(Of(answer, "Access-Control-Allow-Methods"));
    }

    /// <summary>The request is none of the gateway's business; that the page may not read the answer is the browser's.</summary>
    [Theory]
    [InlineData("https://evil.example")]
    [InlineData("null")]
    [InlineData(null)]
    public async Task Answer_ToAnyOtherPage_TellsNothing_AndVaries(string? origin)
    {
        var answer = await (origin is null ? _spine.SendAsync("GET", "/items/1") : _spine.SendAsync("GET", "/items/1", ("Origin", origin)));
        Assert.Equal(200, answer.StatusCode);
        // the service's own word is removed
        Assert.DoesNotContain(answer.Headers, h => h.Key.StartsWith("Access-Control-", StringComparison.Ordinal));
        Assert.Equal("Accept,Origin", Of(answer, "Vary"));
    }

    [Fact]
    public async Task Preflight_IsAnsweredByTheRouteOfTheMethodItAsksAbout()
    {
        var answer = await PreflightAsync("/items/1", "https://a.example.net", "PUT");
        Assert.Equal(
            (204, "https://a.example.net", "true", "GET, PUT", "Content-Type", "3600"),
            (
                answer.StatusCode,
                Of(answer, "Access-Control-Allow-Origin"),
                Of(answer, "Access-Control-Allow-Credentials"),
                Of(answer, "Access-Control-Allow-Methods"),
                Of(answer, "Access-Control-Allow-Headers"),
                Of(answer, "Access-Control-Max-Age")
            )
        );
        Assert.StartsWith("Origin, Access-Control-Request-Method", Of(answer, "Vary"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Preflight_ComesBeforeEveryRuleThatRefuses()
    {
        Assert.Equal(204, (await PreflightAsync("/refused", "https://shop.example.com", "GET")).StatusCode);
        var refused = await _spine.SendAsync("GET", "/refused", ("Origin", "https://shop.example.com"));
        // the page may read why
        Assert.Equal((403, "https://shop.example.com"), (refused.StatusCode, Of(refused, "Access-Control-Allow-Origin")));
    }

    [Theory]
    [InlineData("/items/1", "https://evil.example", "PUT")]
    [InlineData("/items/1", "null", "PUT")]
    public async Task Preflight_OfAnOriginThatIsNotListed_IsRefused(string path, string origin, string method)
    {
        var answer = await PreflightAsync(path, origin, method);
        Assert.Equal(403, answer.StatusCode);
        Assert.DoesNotContain(answer.Headers, h => h.Key.StartsWith("Access-Control-", StringComparison.Ordinal));
        Assert.Contains("Origin", Of(answer, "Vary"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Preflight_OfAMethodThatNoRouteTakes_IsTheUsualAnswer() =>
        Assert.Equal(405, (await PreflightAsync("/items/1", "https://shop.example.com", "DELETE")).StatusCode);

    [Fact]
    public async Task Preflight_OfARouteWithoutThePolicy_IsTheServices() =>
        Assert.Equal("preflight", Of(await PreflightAsync("/own", "https://shop.example.com", "GET"), "X-Own"));

    [Fact]
    public async Task Preflight_ThatAsksForAPrivateNetwork_IsRefused() =>
        Assert.Equal(
            403,
            (
                await _spine.SendAsync(
                    "OPTIONS",
                    "/items/1",
                    ("Origin", "https://shop.example.com"),
                    ("Access-Control-Request-Method", "PUT"),
                    ("Access-Control-Request-Private-Network", "true")
                )
            ).StatusCode
        );

    /// <summary>The method in the answer to a preflight is a valid token.</summary>
    [Theory]
    [InlineData("GET, PUT")]
    [InlineData("P\u00dcT")]
    [InlineData("")]
    public async Task Preflight_ThatAsksAboutNoMethod_IsAnOrdinaryRequest(string method) =>
        Assert.Equal(405, (await PreflightAsync("/open", "https://who.ever", method)).StatusCode);

    [Fact]
    public async Task Options_ThatIsNoPreflight_IsAnOrdinaryRequest() =>
        Assert.Equal(405, (await _spine.SendAsync("OPTIONS", "/items/1", ("Origin", "https://shop.example.com"))).StatusCode);

    [Fact]
    public async Task Any_Origin_IsAnsweredWithAStar_AndTheMethodThatTheRouteTakes()
    {
        var preflight = await PreflightAsync("/open", "https://who.ever", "DELETE");
        Assert.Equal(
            (204, "*", "DELETE", null),
            (
                preflight.StatusCode,
                Of(preflight, "Access-Control-Allow-Origin"),
                Of(preflight, "Access-Control-Allow-Methods"),
                Of(preflight, "Access-Control-Allow-Credentials")
            )
        );
        var answer = await _spine.SendAsync("GET", "/open", ("Origin", "null"));
        Assert.Equal(("*", null), (Of(answer, "Access-Control-Allow-Origin"), Of(answer, "Vary")));
    }

    [Theory]
    [InlineData("https://shop.example.com/")]
    [InlineData("https://shop.example.com:443")]
    [InlineData("shop.example.com")]
    [InlineData("https://*.*.example.net")]
    [InlineData("https://*example.net")]
    [InlineData("https://u@example.net")]
    [InlineData("https://example.net/path")]
    [InlineData("null")]
    public void Origin_InAnotherSpellingThanBrowsers_IsNoOrigin(string text) => Assert.False(OriginPattern.TryParse(text, out _), text);

    private Task<HttpResponse> PreflightAsync(string path, string origin, string method) =>
        _spine.SendAsync(
            "OPTIONS",
            path,
            ("Origin", origin),
            ("Access-Control-Request-Method", method),
            ("Access-Control-Request-Headers", "content-type")
        );

    private static string? Of(HttpResponse answer, string name) =>
        answer.Headers.TryGetValue(name, out var values) ? values.ToString() : null;
}
