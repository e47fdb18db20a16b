using System.Net;
using System.Net.Http.Headers;
using Lintel.FunctionalTests.Protocols;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;

namespace Lintel.FunctionalTests;

/// <summary>Tokens that a provider is asked about, one that nobody here wrote and one that answers as the test wants.</summary>
[EveryTransport]
public sealed class IntrospectionTests(OpenIdServer provider) : IClassFixture<OpenIdServer>
{
    private const string Client = "clientId: gateway, clientSecret: gateway-secret";

    [Fact]
    public async Task Token_OfARealProvider_IsAskedForOnce_AndRefusedOnceItsAnswerIsOld()
    {
        await using var service = await TestService.StartAsync();
        await using var gateway = await StartAsync(service, $"issuer: \"{provider.Issuer}\", {Client}, cache: 1s");
        var token = await provider.TokenAsync(isJwt: false);
        var before = await QuestionsAsync();
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(gateway, token));
        Assert.Equal(before + 1, await QuestionsAsync());
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(gateway, token + "x"));
        await provider.PostAsync("/token/revocation", ("token", token));
        await Until.TrueAsync(async () => await StatusAsync(gateway, token) == HttpStatusCode.Unauthorized);
        using var without = await gateway.Client.GetAsync(new Uri("/", UriKind.Relative));
        Assert.Equal((HttpStatusCode.Unauthorized, "Bearer"), (without.StatusCode, without.Headers.WwwAuthenticate.ToString()));
    }

    [Fact]
    public async Task Token_ThatManyRequestsSend_IsAskedForOnce()
    {
        using var held = new SemaphoreSlim(0);
        await using var asked = await TestService.StartAsync(async context =>
        {
            await held.WaitAsync(context.RequestAborted);
            await context.Response.WriteAsync("""{"active":true,"sub":"kim"}""");
        });
        await using var service = await TestService.StartAsync();
        await using var gateway = await StartAsync(service, $"address: \"{asked.Address}/ask\", {Client}");
        var requests = Enumerable.Range(0, 20).Select(_ => StatusAsync(gateway, "opaque")).ToList();
        await Until.TrueAsync(() => !asked.Seen.IsEmpty);
        held.Release(20);
        Assert.All(await Task.WhenAll(requests), s => Assert.Equal(HttpStatusCode.OK, s));
        Assert.Single(asked.Seen);
    }

    [Theory]
    [InlineData(200, """{"active":false}""", HttpStatusCode.Unauthorized)]
    [InlineData(200, """{"active":true}""", HttpStatusCode.Unauthorized)] // of no audience
    [InlineData(200, """{"active":true,"aud":["a","shop"]}""", HttpStatusCode.OK)]
    [InlineData(200, """{"active":true,"aud":"other"}""", HttpStatusCode.Unauthorized)]
    [InlineData(200, """{"active":true,"aud":"shop","exp":4000}""", HttpStatusCode.Unauthorized)]
    [InlineData(200, """{"active":true,"aud":"shop","exp":"never"}""", HttpStatusCode.Unauthorized)]
    [InlineData(200, """{"active":true,"aud":"shop","nbf":4102444800}""", HttpStatusCode.Unauthorized)]
    [InlineData(200, """{"active":true,"aud":"shop","cnf":{"jkt":"a"}}""", HttpStatusCode.Unauthorized)]
    [InlineData(200, """{"active":true,"aud":"shop","cnf":{"kid":"a"}}""", HttpStatusCode.Unauthorized)]
    [InlineData(200, """{"active":"true","aud":"shop"}""", HttpStatusCode.ServiceUnavailable)]
    [InlineData(200, """{"active":false,"active":true,"aud":"shop"}""", HttpStatusCode.ServiceUnavailable)]
    [InlineData(200, """{"aud":"shop"}""", HttpStatusCode.ServiceUnavailable)]
    [InlineData(200, "eyJhbGciOiJFUzI1NiJ9.e30.AAAA", HttpStatusCode.ServiceUnavailable)]
    [InlineData(401, """{"active":true,"aud":"shop"}""", HttpStatusCode.ServiceUnavailable)]
    [InlineData(302, "", HttpStatusCode.ServiceUnavailable)]
    [InlineData(500, "", HttpStatusCode.ServiceUnavailable)]
    [Attack(
        "an introspection answer that is not one: no `active`, twice, as text, a redirect, a failure",
        "503: what is not said is not believed"
    )]
    public async Task Answer_OfAnyKind_AcceptsOnlyWhatItSays(int status, string answer, HttpStatusCode expected)
    {
        await using var asked = await TestService.StartAsync(async context =>
        {
            context.Response.StatusCode = status;
            await context.Response.WriteAsync(answer);
        });
        await using var service = await TestService.StartAsync();
        await using var gateway = await StartAsync(service, $"address: \"{asked.Address}/ask\", {Client}, audiences: shop");
        Assert.Equal(expected, await StatusAsync(gateway, "opaque"));
        Assert.Equal(expected == HttpStatusCode.OK ? 1 : 0, service.Seen.Count);
    }

    [Fact]
    public async Task Provider_ThatIsDown_RefusesWhatIsNotKnown()
    {
        using var port = new ClosedPort();
        await using var service = await TestService.StartAsync();
        await using var gateway = await StartAsync(service, $"address: \"{port.Address}/ask\", {Client}");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await StatusAsync(gateway, "opaque"));
    }

    private async Task<int> QuestionsAsync() => (int?)(await provider.ControlAsync("requests"))["/token/introspection"] ?? 0;

    private static Task<InProcessGateway> StartAsync(TestService service, string introspection) =>
        InProcessGateway.StartAsync(
            $$"""
            services: { s: "{{service.Address}}" }
            policies: { signed-in: { introspection: { {{introspection}} } } }
            routes: { r: { match: "/{**rest}", forward: s, policies: [signed-in] } }
            """
        );

    private static async Task<HttpStatusCode> StatusAsync(InProcessGateway gateway, string token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var answer = await gateway.Client.SendAsync(request);
        return answer.StatusCode;
    }
}
