using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Lintel.FunctionalTests.Protocols;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;

namespace Lintel.FunctionalTests;

/// <summary>Tokens of a provider that nobody here wrote.</summary>
[EveryTransport]
public sealed class TokenTests(OpenIdServer provider) : IClassFixture<OpenIdServer>
{
    private static readonly Uri Path = new("/orders?a=1", UriKind.Relative);

    [Fact]
    public async Task Token_OfARealProvider_IsAccepted_AndReachesTheService()
    {
        await using var service = await TestService.StartAsync();
        await using var gateway = await StartAsync(service, $"issuer: \"{provider.Issuer}\", audiences: shop, types: at+jwt");
        var token = await provider.TokenAsync();
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(gateway, "Bearer", token));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(gateway, "Bearer", token));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(gateway, "Bearer", token[..^3] + "AAA"));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(gateway, "Bearer", await provider.TokenAsync(isJwt: false)));
        using var without = await gateway.Client.GetAsync(Path);
        Assert.Equal("Bearer", without.Headers.WwwAuthenticate.ToString());
        Assert.Equal(2, service.Seen.Count);
    }

    [Fact]
    public async Task Token_OfARealProvider_ThatIsBound_NeedsItsProof()
    {
        await using var service = await TestService.StartAsync();
        await using var gateway = await StartAsync(service, $"issuer: \"{provider.Issuer}\", audiences: shop, boundTo: dpop");
        using var key = new TestIssuer("ES256", null);
        var now = DateTimeOffset.UtcNow;
        var token = await provider.BoundTokenAsync(key.Prove("POST", provider.Issuer + "/token", "", now, c => c.Remove("ath")));
        var url = new Uri(gateway.Address, "/orders").ToString();
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(gateway, "DPoP", token, key.Prove("GET", url, token, now)));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(gateway, "DPoP", token, key.Prove("PUT", url, token, now)));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(gateway, "Bearer", token));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(gateway, "Bearer", await provider.TokenAsync()));
    }

    [Fact]
    public async Task Keys_ThatAreRotatedUnderLoad_RefuseNoToken()
    {
        await using var own = new OpenIdServer();
        await own.InitializeAsync();
        await using var service = await TestService.StartAsync();
        await using var gateway = await StartAsync(service, $"issuer: \"{own.Issuer}\", audiences: shop");
        var tokens = new ConcurrentQueue<string>([await own.TokenAsync()]);
        var statuses = new ConcurrentDictionary<HttpStatusCode, int>();
        using var over = new CancellationTokenSource();
        var clients = Enumerable.Range(0, 4).Select(_ => LoadAsync()).ToList();
        await Until.TrueAsync(() => statuses.Values.Sum() >= 50);
        await own.ControlAsync("rotate");
        tokens.Enqueue(await own.TokenAsync());
        var served = statuses.Values.Sum();
        await Until.TrueAsync(() => statuses.Values.Sum() >= served + 100);
        await over.CancelAsync();
        await Task.WhenAll(clients);
        Assert.Equal(HttpStatusCode.OK, Assert.Single(statuses.Keys));

        async Task LoadAsync()
        {
            while (!over.IsCancellationRequested)
            {
                foreach (var token in tokens)
                    statuses.AddOrUpdate(await StatusAsync(gateway, "Bearer", token), 1, static (_, n) => n + 1);
            }
        }
    }

    [Fact]
    public async Task Provider_ThatIsDown_StopsOnlyWhatNeedsIt()
    {
        await using var own = new OpenIdServer();
        await own.InitializeAsync();
        await using var service = await TestService.StartAsync();
        await using var gateway = await StartAsync(service, $"issuer: \"{own.Issuer}\", audiences: shop");
        var token = await own.TokenAsync();
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(gateway, "Bearer", token));
        var other = await own.TokenAsync();
        await own.ControlAsync("down");
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(gateway, "Bearer", token));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(gateway, "Bearer", other)); // its key is known
        using var stranger = new TestIssuer("ES256", "unknown");
        var claims = new JsonObject { ["iss"] = own.Issuer, ["aud"] = "shop" };
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await StatusAsync(gateway, "Bearer", stranger.Sign(claims)));
        await using var late = await StartAsync(service, $"issuer: \"{own.Issuer}\", audiences: shop");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await StatusAsync(late, "Bearer", token));
        await Until.TrueAsync(() => late.Log.Any(l => l.Contains("cannot fetch the keys", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("another issuer in the metadata")]
    [InlineData("a redirect")]
    [InlineData("an endless answer")]
    [InlineData("no key")]
    [InlineData("members twice")]
    [InlineData("silence")]
    [Attack(
        "a provider that lies: another issuer in its metadata, redirects, an endless answer, no keys, members twice, silence",
        "503 and a line in the error log; nothing is believed"
    )]
    public async Task Provider_ThatLies_IsNotBelieved(string lie)
    {
        using var key = new TestIssuer();
        await using var liar = await TestService.StartAsync();
        liar.Handler = async context =>
        {
            var isKeys = context.Request.Path == "/keys";
            var issuer = lie == "another issuer in the metadata" ? "https://id.example.com" : liar.Address;
            if (lie == "silence")
                await Task.Delay(Timeout.Infinite, context.RequestAborted);
            if (lie == "a redirect" && isKeys)
                context.Response.Redirect("/other-keys");
            else if (lie == "an endless answer" && isKeys)
                await EndlessAsync(context);
            else if (!isKeys && context.Request.Path != "/other-keys")
                await context.Response.WriteAsync($$"""{"issuer":"{{issuer}}","jwks_uri":"{{liar.Address}}/keys"}""");
            else
                await context.Response.WriteAsync(
                    lie switch
                    {
                        "no key" => """{"keys":[]}""",
                        "members twice" => $$"""{"keys":[],"keys":[{{key.Jwk.ToJsonString()}}]}""",
                        _ => TestIssuer.Jwks(key),
                    }
                );
        };
        await using var service = await TestService.StartAsync();
        await using var gateway = await StartAsync(service, $"issuer: \"{liar.Address}\", audiences: shop, timeout: 500ms");
        var claims = new JsonObject
        {
            ["iss"] = liar.Address,
            ["aud"] = "shop",
            ["exp"] = DateTimeOffset.UtcNow.AddMinutes(1).ToUnixTimeSeconds(),
        };
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await StatusAsync(gateway, "Bearer", key.Sign(claims)));
        await Until.TrueAsync(() => gateway.Log.Any(l => l.Contains("cannot fetch the keys", StringComparison.Ordinal)));
        Assert.Empty(service.Seen);
    }

    private static async Task EndlessAsync(HttpContext context)
    {
        var piece = new byte[64 * 1024];
        Array.Fill(piece, (byte)' ');
        while (!context.RequestAborted.IsCancellationRequested)
            await context.Response.Body.WriteAsync(piece, context.RequestAborted);
    }

    private static Task<InProcessGateway> StartAsync(TestService service, string jwt) =>
        InProcessGateway.StartAsync(
            $$"""
            services: { s: "{{service.Address}}" }
            policies: { signed-in: { jwt: { {{jwt}} } } }
            routes: { r: { match: "/{**rest}", forward: s, policies: [signed-in] } }
            """
        );

    private static async Task<HttpStatusCode> StatusAsync(InProcessGateway gateway, string scheme, string token, string? proof = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, Path);
        request.Headers.Authorization = new AuthenticationHeaderValue(scheme, token);
        if (proof is not null)
            request.Headers.Add("DPoP", proof);
        using var answer = await gateway.Client.SendAsync(request);
        return answer.StatusCode;
    }
}
