using System.Text.Json.Nodes;
using Lintel.Control.Explaining;
using Lintel.TestKit;

namespace Lintel.Tests.Policies.Session;

public sealed class SessionPolicyTests
{
    private const string Cookie = "lintel-login";

    [Fact]
    public async Task Browser_WithoutASession_LogsIn_AndReturns()
    {
        await using var fixture = await SessionFixture.StartAsync();
        var browser = fixture.Browser();
        var first = await browser.GoAsync("/app/orders?page=2");
        Assert.Equal((302, "/bff/login?returnUrl=%2Fapp%2Forders%3Fpage%3D2"), (first.Status, first["Location"]));
        Assert.Equal("no-store", first["Cache-Control"]);
        var login = await browser.GoAsync(first["Location"]!);
        Assert.StartsWith(fixture.Provider.Issuer + "/authorize?tenant=1&client_id=shop&", login["Location"]);
        var done = await browser.GoAsync(fixture.Provider.Authorize(login["Location"]!));
        Assert.Equal((302, "/app/orders?page=2"), (done.Status, done["Location"]));
        Assert.Equal([Cookie], browser.Cookies.Keys);

        var page = await browser.GoAsync("/app/orders?page=2");
        Assert.Equal(200, page.Status);
        Assert.Equal("Bearer access-2", Assert.Single(fixture.Last.Headers["Authorization"]));
        Assert.False(fixture.Last.Headers.ContainsKey("Cookie"));
    }

    [Theory]
    [InlineData("http", "lintel-login", "Path=/; HttpOnly; SameSite=Lax")]
    [InlineData("https", "__Host-lintel-login", "Path=/; Secure; HttpOnly; SameSite=Lax")]
    public async Task Cookie_BelongsToOneHost_AndNoScriptReadsIt(string scheme, string name, string attributes)
    {
        await using var fixture = await SessionFixture.StartAsync();
        var browser = fixture.Browser(scheme);
        await browser.LogInAsync(fixture.Provider);
        Assert.Equal(43, browser.Cookies[name].Length);
        Assert.Equal(attributes, browser.Attributes[name]);
        Assert.Equal(200, (await browser.GoAsync("/app")).Status);
    }

    [Fact]
    public async Task Login_OverPlainHttp_OrAtNoHost_IsRefused()
    {
        await using var fixture = await SessionFixture.StartAsync();
        Assert.Equal(403, (await fixture.Browser("http", "shop.example.com").GoAsync("/bff/login")).Status);
        Assert.Equal(302, (await fixture.Browser("https", "shop.example.com").GoAsync("/bff/login")).Status);
        Assert.Equal(302, (await fixture.Browser("http", "[::1]:8080").GoAsync("/bff/login")).Status);
        Assert.Equal(302, (await fixture.Browser("http", "shop.localhost:8080").GoAsync("/bff/login")).Status);
    }

    [Fact]
    public async Task Page_WithoutASession_Gets401_NotTheLogin()
    {
        await using var fixture = await SessionFixture.StartAsync();
        var browser = fixture.Browser();
        Assert.Equal(401, (await browser.FetchAsync("/app")).Status);
        Assert.Equal(401, (await browser.SendAsync("POST", "/app", "x", ("Accept", "text/html"))).Status);
        var fetch = await browser.SendAsync("GET", "/app", null, ("Accept", "text/html"), ("Sec-Fetch-Mode", "cors"));
        Assert.Equal((401, "Session"), (fetch.Status, fetch["WWW-Authenticate"]));
    }

    [Fact]
    public async Task Claims_OfTheUser_AreKnownToOtherPolicies_ScopesIncluded()
    {
        await using var fixture = await SessionFixture.StartAsync(
            routes: """
            {
              mine: { match: "/app/{user}", forward: s, policies: [login, { authorize: { all: [{ scope: orders }, { claim: sub, equals: "{user}" }] } }] }
            }
            """
        );
        var browser = fixture.Browser();
        await browser.LogInAsync(fixture.Provider, "/app/kim");
        Assert.Equal(200, (await browser.GoAsync("/app/kim")).Status);
        Assert.Equal(403, (await browser.GoAsync("/app/lee")).Status);
    }

    [Fact]
    public async Task Session_EndsWhenIdle_AndInAnyCase()
    {
        await using var fixture = await SessionFixture.StartAsync(", idle: 10m, lifetime: 30m");
        fixture.Provider.Seconds = 100_000;
        var browser = await fixture.LoggedInAsync();
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(200, (await browser.GoAsync("/app")).Status);
            fixture.Time.Advance(TimeSpan.FromMinutes(9));
            Assert.Equal(200, (await browser.FetchAsync("/bff/user")).Status); // no use of the session
        }

        fixture.Time.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal(302, (await browser.GoAsync("/app")).Status); // idle for 11 minutes

        browser = await fixture.LoggedInAsync();
        for (var i = 0; i < 4; i++)
        {
            Assert.Equal(200, (await browser.GoAsync("/app")).Status);
            fixture.Time.Advance(TimeSpan.FromMinutes(8));
        }

        Assert.Equal(302, (await browser.GoAsync("/app")).Status); // 32 minutes old
    }

    [Fact]
    public async Task Services_OfRoutesWithoutThePolicy_DoNotReceiveTheCookieEither()
    {
        await using var fixture = await SessionFixture.StartAsync();
        var browser = await fixture.LoggedInAsync();
        browser.Cookies["theme"] = "dark";
        browser.Cookies[Cookie + ".3"] = "login";
        Assert.Equal(200, (await browser.GoAsync("/open")).Status);
        Assert.Equal("theme=dark", Assert.Single(fixture.Last.Headers["Cookie"]));
        Assert.False(fixture.Last.Headers.ContainsKey("Authorization"));
    }

    [Fact]
    public async Task User_OfASession_IsDescribed_ToPagesOfTheSameOrigin()
    {
        await using var fixture = await SessionFixture.StartAsync(", userInfo: true");
        var browser = await fixture.LoggedInAsync();
        var user = await browser.FetchAsync("/bff/user");
        Assert.Equal((200, "application/json", "no-store"), (user.Status, user["Content-Type"], user["Cache-Control"]));
        var claims = user.Json["claims"]!.AsObject();
        Assert.Equal(["sub", "sid", "email", "iss", "aud", "name", "scope"], claims.Select(c => c.Key));
        Assert.Equal("kim@example.com", (string?)claims["email"]); // the signed one
        Assert.Equal("2026-11-29T00:00:00+00:00", (string?)user.Json["expires"]);
        Assert.Equal(403, (await browser.GoAsync("/bff/user")).Status);
        Assert.Equal(401, (await fixture.Browser().FetchAsync("/bff/user")).Status);
    }

    [Fact]
    public async Task Logout_EndsTheSession_TheRefreshToken_AndTheProvidersSession()
    {
        await using var fixture = await SessionFixture.StartAsync(", returnTo: /bye");
        var browser = await fixture.LoggedInAsync();
        var url = (string?)(await browser.FetchAsync("/bff/user")).Json["logoutUrl"];
        var copy = browser.Cookies[Cookie];
        var answer = await browser.GoAsync(url!);
        Assert.Equal(302, answer.Status);
        Assert.StartsWith(fixture.Provider.Issuer + "/end?id_token_hint=ey", answer["Location"]);
        Assert.EndsWith("&client_id=shop&post_logout_redirect_uri=http%3A%2F%2Flocalhost%2Fbye", answer["Location"]);
        Assert.Empty(browser.Cookies);
        Assert.Equal("refresh-2", Assert.Single(fixture.Provider.Posts, p => p.Path == "/revoke").Form["token"]);

        browser.Cookies[Cookie] = copy;
        Assert.Equal(302, (await browser.GoAsync("/app")).Status);
        Assert.Equal((302, "/bye"), ((await browser.GoAsync("/bff/logout")).Status, (await browser.GoAsync("/bff/logout"))["Location"]));
    }

    [Fact]
    public async Task Logout_OfAPage_GetsTheProvidersUrl()
    {
        await using var fixture = await SessionFixture.StartAsync(", logoutEverywhere: false");
        var browser = await fixture.LoggedInAsync();
        var answer = await browser.FetchAsync("/bff/logout", "POST");
        Assert.Equal((200, """{"location":"/"}"""), (answer.Status, answer.Body));
        Assert.Empty(browser.Cookies);
    }

    [Fact]
    public void Endpoints_AreExplained_AsRoutesOfTheirPolicy()
    {
        using var folder = new ConfigFolder();
        var file = folder.Write(
            "gateway.yaml",
            """
            policies: { login: { session: { issuer: "https://id.example.com", clientId: shop, clientSecret: secret } } }
            routes: { all: { match: "/{**rest}", respond: { body: in }, policies: [login] } }
            """
        );
        var request = ExplainRequest.Parse("GET https://shop.example.com/bff/login", [], out _)!;
        var explanation = GatewayReader.Explain(file, request);
        Assert.Equal(("policies.login/login", "/bff/login"), (explanation.Route, explanation.Path));
        request = ExplainRequest.Parse("GET https://shop.example.com/page", [], out _)!;
        Assert.Equal("all", GatewayReader.Explain(file, request).Route);
    }

    [Fact]
    public async Task Login_IsPushed_WhereTheProviderTakesIt()
    {
        await using var fixture = await SessionFixture.StartAsync(", parameters: { audience: api, prompt: login }");
        fixture.Provider.Metadata["pushed_authorization_request_endpoint"] = fixture.Provider.Issuer + "/par";
        var browser = fixture.Browser();
        var login = await browser.GoAsync("/bff/login");
        Assert.Matches(@"/authorize\?tenant=1&client_id=shop&request_uri=urn%3A[^&]+$", login["Location"]);
        var pushed = Assert.Single(fixture.Provider.Posts, p => p.Path == "/par").Form;
        Assert.Equal(("api", "login", "openid orders"), (pushed["audience"], pushed["prompt"], pushed["scope"]));
        Assert.Equal(302, (await browser.GoAsync(fixture.Provider.Authorize(login["Location"]!))).Status);
    }

    [Fact]
    public async Task Endpoints_WithHosts_AreOnThemOnly()
    {
        await using var fixture = await SessionFixture.StartAsync(", hosts: [shop.example.com]");
        Assert.Equal(302, (await fixture.Browser("https", "shop.example.com").GoAsync("/bff/login")).Status);
        Assert.Equal(404, (await fixture.Browser("https", "evil.example").GoAsync("/bff/login")).Status);
        Assert.Equal(401, (await fixture.Browser("https", "evil.example").GoAsync("/app")).Status);
    }

    [Fact]
    public async Task Endpoints_AreOnTheHostsOfTheirRoutes_BeforeRoutesForEveryPath()
    {
        await using var fixture = await SessionFixture.StartAsync(
            routes: """{ all: { match: { hosts: [shop.example.com], path: "/{**rest}" }, forward: s, policies: [{ anyOf: [login, { apiKey: {} }] }] } }"""
        );
        var answer = await fixture.Browser("https", "shop.example.com").GoAsync("/anything");
        Assert.Equal((302, "/bff/login?returnUrl=%2Fanything"), (answer.Status, answer["Location"]));
        Assert.Equal(302, (await fixture.Browser("https", "shop.example.com").GoAsync("/bff/login")).Status);
    }

    [Fact]
    public async Task Provider_ThatIsDown_LeavesSessionsAsTheyAre_AndRefusesLogins()
    {
        await using var fixture = await SessionFixture.StartAsync();
        fixture.Provider.Before = static c =>
        {
            c.Response.StatusCode = 503;
            return Task.FromResult(true);
        };
        var answer = await fixture.Browser().GoAsync("/bff/login");
        Assert.Equal((503, "5"), (answer.Status, answer["Retry-After"]));
        Assert.Equal("urn:problem-type:lintel:authentication-unavailable", (string?)JsonNode.Parse(answer.Body)!["type"]);
    }

    [Fact]
    public async Task Provider_ThatRefusesTheUser_LeadsToAProblem_AndNoSession()
    {
        await using var fixture = await SessionFixture.StartAsync();
        var browser = fixture.Browser();
        var login = await browser.GoAsync("/bff/login");
        var callback = fixture
            .Provider.Authorize(login["Location"]!)
            .Replace("code=code-1", "error=access_denied", StringComparison.Ordinal);
        Assert.Equal(403, (await browser.GoAsync(callback)).Status);
    }
}
