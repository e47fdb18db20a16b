using Lintel.TestKit;

namespace Lintel.Tests.Policies.Session;

public sealed class SessionRefreshTests
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task Token_ThatEndsSoon_IsRefreshedBesideTheRequest()
    {
        await using var fixture = await SessionFixture.StartAsync(", refreshAhead: 1m");
        var browser = await fixture.LoggedInAsync();
        fixture.Time.Advance(3.9 * Minute);
        await browser.GoAsync("/app");
        Assert.Empty(fixture.Provider.Refreshes);
        fixture.Time.Advance(0.2 * Minute);
        Assert.Equal(200, (await browser.GoAsync("/app")).Status);
        Assert.Equal("Bearer access-2", fixture.Last.Headers["Authorization"][0]);
        await Until.TrueAsync(async () =>
        {
            await browser.GoAsync("/app");
            return fixture.Last.Headers["Authorization"][0] == "Bearer access-3";
        });
        Assert.Equal("refresh-2", Assert.Single(fixture.Provider.Refreshes)["refresh_token"]);
    }

    [Fact]
    public async Task Token_ThatHasEnded_IsRefreshedFirst_OnceForAllRequests()
    {
        await using var fixture = await SessionFixture.StartAsync();
        var browser = await fixture.LoggedInAsync();
        fixture.Time.Advance(6 * Minute);
        var gate = new TaskCompletionSource();
        fixture.Provider.Before = async _ =>
        {
            await gate.Task;
            return false;
        };
        var requests = Enumerable.Range(0, 20).Select(_ => browser.FetchAsync("/app")).ToList();
        await Task.Yield();
        gate.SetResult();
        foreach (var answer in await Task.WhenAll(requests))
            Assert.Equal(200, answer.Status);
        Assert.Single(fixture.Provider.Refreshes);
        Assert.All(fixture.Service.Seen, s => Assert.Equal("Bearer access-3", s.Headers["Authorization"][0]));
    }

    [Fact]
    public async Task Refresh_WithTheTokenOfTheLast_Rotates()
    {
        await using var fixture = await SessionFixture.StartAsync();
        var browser = await fixture.LoggedInAsync();
        for (var i = 0; i < 3; i++)
        {
            fixture.Time.Advance(6 * Minute);
            Assert.Equal(200, (await browser.GoAsync("/app")).Status);
        }

        Assert.Equal(["refresh-2", "refresh-3", "refresh-4"], fixture.Provider.Refreshes.Select(r => r["refresh_token"]));
    }

    [Fact]
    public async Task Session_WhoseRefreshTokenIsRefused_Ends()
    {
        await using var fixture = await SessionFixture.StartAsync();
        var browser = await fixture.LoggedInAsync();
        fixture.Provider.Change = static a =>
        {
            a.Clear();
            a["error"] = "invalid_grant";
        };
        fixture.Time.Advance(4.5 * Minute); // the token is still valid for 30 s
        Assert.Equal(200, (await browser.GoAsync("/app")).Status);
        await Until.TrueAsync(async () => (await browser.FetchAsync("/app")).Status == 401);
        Assert.Single(fixture.Provider.Refreshes);
    }

    [Fact]
    public async Task Session_WhileTheProviderIsDown_LivesAsLongAsItsToken()
    {
        await using var fixture = await SessionFixture.StartAsync();
        var browser = await fixture.LoggedInAsync();
        var asked = 0;
        fixture.Provider.Before = c =>
        {
            Interlocked.Increment(ref asked);
            c.Response.StatusCode = 500;
            return Task.FromResult(true);
        };
        fixture.Time.Advance(4.5 * Minute);
        for (var i = 0; i < 10; i++)
            Assert.Equal(200, (await browser.GoAsync("/app")).Status);
        await Until.TrueAsync(() => Volatile.Read(ref asked) == 1);
        fixture.Time.Advance(Minute);
        Assert.Equal(503, (await browser.GoAsync("/app")).Status);
        fixture.Provider.Before = static _ => Task.FromResult(false);
        fixture.Time.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal(200, (await browser.GoAsync("/app")).Status);
    }

    [Fact]
    public async Task Session_WithoutARefreshToken_EndsWithItsAccessToken()
    {
        await using var fixture = await SessionFixture.StartAsync();
        fixture.Provider.Change = static a => a.Remove("refresh_token");
        var browser = await fixture.LoggedInAsync();
        fixture.Time.Advance(4.9 * Minute);
        Assert.Equal(200, (await browser.GoAsync("/app")).Status);
        fixture.Time.Advance(0.2 * Minute);
        Assert.Equal(302, (await browser.GoAsync("/app")).Status);
    }

    [Fact]
    public async Task Refresh_ThatReturnsAnotherUser_IsRefused()
    {
        await using var fixture = await SessionFixture.StartAsync();
        var browser = await fixture.LoggedInAsync();
        fixture.Provider.Claims["sub"] = "lee";
        fixture.Time.Advance(6 * Minute);
        Assert.Equal(503, (await browser.GoAsync("/app")).Status);
    }

    [Fact]
    [Attack("A logout while the session's tokens are being refreshed", "The session stays ended; the new refresh token is revoked")]
    public async Task Refresh_ThatEndsAfterALogout_DoesNotBringTheSessionBack()
    {
        await using var fixture = await SessionFixture.StartAsync();
        var browser = await fixture.LoggedInAsync();
        var (arrived, gate) = (new TaskCompletionSource(), new TaskCompletionSource());
        fixture.Provider.Before = async c =>
        {
            if (c.Request.Path != "/token")
                return false;
            arrived.TrySetResult();
            await gate.Task;
            return false;
        };
        fixture.Time.Advance(6 * Minute);
        var cookie = browser.Cookies["lintel-login"];
        var request = browser.FetchAsync("/app");
        await arrived.Task;
        Assert.Equal(200, (await browser.FetchAsync("/bff/logout", "POST")).Status);
        gate.SetResult();
        Assert.Equal(401, (await request).Status);
        browser.Cookies["lintel-login"] = cookie;
        Assert.Equal(401, (await browser.FetchAsync("/app")).Status);
        Assert.Equal(["refresh-2", "refresh-3"], fixture.Provider.Posts.Where(p => p.Path == "/revoke").Select(p => p.Form["token"]));
    }
}
