using System.Text.Json.Nodes;
using Lintel.TestKit;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Policies.Jwt;

public sealed class JwtPolicyTests : IDisposable
{
    private const string Issuer = "https://id.example.com";

    private readonly FakeTimeProvider _time = new(DateTimeOffset.Parse("2026-11-28T12:00:00Z"));
    private readonly TestIssuer _key = new();
    private readonly ConfigFolder _folder = new();
    private readonly MemoryGateway _gateway;

    public JwtPolicyTests() => _gateway = Start(TestIssuer.Jwks(_key));

    public void Dispose()
    {
        _gateway.Dispose();
        _folder.Dispose();
        _key.Dispose();
    }

    [Theory]
    [InlineData("ES256")]
    [InlineData("ES384")]
    [InlineData("ES512")]
    [InlineData("RS256")]
    [InlineData("RS384")]
    [InlineData("RS512")]
    [InlineData("PS256")]
    [InlineData("PS384")]
    [InlineData("PS512")]
    public async Task Token_OfEachAlgorithm_IsAccepted(string algorithm)
    {
        using var key = new TestIssuer(algorithm);
        using var gateway = Start(TestIssuer.Jwks(key));
        var token = key.Sign(Claims());
        var answer = await Send(gateway, token);
        Assert.Equal((200, "kim orders.read"), (answer.Status, answer["X-Who"]));
        Assert.Equal(200, (await Send(gateway, token)).Status); // as it is remembered
    }

    [Fact]
    public async Task Request_WithoutAToken_IsAskedForOne()
    {
        var answer = await _gateway.GetAsync("/x");
        Assert.Equal((401, "Bearer"), (answer.Status, answer["WWW-Authenticate"]));
        answer = await _gateway.GetAsync("/x", ("Authorization", "Basic a2ltOng="));
        Assert.Equal((401, "Bearer"), (answer.Status, answer["WWW-Authenticate"]));
    }

    [Theory]
    [InlineData("exp", -30, -29, "the token has expired")]
    [InlineData("nbf", 31, 30, "the token is not valid yet")]
    [InlineData("iat", 31, 30, "the token is not valid yet")]
    [Attack("a token that has expired, or is not valid yet", "401, as soon as the clock skew is over")]
    public async Task Token_OutsideOfItsTime_IsRefusedBeyondTheSkew(string claim, int refused, int accepted, string description)
    {
        var claims = Claims();
        claims[claim] = At(refused);
        var answer = await Send(_gateway, _key.Sign(claims));
        Assert.Equal(
            (401, $"Bearer error=\"invalid_token\", error_description=\"{description}\""),
            (answer.Status, answer["WWW-Authenticate"])
        );
        claims[claim] = At(accepted);
        Assert.Equal(200, (await Send(_gateway, _key.Sign(claims))).Status);
    }

    [Fact]
    public async Task Token_ThatIsRemembered_EndsWithItsTime()
    {
        var token = _key.Sign(Claims());
        Assert.Equal(200, (await Send(_gateway, token)).Status);
        _time.Advance(TimeSpan.FromMinutes(10) + TimeSpan.FromSeconds(29));
        Assert.Equal(200, (await Send(_gateway, token)).Status);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(401, (await Send(_gateway, token)).Status);
    }

    [Theory]
    [InlineData("aud", "\"shop\"", 200)]
    [InlineData("aud", "[\"other\",\"shop\"]", 200)]
    [InlineData("aud", "\"other\"", 401)]
    [InlineData("aud", "\"Shop\"", 401)]
    [InlineData("aud", "[]", 401)]
    [InlineData("aud", "[\"shop\",1]", 401)]
    [InlineData("aud", "{\"shop\":1}", 401)]
    [InlineData("aud", "null", 401)]
    [InlineData("aud", null, 401)]
    [InlineData("iss", "\"https://id.example.com/\"", 401)]
    [InlineData("iss", "\"HTTPS://id.example.com\"", 401)]
    [InlineData("iss", "\"https://evil.example.com\"", 401)]
    [InlineData("iss", "[\"https://id.example.com\"]", 401)]
    [InlineData("iss", null, 401)]
    [InlineData("exp", null, 401)]
    [InlineData("exp", "\"2026-11-28\"", 401)]
    [InlineData("exp", "\"99999999999\"", 401)]
    [InlineData("exp", "1e999", 401)]
    [InlineData("exp", "-1", 401)]
    [InlineData("exp", "1796000000.5", 200)]
    [InlineData("nbf", "\"now\"", 401)]
    [InlineData("iat", "{}", 401)]
    [InlineData("cnf", "{\"kid\":\"k1\"}", 401)]
    [InlineData("cnf", "{}", 401)]
    [InlineData("cnf", "\"bound\"", 401)]
    [Attack("a token for another audience, of another issuer, without an end, or bound in an unknown way", "401")]
    public async Task Token_WithClaimsThatAreOthers_IsRefused(string claim, string? value, int status)
    {
        var claims = Claims();
        claims.Remove(claim);
        var text = claims.ToJsonString();
        var payload = value is null ? text : $"{text[..^1]},\"{claim}\":{value}}}";
        Assert.Equal(status, (await Send(_gateway, _key.Sign($$"""{"alg":"ES256","kid":"k1"}""", payload))).Status);
    }

    [Theory]
    [InlineData("JWT", 200)]
    [InlineData("jwt", 200)]
    [InlineData("application/at+jwt", 200)]
    [InlineData("AT+JWT", 200)]
    [InlineData("dpop+jwt", 401)]
    [InlineData("logout+jwt", 401)]
    [InlineData("application/x/jwt", 401)]
    [InlineData("", 401)]
    [Attack("another kind of token in place of an access token: a logout token, a DPoP proof", "401")]
    public async Task Token_OfAnotherType_IsRefused(string type, int status)
    {
        var header = new JsonObject
        {
            ["alg"] = "ES256",
            ["typ"] = type,
            ["kid"] = "k1",
        };
        Assert.Equal(status, (await Send(_gateway, _key.Sign(header, Claims()))).Status);
    }

    [Fact]
    public async Task Types_ThatAreListed_AreTheOnlyOnes()
    {
        using var gateway = Start(TestIssuer.Jwks(_key), "types: at+jwt,");
        Assert.Equal(200, (await Send(gateway, _key.Sign(Claims()))).Status);
        Assert.Equal(401, (await Send(gateway, _key.Sign(new JsonObject { ["alg"] = "ES256", ["typ"] = "JWT" }, Claims()))).Status);
        Assert.Equal(401, (await Send(gateway, _key.Sign(new JsonObject { ["alg"] = "ES256" }, Claims()))).Status);
    }

    [Fact]
    public async Task Algorithms_ThatAreListed_AreTheOnlyOnes()
    {
        using var rsa = new TestIssuer("RS256", "k2");
        using var gateway = Start(TestIssuer.Jwks(_key, rsa), "algorithms: [ES256],");
        Assert.Equal(200, (await Send(gateway, _key.Sign(Claims()))).Status);
        Assert.Equal(401, (await Send(gateway, rsa.Sign(Claims()))).Status);
    }

    [Fact]
    public async Task Header_OfItsOwn_HasTheTokenAlone()
    {
        using var gateway = Start(TestIssuer.Jwks(_key), "header: X-Assertion,");
        Assert.Equal(200, (await gateway.GetAsync("/x", ("X-Assertion", _key.Sign(Claims())))).Status);
        Assert.Equal(401, (await gateway.GetAsync("/x", ("X-Assertion", "Bearer " + _key.Sign(Claims())))).Status);
        Assert.Equal(401, (await Send(gateway, _key.Sign(Claims()))).Status);
    }

    [Fact]
    public async Task Key_InPem_FitsTokensOfAnyKeyId()
    {
        using var gateway = Start(_key.Pem);
        Assert.Equal(200, (await Send(gateway, _key.Sign(Claims()))).Status);
        Assert.Equal(200, (await Send(gateway, _key.Sign(new JsonObject { ["alg"] = "ES256" }, Claims()))).Status);
        using var other = new TestIssuer();
        Assert.Equal(401, (await Send(gateway, other.Sign(Claims()))).Status);
    }

    private long At(int seconds) => _time.GetUtcNow().AddSeconds(seconds).ToUnixTimeSeconds();

    private JsonObject Claims() =>
        new()
        {
            ["iss"] = Issuer,
            ["sub"] = "kim",
            ["aud"] = "shop",
            ["scope"] = "orders.read",
            ["iat"] = At(0),
            ["exp"] = At(600),
        };

    private static Task<MemoryAnswer> Send(MemoryGateway gateway, string token) =>
        gateway.GetAsync("/x", ("Authorization", "Bearer " + token));

    private MemoryGateway Start(string keys, string more = "")
    {
        var file = _folder.Write($"{Guid.NewGuid()}.keys", keys);
        return new MemoryGateway(
            $$"""
            policies: { signed-in: { jwt: { issuer: "{{Issuer}}", audiences: [shop], {{more}} jwks: "{{file}}" } } }
            routes:
              r:
                match: "/x"
                respond: { body: in }
                policies: [signed-in]
                transform: { response: { setHeaders: { X-Who: "{claim:sub} {claim:scope}" } } }
            """,
            time: _time
        );
    }
}
