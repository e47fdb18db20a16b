using System.Text.Json.Nodes;
using Lintel.TestKit;

namespace Lintel.Tests.Policies.Session;

/// <summary>What an attacker may try with a session: each of these must lead nowhere.</summary>
public sealed class SessionAttackTests
{
    private const string Cookie = "lintel-login";

    [Theory]
    [InlineData("https://evil.example/")]
    [InlineData("//evil.example/")]
    [InlineData("/%5Cevil.example/")]
    [InlineData("/%09/evil.example/")]
    [InlineData("%0D%0A/evil.example")]
    [InlineData("javascript:alert(1)")]
    [InlineData("evil")]
    [InlineData("%20/app")]
    [InlineData("")]
    [Attack("Open redirect by `returnUrl`: other hosts, `//`, `/\\`, control characters", "400: only paths of the same host")]
    public async Task Login_WithAReturnUrlOfAnotherHost_IsRefused(string url)
    {
        await using var fixture = await SessionFixture.StartAsync();
        var answer = await fixture
            .Browser()
            .GoAsync("/bff/login?returnUrl=" + (url.StartsWith("http", StringComparison.Ordinal) ? Uri.EscapeDataString(url) : url));
        Assert.Equal(400, answer.Status);
        Assert.Equal(400, (await fixture.Browser().GoAsync("/bff/login?returnUrl=/a&returnUrl=/b")).Status);
        Assert.Equal(400, (await fixture.Browser().GoAsync("/bff/login?returnUrl=/" + new string('a', 2000))).Status);
    }

    [Fact]
    [Attack("Login CSRF: the victim's browser opens the attacker's callback URL", "401: the login was not begun in this browser")]
    public async Task Callback_InAnotherBrowser_BeginsNoSession()
    {
        await using var fixture = await SessionFixture.StartAsync();
        var attacker = fixture.Browser();
        var login = await attacker.GoAsync("/bff/login");
        var callback = fixture.Provider.Authorize(login["Location"]!);
        var victim = fixture.Browser();
        Assert.Equal(401, (await victim.GoAsync(callback)).Status);
        await victim.GoAsync("/bff/login"); // with a login of its own
        Assert.Equal(401, (await victim.GoAsync(callback)).Status);
        Assert.DoesNotContain(Cookie, victim.Cookies.Keys);
        Assert.DoesNotContain(fixture.Provider.Posts, p => p.Path == "/token");
        Assert.Equal(302, (await attacker.GoAsync(callback)).Status);
    }

    [Fact]
    [Attack(
        "Session fixation: a cookie that the attacker knows is planted before the login",
        "A login begins a session of a new name; the old one ends"
    )]
    public async Task Login_WithACookieThatIsThereAlready_GetsANewOne()
    {
        await using var fixture = await SessionFixture.StartAsync();
        var attacker = await fixture.LoggedInAsync();
        var planted = attacker.Cookies[Cookie];
        var victim = fixture.Browser();
        victim.Cookies[Cookie] = planted;
        var login = await victim.GoAsync("/bff/login");
        await victim.GoAsync(fixture.Provider.Authorize(login["Location"]!));
        Assert.NotEqual(planted, victim.Cookies[Cookie]);
        Assert.Equal(200, (await victim.GoAsync("/app")).Status);
        Assert.Equal(302, (await attacker.GoAsync("/app")).Status);
    }

    [Fact]
    [Attack("A guessed, truncated, extended or foreign session cookie", "401: nothing but the whole random value finds a session")]
    public async Task Cookie_OfNoSession_IsWorthNothing()
    {
        await using var fixture = await SessionFixture.StartAsync();
        var browser = await fixture.LoggedInAsync();
        var valid = browser.Cookies[Cookie];
        foreach (
            var value in new[]
            {
                "",
                "x",
                valid[1..],
                valid + "A",
                new string('A', 43),
                valid[..42] + "é",
                valid.ToUpperInvariant(),
                "\"" + valid + "\"",
            }
        )
        {
            browser.Cookies[Cookie] = value;
            Assert.Equal(401, (await browser.FetchAsync("/app")).Status);
            Assert.Equal(401, (await browser.FetchAsync("/bff/user")).Status);
        }
    }

    [Fact]
    [Attack("A session cookie is used again after the logout", "401: the session is gone from the store")]
    public async Task Cookie_AfterTheLogout_IsWorthNothing()
    {
        await using var fixture = await SessionFixture.StartAsync();
        var browser = await fixture.LoggedInAsync();
        var copy = browser.Cookies[Cookie];
        await browser.FetchAsync("/bff/logout", "POST");
        browser.Cookies[Cookie] = copy;
        Assert.Equal(401, (await browser.FetchAsync("/app")).Status);
    }

    [Theory]
    [InlineData("POST", null, null, null, 403)]
    [InlineData("POST", "http://evil.example", null, null, 403)]
    [InlineData("POST", "null", null, null, 403)]
    [InlineData("POST", "http://localhost.evil.example", null, null, 403)]
    [InlineData("POST", "https://localhost", null, null, 403)]
    [InlineData("POST", "http://localhost:81", null, null, 403)]
    [InlineData("POST", "http://localhost", "cross-site", "cors", 403)]
    [InlineData("POST", null, "same-site", "cors", 403)]
    [InlineData("POST", null, "none", "navigate", 403)]
    [InlineData("POST", null, "cross-site", "navigate", 403)]
    [InlineData("DELETE", null, "same-site", "no-cors", 403)]
    [InlineData("GET", null, "cross-site", "no-cors", 403)]
    [InlineData("GET", null, "same-site", "cors", 403)]
    [InlineData("GET", null, null, null, 403)]
    [InlineData("POST", "http://localhost", null, null, 200)]
    [InlineData("POST", "http://LOCALHOST:80", null, null, 200)]
    [InlineData("PUT", null, "same-origin", "cors", 200)]
    [InlineData("GET", null, "same-origin", "no-cors", 200)]
    [InlineData("GET", null, "cross-site", "navigate", 200)]
    [InlineData("GET", null, "none", "navigate", 200)]
    [Attack(
        "CSRF: a page of another origin sends a request with the session's cookie",
        "403 without `X-CSRF: 1` or a same origin; links still work"
    )]
    public async Task Request_OfAnotherOrigin_IsRefused(string method, string? origin, string? site, string? mode, int status)
    {
        await using var fixture = await SessionFixture.StartAsync();
        var browser = await fixture.LoggedInAsync();
        var headers = new[] { ("Origin", origin), ("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", mode) }
            .Where(h => h.Item2 is not null)
            .Select(h => (h.Item1, h.Item2!));
        Assert.Equal(status, (await browser.SendAsync(method, "/app", null, [.. headers])).Status);
        Assert.Equal(200, (await browser.FetchAsync("/app", method)).Status);
    }

    [Theory]
    [InlineData(null, 403)]
    [InlineData("http://evil.example", 403)]
    [InlineData("null", 403)]
    [Attack(
        "Cross-site WebSocket hijacking: a page of another origin opens a WebSocket of the session",
        "403 unless `Origin` is the host's own"
    )]
    public async Task WebSocket_OfAnotherOrigin_IsRefused(string? origin, int status)
    {
        await using var fixture = await SessionFixture.StartAsync();
        var browser = await fixture.LoggedInAsync();
        (string, string)[] headers = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("X-CSRF", "1"), ("Accept", "text/html")];
        Assert.Equal(
            status,
            (await browser.SendAsync("GET", "/app", null, origin is null ? headers : [.. headers, ("Origin", origin)])).Status
        );
    }

    [Fact]
    [Attack("Logout CSRF: a link or image of another page logs the user out", "403 without the session's own logout URL or `X-CSRF: 1`")]
    public async Task Logout_ThatNoPageOfTheApplicationWants_IsRefused()
    {
        await using var fixture = await SessionFixture.StartAsync();
        var browser = await fixture.LoggedInAsync();
        Assert.Equal(403, (await browser.GoAsync("/bff/logout")).Status);
        Assert.Equal(403, (await browser.GoAsync("/bff/logout?sid=s1")).Status);
        Assert.Equal(403, (await browser.SendAsync("POST", "/bff/logout", "", ("Origin", "http://evil.example"))).Status);
        Assert.Equal(200, (await browser.GoAsync("/app")).Status);
    }

    [Fact]
    [Attack("The code of another issuer is injected into the callback (mix-up)", "401: `iss` must be the configured issuer")]
    public async Task Callback_OfAnotherIssuer_IsRefused()
    {
        await using var fixture = await SessionFixture.StartAsync();
        fixture.Provider.Metadata["authorization_response_iss_parameter_supported"] = true;
        foreach (
            var (suffix, status) in new[]
            {
                ("", 401),
                ("&iss=https%3A%2F%2Fevil.example", 401),
                ("&iss=" + Uri.EscapeDataString(fixture.Provider.Issuer), 302),
            }
        )
        {
            var browser = fixture.Browser();
            var login = await browser.GoAsync("/bff/login");
            Assert.Equal(status, (await browser.GoAsync(fixture.Provider.Authorize(login["Location"]!) + suffix)).Status);
        }
    }

    [Theory]
    [InlineData("nonce", "\"other\"")]
    [InlineData("iss", "\"https://evil.example\"")]
    [InlineData("aud", "\"other\"")]
    [InlineData("aud", "[\"shop\",\"other\"]")]
    [InlineData("azp", "\"other\"")]
    [InlineData("exp", "1000")]
    [InlineData("sub", "null")]
    [InlineData("at_hash", "\"AAAAAAAAAAAAAAAAAAAAAA\"")]
    [Attack("An ID token of another login, client or issuer comes with the code", "401: nonce, issuer, audience, times and hash must fit")]
    public async Task IdToken_ThatIsNotOfThisLogin_BeginsNoSession(string claim, string value)
    {
        await using var fixture = await SessionFixture.StartAsync();
        fixture.Provider.Claims[claim] = JsonNode.Parse(value);
        var browser = fixture.Browser();
        Assert.Equal(401, (await browser.LogInAsync(fixture.Provider)).Status);
        Assert.DoesNotContain(Cookie, browser.Cookies.Keys);
    }

    [Theory]
    [InlineData("{0}.{1}.")]
    [InlineData("eyJhbGciOiJub25lIn0.{1}.")]
    [InlineData("{0}.{1}.AAAA")]
    [Attack("An ID token without a signature, or with a wrong one", "401: signatures of the provider's keys alone count")]
    public async Task IdToken_WithoutAValidSignature_BeginsNoSession(string form)
    {
        await using var fixture = await SessionFixture.StartAsync();
        fixture.Provider.Change = a =>
            a["id_token"] = string.Format(System.Globalization.CultureInfo.InvariantCulture, form, ((string)a["id_token"]!).Split('.'));
        Assert.Equal(401, (await fixture.Browser().LogInAsync(fixture.Provider)).Status);
    }

    [Fact]
    [Attack("The cookie of a login that is under way is altered, or kept for later", "401: it is encrypted, and ends after 15 minutes")]
    public async Task Login_WhoseCookieIsAltered_OrTooOld_CannotBeCompleted()
    {
        await using var fixture = await SessionFixture.StartAsync();
        var browser = fixture.Browser();
        var login = await browser.GoAsync("/bff/login");
        var name = Assert.Single(browser.Cookies.Keys);
        var value = browser.Cookies[name];
        var callback = fixture.Provider.Authorize(login["Location"]!);
        browser.Cookies[name] = (value[0] == 'A' ? 'B' : 'A') + value[1..];
        Assert.Equal(401, (await browser.GoAsync(callback)).Status);
        browser.Cookies[name] = value;
        fixture.Time.Advance(TimeSpan.FromMinutes(16));
        Assert.Equal(401, (await browser.GoAsync(callback)).Status);
    }

    [Fact]
    public async Task Logout_ByTheProvider_EndsItsSession_OrAllOfTheUser()
    {
        await using var fixture = await SessionFixture.StartAsync();
        var one = await fixture.LoggedInAsync();
        fixture.Provider.Claims["sid"] = "s2";
        var two = await fixture.LoggedInAsync();
        Assert.Equal(200, (await fixture.LogOutByProviderAsync(fixture.Provider.Sign(fixture.Provider.Logout(sid: "s1")))).Status);
        Assert.Equal(401, (await one.FetchAsync("/app")).Status);
        Assert.Equal(200, (await two.FetchAsync("/app")).Status);
        fixture.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(200, (await fixture.LogOutByProviderAsync(fixture.Provider.Sign(fixture.Provider.Logout(sub: "kim")))).Status);
        Assert.Equal(401, (await two.FetchAsync("/app")).Status);
        fixture.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(200, (await (await fixture.LoggedInAsync()).FetchAsync("/app")).Status); // a new login counts again
    }

    [Theory]
    [InlineData("aud", "\"other\"")]
    [InlineData("iss", "\"https://evil.example\"")]
    [InlineData("nonce", "\"n\"")]
    [InlineData("events", "{}")]
    [InlineData("events", "null")]
    [InlineData("sid", "null")]
    [InlineData("jti", "null")]
    [InlineData("iat", "null")]
    [InlineData("iat", "1000")]
    [InlineData("iat", "99999999999")]
    [InlineData("exp", "null")]
    [InlineData("exp", "1000")]
    [Attack("A forged, foreign or old logout token; an ID token in its place", "400, and no session ends")]
    public async Task LogoutToken_ThatIsNotOne_EndsNothing(string claim, string value)
    {
        await using var fixture = await SessionFixture.StartAsync();
        var browser = await fixture.LoggedInAsync();
        var token = fixture.Provider.Logout(sid: "s1");
        token[claim] = JsonNode.Parse(value);
        Assert.Equal(400, (await fixture.LogOutByProviderAsync(fixture.Provider.Sign(token))).Status);
        Assert.Equal(400, (await fixture.LogOutByProviderAsync("x.y.z")).Status);
        Assert.Equal(200, (await browser.FetchAsync("/app")).Status);
    }

    [Fact]
    [Attack("A logout token is sent twice", "400: each counts once")]
    public async Task LogoutToken_ThatWasUsed_EndsNothing()
    {
        await using var fixture = await SessionFixture.StartAsync();
        var token = fixture.Provider.Sign(fixture.Provider.Logout(sub: "kim"));
        Assert.Equal(200, (await fixture.LogOutByProviderAsync(token)).Status);
        fixture.Time.Advance(TimeSpan.FromSeconds(1));
        var browser = await fixture.LoggedInAsync();
        Assert.Equal(400, (await fixture.LogOutByProviderAsync(token)).Status);
        Assert.Equal(200, (await browser.FetchAsync("/app")).Status);
    }

    [Fact]
    [Attack(
        "Cookie tossing: a sibling subdomain or a plain connection sets the session's cookie",
        "With https only the cookie `__Host-…` counts, which browsers let nobody else set"
    )]
    public async Task Cookie_WithoutThePrefix_DoesNotCountWithHttps()
    {
        await using var fixture = await SessionFixture.StartAsync();
        var attacker = await fixture.LoggedInAsync(); // with http: lintel-login
        var victim = fixture.Browser("https");
        victim.Cookies[Cookie] = attacker.Cookies[Cookie];
        Assert.Equal(401, (await victim.FetchAsync("/app")).Status);
        await victim.LogInAsync(fixture.Provider);
        Assert.Equal(200, (await victim.FetchAsync("/app")).Status);
        Assert.Contains("Path=/; Secure;", victim.Attributes["__Host-lintel-login"], StringComparison.Ordinal);
        Assert.DoesNotContain("Domain", victim.Attributes["__Host-lintel-login"], StringComparison.OrdinalIgnoreCase);
    }
}
