using Lintel.TestKit;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Policies.Session;

/// <summary>A provider, a service, and a gateway with sessions between them, under one clock.</summary>
internal sealed class SessionFixture : IAsyncDisposable
{
    private SessionFixture(SessionProviderStub provider, FakeTimeProvider time, string settings, string? routes)
    {
        (Provider, Time) = (provider, time);
        foreach (var segment in new[] { "app", "open", "anything" })
            Service.On(segment, "1");
        Gateway = new MemoryGateway(
            $$"""
            services: { s: "{{Service.Address}}" }
            policies:
              login: { session: { issuer: "{{provider.Issuer}}", clientId: shop, clientSecret: secret, scopes: [openid, orders] {{settings}} } }
            routes: {{routes
                ?? "{ app: { match: \"/app/{**rest}\", forward: s, policies: [login] }, open: { match: \"/open\", forward: s } }"}}
            """,
            new MemoryNet(Service),
            time
        );
    }

    public SessionProviderStub Provider { get; }

    public FakeTimeProvider Time { get; }

    public MemoryService Service { get; } = new();

    public MemoryGateway Gateway { get; }

    /// <summary>The last request that the service received.</summary>
    public SeenRequest Last => Service.Seen.Last();

    /// <param name="settings">Further settings of the policy, beginning with a comma.</param>
    /// <param name="routes">The routes; by default <c>/app</c> needs a session and <c>/open</c> does not.</param>
    public static async Task<SessionFixture> StartAsync(string settings = "", string? routes = null)
    {
        var time = new FakeTimeProvider(DateTimeOffset.Parse("2026-11-28T12:00:00Z", System.Globalization.CultureInfo.InvariantCulture));
        return new SessionFixture(await SessionProviderStub.StartAsync(time), time, settings, routes);
    }

    public TestBrowser Browser(string scheme = "http", string host = "localhost") => new(Gateway, scheme, host);

    /// <summary>A browser whose user has logged in.</summary>
    public async Task<TestBrowser> LoggedInAsync()
    {
        var browser = Browser();
        Assert.Equal(302, (await browser.LogInAsync(Provider)).Status);
        return browser;
    }

    /// <summary>Has the provider end sessions.</summary>
    public Task<MemoryAnswer> LogOutByProviderAsync(string token) =>
        Browser()
            .SendAsync("POST", "/bff/backchannel-logout", "logout_token=" + token, ("Content-Type", "application/x-www-form-urlencoded"));

    public async ValueTask DisposeAsync()
    {
        Gateway.Dispose();
        await Provider.DisposeAsync();
    }
}
