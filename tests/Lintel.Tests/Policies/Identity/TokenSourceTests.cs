using System.Text;
using System.Text.Json;
using Lintel.Errors;
using Lintel.Forwarding;
using Lintel.Identities;
using Lintel.Pipeline;
using Lintel.Policies.Identity;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Primitives;

namespace Lintel.Tests.Policies.Identity;

/// <summary>Exchanged tokens and tokens of the gateway itself, with a token endpoint that answers what the test wants.</summary>
public sealed class TokenSourceTests : IAsyncLifetime
{
    private const string Exchanges =
        "{ exchange: { issuer: ISSUER, clientId: 'g w', clientSecret: 's:1', audience: [orders], scope: [a, b], resource: 'https://o' } }";

    private readonly List<Dictionary<string, StringValues>> _forms = [];
    private readonly List<string> _authorizations = [];
    private TestService _provider = null!;
    private Func<IReadOnlyDictionary<string, StringValues>, (int Status, string Json)> _answer = f =>
        (
            200,
            $$"""{ "access_token": "for-{{f["subject_token"]}}", "token_type": "bearer", "expires_in": 300, "issued_token_type": "urn:ietf:params:oauth:token-type:access_token" }"""
        );

    public async ValueTask InitializeAsync() => _provider = await TestService.StartAsync(AnswerAsync);

    public ValueTask DisposeAsync() => _provider.DisposeAsync();

    [Fact]
    public async Task Exchange_SendsWhatTheStandardAsksFor_AndServicesGetTheIssuedToken()
    {
        var headers = await SentAsync(Exchanges, "kims-token");
        Assert.Equal("Bearer for-kims-token", headers["Authorization"]);
        var form = Assert.Single(_forms);
        Assert.Equal("urn:ietf:params:oauth:grant-type:token-exchange", form["grant_type"]);
        Assert.Equal("urn:ietf:params:oauth:token-type:access_token", form["subject_token_type"]);
        Assert.Equal("orders|a b|https://o", $"{form["audience"]}|{form["scope"]}|{form["resource"]}");
        Assert.Equal("Basic " + Convert.ToBase64String(Encoding.ASCII.GetBytes("g%20w:s%3A1")), Assert.Single(_authorizations));
    }

    [Fact]
    [Attack(
        "two callers with tokens of their own, in turns, through the cache of exchanged tokens",
        "each gets the token that was issued for its own, and nobody another's"
    )]
    public async Task Exchange_ForTwoCallers_NeverMixesTheirTokens_AndAsksOncePerCaller()
    {
        var exchange = Exchange(Exchanges);
        var policy = Policy(exchange);
        foreach (var token in new[] { "kims", "lees", "kims", "lees" })
        {
            var request = Exchange(Exchanges, token);
            Assert.Null(await policy.AdmitAsync(request));
            Assert.Equal($"Bearer for-{token}", Headers(request)["Authorization"]);
        }

        Assert.Equal(2, _forms.Count);
    }

    [Fact]
    public async Task Exchange_WithoutAnAccessToken_RefusesTheRequest()
    {
        var exchange = Exchange(Exchanges);
        Assert.Equal(GatewayErrorKind.Forbidden, (await Policy(exchange).AdmitAsync(exchange))!.Kind);
        Assert.Empty(_forms);
    }

    [Theory]
    [InlineData(400, """{ "error": "invalid_request" }""", "Forbidden")]
    [InlineData(400, """{ "error": "invalid_grant" }""", "Forbidden")]
    [InlineData(401, """{ "error": "invalid_client" }""", "AuthenticationUnavailable")]
    [InlineData(400, """{ "error": "invalid_target" }""", "AuthenticationUnavailable")]
    [InlineData(400, """{ "error": "invalid\n" }""", "AuthenticationUnavailable")]
    [InlineData(500, "no", "AuthenticationUnavailable")]
    [InlineData(302, "", "AuthenticationUnavailable")]
    [InlineData(200, "no", "AuthenticationUnavailable")]
    [InlineData(200, "{}", "AuthenticationUnavailable")]
    [InlineData(
        200,
        """{ "access_token": "a b", "token_type": "Bearer", "issued_token_type": "urn:ietf:params:oauth:token-type:jwt" }""",
        "AuthenticationUnavailable"
    )]
    [InlineData(
        200,
        """{ "access_token": "a\r\nX: 1", "token_type": "Bearer", "issued_token_type": "urn:ietf:params:oauth:token-type:jwt" }""",
        "AuthenticationUnavailable"
    )]
    [InlineData(
        200,
        """{ "access_token": "a", "token_type": "DPoP", "issued_token_type": "urn:ietf:params:oauth:token-type:jwt" }""",
        "AuthenticationUnavailable"
    )]
    [InlineData(
        200,
        """{ "access_token": "a", "token_type": "N_A", "issued_token_type": "urn:ietf:params:oauth:token-type:jwt" }""",
        "AuthenticationUnavailable"
    )]
    [InlineData(
        200,
        """{ "access_token": "a", "token_type": "Bearer", "issued_token_type": "urn:ietf:params:oauth:token-type:refresh_token" }""",
        "AuthenticationUnavailable"
    )]
    [InlineData(200, """{ "access_token": "a", "token_type": "Bearer" }""", "AuthenticationUnavailable")]
    [InlineData(
        200,
        """{ "access_token": "a", "access_token": "b", "token_type": "Bearer", "issued_token_type": "urn:ietf:params:oauth:token-type:jwt" }""",
        "AuthenticationUnavailable"
    )]
    public async Task Exchange_ThatFails_RefusesTheRequest(int status, string json, string kind)
    {
        _answer = _ => (status, json);
        var exchange = Exchange(Exchanges, "kims-token");
        var error = (await Policy(exchange).AdmitAsync(exchange))!;
        Assert.Equal(kind, error.Kind.ToString());
        Assert.DoesNotContain("kims-token", error.LogDetail + error.Cause, StringComparison.Ordinal);
        Assert.DoesNotContain("s:1", error.LogDetail + error.Cause, StringComparison.Ordinal);
        Assert.False(Headers(exchange).ContainsKey("Authorization"));
    }

    [Fact]
    public async Task ClientCredentials_AreOneTokenForAll()
    {
        _answer = f => (200, $$"""{ "access_token": "own-{{f["grant_type"]}}", "token_type": "Bearer", "expires_in": "300" }""");
        const string Config =
            "{ clientCredentials: { address: 'ISSUER/token', clientId: gw, clientSecret: s, clientAuthentication: post } }";
        var policy = Policy(Exchange(Config));
        for (var i = 0; i < 3; i++)
        {
            var request = Exchange(Config, i == 0 ? null : $"t{i}");
            Assert.Null(await policy.AdmitAsync(request));
            Assert.Equal("Bearer own-client_credentials", Headers(request)["Authorization"]);
        }

        var form = Assert.Single(_forms);
        Assert.Equal("gw|s", $"{form["client_id"]}|{form["client_secret"]}");
        Assert.Equal("", Assert.Single(_authorizations));
    }

    [Fact]
    public async Task Provider_ThatIsDown_IsUnavailable_AndTheRequestIsNotSent()
    {
        var config = Exchanges.Replace("issuer: ISSUER", "address: 'http://127.0.0.1:1/token'", StringComparison.Ordinal);
        var exchange = Exchange(config, "kims-token");
        Assert.Equal(GatewayErrorKind.AuthenticationUnavailable, (await Policy(exchange).AdmitAsync(exchange))!.Kind);
    }

    private async Task AnswerAsync(HttpContext context)
    {
        if (context.Request.Path == "/.well-known/openid-configuration")
        {
            await context.Response.WriteAsync(
                $$"""{ "issuer": "{{_provider.Address}}", "token_endpoint": "{{_provider.Address}}/token" }"""
            );
            return;
        }

        using var reader = new StreamReader(context.Request.Body);
        var form = QueryHelpers.ParseQuery(await reader.ReadToEndAsync());
        lock (_forms)
        {
            _forms.Add(form);
            _authorizations.Add(context.Request.Headers.Authorization.ToString());
        }

        var (status, json) = _answer(form);
        context.Response.StatusCode = status;
        if (status == 302)
            context.Response.Headers.Location = "/elsewhere";
        await context.Response.WriteAsync(json);
    }

    private Exchange Exchange(string credentials, string? token = null)
    {
        credentials = credentials.Replace("ISSUER", _provider.Address, StringComparison.Ordinal);
        var yaml = $"routes: {{ r: {{ match: /x, respond: {{}}, policies: [{{ identity: {{ credentials: {credentials} }} }}] }} }}";
        var exchange = TestRequest.Matched(
            GatewayReader.Snapshot(yaml),
            TestRequest.Create("GET", "/x", headers: ("Authorization", "Bearer sent"))
        );
        if (token is not null)
            exchange.Authenticate(
                new CallerIdentity("test", new ClaimSet(JsonElement.Parse("{}"))),
                new Credential(CredentialPlace.Header, "Authorization", token)
            );
        return exchange;
    }

    private static IdentityPolicy Policy(Exchange exchange) => exchange.Route!.Policies.All.OfType<IdentityPolicy>().Single();

    private async Task<Dictionary<string, string>> SentAsync(string credentials, string token)
    {
        var exchange = Exchange(credentials, token);
        Assert.Null(await Policy(exchange).AdmitAsync(exchange));
        return Headers(exchange);
    }

    private static Dictionary<string, string> Headers(Exchange exchange) =>
        UpstreamRequest
            .Create(exchange, null, new QueryChanges([], []), HeaderChanges.None, out _)!
            .Headers.ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase);
}
