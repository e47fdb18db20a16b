using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Lintel.TestKit;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Policies.Jwt;

/// <summary>Tokens that somebody has made up, changed, or stolen.</summary>
public sealed class TokenAttackTests : IDisposable
{
    private const string Issuer = "https://id.example.com";
    private const string OtherIssuer = "https://other.example.com";

    private readonly FakeTimeProvider _time = new(DateTimeOffset.Parse("2026-11-28T12:00:00Z"));
    private static readonly TestIssuer Key = new();
    private static readonly TestIssuer Rsa = new("RS256", "k2");
    private static readonly TestIssuer Other = new("ES256", "k1");
    private static readonly TestIssuer Foreign = new("ES256", "k1");
    private readonly ConfigFolder _folder = new();
    private readonly MemoryGateway _gateway;

    public TokenAttackTests()
    {
        var keys = _folder.Write("keys.json", TestIssuer.Jwks(Key, Rsa));
        var others = _folder.Write("others.json", TestIssuer.Jwks(Other));
        _gateway = new MemoryGateway(
            $$"""
            policies:
              one: { jwt: { issuer: "{{Issuer}}", audiences: shop, jwks: "{{keys}}" } }
              other: { jwt: { issuer: "{{Issuer}}", audiences: shop, jwks: "{{others}}" } }
              both:
                jwt:
                  audiences: shop
                  issuers: { "{{Issuer}}": { jwks: "{{keys}}" }, "{{OtherIssuer}}": { jwks: "{{others}}" } }
              bound: { jwt: { issuer: "{{Issuer}}", audiences: shop, jwks: "{{keys}}", boundTo: [dpop, certificate] } }
              noncing: { jwt: { issuer: "{{Issuer}}", audiences: shop, jwks: "{{keys}}", boundTo: dpop, dpopNonce: true } }
            routes:
              one: { match: /one, respond: { body: in }, policies: [one] }
              other: { match: /other, respond: { body: in }, policies: [other] }
              both: { match: /both, respond: { body: in }, policies: [both] }
              bound: { match: /bound, respond: { body: in }, policies: [bound] }
              noncing: { match: /noncing, respond: { body: in }, policies: [noncing] }
            """,
            time: _time
        );
    }

    public void Dispose()
    {
        _gateway.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("none")]
    [InlineData("None")]
    [InlineData("NONE")]
    [InlineData("nOnE")]
    [InlineData("")]
    [Attack("`alg: none` in any spelling, with and without a signature", "401: a token is signed, or is not one")]
    public async Task Token_WithoutAlgorithm_IsRefused(string algorithm)
    {
        var header = TestIssuer.Encode($$"""{"alg":"{{algorithm}}","kid":"k1"}""");
        var payload = TestIssuer.Encode(Claims().ToJsonString());
        Assert.Equal(401, await StatusOf($"{header}.{payload}."));
        Assert.Equal(401, await StatusOf($"{header}.{payload}"));
        Assert.Equal(401, await StatusOf($"{header}.{payload}.AA"));
        Assert.Equal(401, await StatusOf(Key.Sign(new JsonObject { ["alg"] = algorithm, ["kid"] = "k1" }, Claims())));
    }

    [Theory]
    [InlineData("HS256")]
    [InlineData("HS512")]
    [Attack("algorithm confusion: HMAC with the public key as the secret", "401: there are no secret keys")]
    public async Task Token_SignedWithThePublicKeyAsASecret_IsRefused(string algorithm)
    {
        foreach (var secret in new[] { Rsa.Pem, Rsa.Jwk.ToJsonString(), TestIssuer.Jwks(Key, Rsa), "" })
        {
            var signed = TestIssuer.Encode($$"""{"alg":"{{algorithm}}","kid":"k2"}""") + "." + TestIssuer.Encode(Claims().ToJsonString());
            var (key, text) = (Encoding.UTF8.GetBytes(secret), Encoding.ASCII.GetBytes(signed));
            var hash = algorithm == "HS256" ? HMACSHA256.HashData(key, text) : HMACSHA512.HashData(key, text);
            Assert.Equal(401, await StatusOf($"{signed}.{TestIssuer.Encode(hash)}"));
        }
    }

    [Fact]
    [Attack("a signature of one algorithm under the name of another: RS256 as PS256, ES256 as RS256, another curve", "401")]
    public async Task Token_UnderAnotherAlgorithmsName_IsRefused()
    {
        foreach (var algorithm in new[] { "PS256", "RS384", "RS512", "ES256", "rs256" })
            Assert.Equal(401, await StatusOf(Rsa.Sign(new JsonObject { ["alg"] = algorithm, ["kid"] = "k2" }, Claims())));
        foreach (var algorithm in new[] { "RS256", "ES384", "ES512", "es256", "ES256K", "EdDSA" })
            Assert.Equal(401, await StatusOf(Key.Sign(new JsonObject { ["alg"] = algorithm, ["kid"] = "k1" }, Claims())));
    }

    [Fact]
    [Attack("a signature that is missing, of another token, of another key, of zeros, or in DER", "401")]
    public async Task Signature_ThatIsAnothers_IsRefused()
    {
        var token = Key.Sign(Claims());
        var (start, signature) = (token[..token.LastIndexOf('.')], token[(token.LastIndexOf('.') + 1)..]);
        Assert.Equal(200, await StatusOf(token));
        Assert.Equal(401, await StatusOf(start));
        Assert.Equal(401, await StatusOf(start + "."));
        Assert.Equal(401, await StatusOf($"{start}.{signature}.{signature}"));
        Assert.Equal(401, await StatusOf($"{start}.{TestIssuer.Encode(new byte[64])}")); // r = s = 0: CVE-2022-21449
        Assert.Equal(401, await StatusOf($"{start}.{TestIssuer.Encode(Enumerable.Repeat((byte)0xFF, 64).ToArray())}"));
        Assert.Equal(401, await StatusOf($"{start}.{TestIssuer.Encode([0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01])}"));
        Assert.Equal(401, await StatusOf($"{start}.{Rsa.Sign(Claims()).Split('.')[2]}"));
        Assert.Equal(401, await StatusOf(Foreign.Sign(Claims())));
        var admin = Claims();
        admin["sub"] = "admin";
        Assert.Equal(401, await StatusOf($"{start.Split('.')[0]}.{TestIssuer.Encode(admin.ToJsonString())}.{signature}"));
    }

    [Theory]
    [InlineData("../../../../dev/null")]
    [InlineData("file:///etc/passwd")]
    [InlineData("k1' UNION SELECT 'secret' --")]
    [InlineData("k1\\u0000")]
    [InlineData("K1")]
    [InlineData("")]
    [InlineData("\\ud800")]
    [Attack("injection in `kid`: paths, SQL, control characters, half a surrogate pair", "401: a `kid` is compared and nothing else")]
    public async Task KeyId_WithAnInjection_FindsNoKey(string id) =>
        Assert.Equal(401, await StatusOf(Foreign.Sign($$"""{"alg":"ES256","kid":"{{id}}"}""", Claims().ToJsonString())));

    [Fact]
    [Attack("a key in the token itself, or an address of one: `jwk`, `jku`, `x5u`, `x5c`", "401: keys come from the configuration")]
    public async Task Header_ThatBringsItsKey_IsNotBelieved()
    {
        foreach (var id in new[] { "k1", "new", null })
        {
            Assert.Equal(401, await StatusOf(Foreign.Sign(Header(id, "jwk", Foreign.Jwk), Claims())));
            Assert.Equal(401, await StatusOf(Foreign.Sign(Header(id, "jku", "http://127.0.0.1:1/keys"), Claims())));
            Assert.Equal(401, await StatusOf(Foreign.Sign(Header(id, "x5u", "http://127.0.0.1:1/keys"), Claims())));
            Assert.Equal(401, await StatusOf(Foreign.Sign(Header(id, "x5c", new JsonArray("MIIB")), Claims())));
        }
    }

    [Theory]
    [InlineData("""{"alg":"ES256","alg":"ES256"}""", "{0}")]
    [InlineData("""{"alg":"none","alg":"ES256"}""", "{0}")]
    [InlineData("""{"alg":"ES256","\u0061lg":"ES256"}""", "{0}")]
    [InlineData("""{"alg":"ES256"}""", """{{"sub":"admin",{1}""")]
    [InlineData("""{"alg":"ES256"}""", """{{"a":{{"b":1,"b":2}},{1}""")]
    [InlineData("""{"alg":"ES256","crit":["exp"],"exp":1}""", "{0}")]
    [InlineData("""{"alg":"ES256","crit":[]}""", "{0}")]
    [InlineData("""{"alg":"ES256","b64":false,"crit":["b64"]}""", "{0}")]
    [InlineData("""{"alg":"ES256","kid":1}""", "{0}")]
    [InlineData("""{"alg":["ES256"]}""", "{0}")]
    [InlineData("""{"alg":"ES256"} """, "[{0}]")]
    [InlineData("""{"alg":"ES256"}""", "{0}{0}")]
    [InlineData("""{"alg":"ES256"}""", "\"text\"")]
    [InlineData("""{"alg":"ES256"}""", "")]
    [InlineData("[]", "{0}")]
    [InlineData("{}", "{0}")]
    [Attack("members twice in header or claims, `crit`, payloads that are no JSON object, signed by the right key", "401")]
    public async Task Token_ThatTwoReadersReadDifferently_IsRefused(string header, string payload)
    {
        var claims = Claims().ToJsonString();
        Assert.Equal(401, await StatusOf(Key.Sign(header, string.Format(null, payload, claims, claims[1..]))));
    }

    [Fact]
    [Attack("huge and deep tokens, encrypted tokens, text that is not UTF-8", "401, before anything is decoded")]
    public async Task Token_ThatIsMadeToCost_IsRefused()
    {
        var claims = Claims();
        claims["pad"] = new string('a', 16 * 1024);
        Assert.Equal(401, await StatusOf(Key.Sign(claims)));
        var deep = string.Concat(Enumerable.Repeat("{\"a\":", 1000)) + "1" + new string('}', 1000);
        Assert.Equal(401, await StatusOf(Key.Sign("""{"alg":"ES256"}""", deep)));
        Assert.Equal(401, await StatusOf("eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..AAAA.AAAA.AAAA"));
        var token = Key.Sign(Claims());
        var broken = TestIssuer.Encode([(byte)'{', (byte)'"', 0xC3, 0x28, (byte)'"', (byte)':', (byte)'1', (byte)'}']);
        Assert.Equal(401, await StatusOf($"{token.Split('.')[0]}.{broken}.{token.Split('.')[2]}"));
        Assert.Equal(401, await StatusOf(new string('.', 1000)));
    }

    [Fact]
    [Attack(
        "issuer mix-up: a token of one issuer signed with the key of another, which has the same `kid`",
        "401: keys belong to an issuer"
    )]
    public async Task Key_OfOneIssuer_VerifiesNoTokenOfAnother()
    {
        Assert.Equal(200, await StatusOf(Key.Sign(Claims()), "/both"));
        Assert.Equal(200, await StatusOf(Other.Sign(Claims(OtherIssuer)), "/both"));
        Assert.Equal(401, await StatusOf(Other.Sign(Claims()), "/both"));
        Assert.Equal(401, await StatusOf(Key.Sign(Claims(OtherIssuer)), "/both"));
    }

    [Fact]
    [Attack("a token that one policy has verified, presented to another one with other keys", "401: policies share no keys and no memory")]
    public async Task Token_OfOnePolicy_IsNotKnownToAnother()
    {
        var token = Key.Sign(Claims());
        Assert.Equal(200, await StatusOf(token));
        Assert.Equal(401, await StatusOf(token, "/other"));
        Assert.Equal(200, await StatusOf(token));
    }

    [Fact]
    [Attack("a forged token beside a remembered one of the same header, claims or signature", "401: what is remembered is the whole token")]
    public async Task Token_ThatSharesPartsWithARememberedOne_IsVerifiedItself()
    {
        var token = Key.Sign(Claims());
        Assert.Equal(200, await StatusOf(token));
        var parts = token.Split('.');
        var others = Foreign.Sign(Claims()).Split('.');
        Assert.Equal(401, await StatusOf($"{parts[0]}.{parts[1]}.{others[2]}"));
        Assert.Equal(401, await StatusOf($"{parts[0]}.{parts[1]}.{parts[2]}="));
        Assert.Equal(401, await StatusOf($"{token} "[..^2]));
    }

    /// <summary>Every change of a character, including those of the bits that base64url does not use.</summary>
    [Theory]
    [InlineData("ES256")]
    [InlineData("RS256")]
    [Attack("a token with any character changed, left out, added or doubled", "401")]
    public async Task Token_WithAnyCharacterChanged_IsRefused(string algorithm)
    {
        const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/";
        var token = (algorithm == "ES256" ? Key : Rsa).Sign(Claims());
        Assert.Equal(200, await StatusOf(token));
        var random = new Random(7);
        for (var i = 0; i < token.Length; i++)
        {
            var other = Alphabet[random.Next(Alphabet.Length)];
            if (other != token[i])
                await Refused(token[..i] + other + token[(i + 1)..]);
            await Refused(token.Remove(i, 1));
            await Refused(token.Insert(i, other.ToString()));
        }

        foreach (var last in Alphabet.Where(c => c != token[^1]))
            await Refused(token[..^1] + last);

        async Task Refused(string changed) => Assert.True(await StatusOf(changed) == 401, changed);
    }

    [Fact]
    [Attack("two `Authorization` headers, two tokens in one, a token in the query or a cookie", "401: exactly one token, in its header")]
    public async Task Tokens_InSeveralPlaces_AreRefused()
    {
        var token = Key.Sign(Claims());
        string Bearer(string text) => "Bearer " + text;
        async Task<int> Status(string target, params (string, string)[] headers) => (await _gateway.GetAsync(target, headers)).Status;
        Assert.Equal(401, await Status("/one", ("Authorization", Bearer(token)), ("Authorization", Bearer(token))));
        Assert.Equal(401, await Status("/one", ("Authorization", Bearer(token)), ("Authorization", "Basic a2ltOng=")));
        Assert.Equal(401, await Status("/one", ("Authorization", $"Bearer {token}, Bearer {token}")));
        Assert.Equal(401, await Status("/one", ("Authorization", $"Bearer {token} {token}")));
        Assert.Equal(401, await Status("/one", ("Authorization", "Bearer")));
        Assert.Equal(401, await Status("/one", ("Authorization", token)));
        Assert.Equal(401, await Status("/one?access_token=" + token));
        Assert.Equal(401, await Status("/one", ("Cookie", "access_token=" + token)));
        Assert.Equal(401, await Status("/one", ("X-Authorization", Bearer(token))));
        Assert.Equal(200, await Status("/one", ("authorization", "bEARER  " + token)));
    }

    [Theory]
    [InlineData("/one")]
    [InlineData("/bound")]
    [Attack(
        "a stolen token that is bound to a key or certificate, sent as a bearer token",
        "401, also where bound tokens are not demanded"
    )]
    public async Task Token_ThatIsBound_NeedsItsProof(string path)
    {
        using var client = new TestIssuer("ES256", null);
        foreach (var member in new[] { "jkt", "x5t#S256" })
        {
            var token = Key.Sign(Bound(member, client.Thumbprint));
            Assert.Equal(401, await StatusOf(token, path));
            Assert.Equal(401, (await _gateway.GetAsync(path, ("Authorization", "DPoP " + token))).Status);
        }

        Assert.Equal(path == "/one" ? 200 : 401, await StatusOf(Key.Sign(Claims()), path));
    }

    [Theory]
    [InlineData("/one")]
    [InlineData("/bound")]
    public async Task Token_WithItsProof_IsAccepted(string path)
    {
        using var client = new TestIssuer("RS256", null);
        var token = Key.Sign(Bound("jkt", client.Thumbprint));
        var url = "http://gateway.test" + path;
        Assert.Equal(200, await StatusOf(path, token, client.Prove("GET", url, token, _time.GetUtcNow())));
        Assert.Equal(
            200,
            await StatusOf(path + "?a=1", token, client.Prove("GET", "HTTP://GATEWAY.TEST:80" + path + "?b#c", token, _time.GetUtcNow()))
        );
    }

    [Fact]
    [Attack("a DPoP proof that is used again, of another method, URL, token, key or time, or unsigned; two proofs", "401")]
    public async Task Proof_OfAnotherRequest_IsRefused()
    {
        using var client = new TestIssuer("ES256", null);
        using var thief = new TestIssuer("ES256", null);
        var token = Key.Sign(Bound("jkt", client.Thumbprint));
        const string Url = "http://gateway.test/bound";
        var now = _time.GetUtcNow();
        var proof = client.Prove("GET", Url, token, now);
        Assert.Equal(200, await StatusOf("/bound", token, proof));
        Assert.Equal(401, await StatusOf("/bound", token, proof));
        foreach (
            var wrong in new[]
            {
                client.Prove("POST", Url, token, now),
                client.Prove("get", Url, token, now),
                client.Prove("GET", "http://gateway.test/one", token, now),
                client.Prove("GET", "https://gateway.test/bound", token, now),
                client.Prove("GET", "http://gateway.test.evil/bound", token, now),
                client.Prove("GET", "http://gateway.test@evil/bound", token, now),
                client.Prove("GET", "http://gateway.test:81/bound", token, now),
                client.Prove("GET", "/bound", token, now),
                client.Prove("GET", Url, token + "x", now),
                client.Prove("GET", Url, token, now.AddSeconds(-61)),
                client.Prove("GET", Url, token, now.AddSeconds(61)),
                client.Prove("GET", Url, token, now, c => c.Remove("ath")),
                client.Prove("GET", Url, token, now, c => c.Remove("jti")),
                client.Prove("GET", Url, token, now, c => c["jti"] = 1),
                client.Prove("GET", Url, token, now, c => c.Remove("iat")),
                client.Prove("GET", Url, token, now, c => c["jti"] = new string('a', 257)),
                thief.Prove("GET", Url, token, now),
                client.Prove("GET", Url, token, now)[..^4] + "AAAA",
                client.Sign(
                    new JsonObject
                    {
                        ["typ"] = "JWT",
                        ["alg"] = "ES256",
                        ["jwk"] = client.Jwk,
                    },
                    Claims()
                ),
                client.Sign(new JsonObject { ["typ"] = "dpop+jwt", ["alg"] = "ES256" }, Claims()),
                "proof",
                "",
            }
        )
            Assert.Equal(401, await StatusOf("/bound", token, wrong));
        var good = client.Prove("GET", Url, token, now);
        var two = await _gateway.GetAsync("/bound", ("Authorization", "DPoP " + token), ("DPoP", good), ("DPoP", good));
        Assert.Equal(401, two.Status);
        Assert.Equal(200, await StatusOf("/bound", token, good));
    }

    [Fact]
    [Attack("a DPoP proof whose key contains its private part", "401")]
    public async Task Proof_WithAPrivateKey_IsRefused()
    {
        using var ec = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var client = new TestIssuer("ES256", null);
        var jwk = client.Jwk;
        jwk["d"] = TestIssuer.Encode(ec.ExportParameters(true).D!);
        var token = Key.Sign(Bound("jkt", client.Thumbprint));
        var claims = new JsonObject
        {
            ["jti"] = "a",
            ["htm"] = "GET",
            ["htu"] = "http://gateway.test/one",
            ["iat"] = _time.GetUtcNow().ToUnixTimeSeconds(),
            ["ath"] = TestIssuer.Encode(SHA256.HashData(Encoding.ASCII.GetBytes(token))),
        };
        var header = new JsonObject
        {
            ["typ"] = "dpop+jwt",
            ["alg"] = "ES256",
            ["jwk"] = jwk,
        };
        Assert.Equal(401, await StatusOf("/one", token, client.Sign(header, claims)));
    }

    [Fact]
    [Attack("DPoP proofs that were made in advance", "401 with a nonce that the next proof must contain, where `dpopNonce` demands it")]
    public async Task Proof_NeedsTheGatewaysNonce_WhereItIsDemanded()
    {
        using var client = new TestIssuer("ES256", null);
        var token = Key.Sign(Bound("jkt", client.Thumbprint));
        const string Url = "http://gateway.test/noncing";
        string Proof(string? nonce) => client.Prove("GET", Url, token, _time.GetUtcNow(), c => c["nonce"] = nonce);
        var first = await _gateway.GetAsync("/noncing", ("Authorization", "DPoP " + token), ("DPoP", Proof(null)));
        Assert.Equal(401, first.Status);
        Assert.Contains("error=\"use_dpop_nonce\"", first["WWW-Authenticate"], StringComparison.Ordinal);
        var nonce = first["DPoP-Nonce"]!;
        Assert.Equal(200, await StatusOf("/noncing", token, Proof(nonce)));
        Assert.Equal(401, await StatusOf("/noncing", token, Proof(nonce[..^1] + (nonce[^1] == 'A' ? 'B' : 'A'))));
        Assert.Equal(401, await StatusOf("/noncing", token, Proof("AAAA")));
        _time.Advance(TimeSpan.FromMinutes(5));
        Assert.Equal(401, await StatusOf("/noncing", token, Proof(nonce)));
    }

    private JsonObject Claims(string issuer = Issuer) =>
        new()
        {
            ["iss"] = issuer,
            ["sub"] = "kim",
            ["aud"] = "shop",
            ["exp"] = _time.GetUtcNow().AddMinutes(10).ToUnixTimeSeconds(),
        };

    private JsonObject Bound(string member, string thumbprint)
    {
        var claims = Claims();
        claims["cnf"] = new JsonObject { [member] = thumbprint };
        return claims;
    }

    private static JsonObject Header(string? id, string member, JsonNode value) =>
        new()
        {
            ["alg"] = "ES256",
            ["kid"] = id,
            [member] = value,
        };

    private async Task<int> StatusOf(string token, string path = "/one") =>
        (await _gateway.GetAsync(path, ("Authorization", "Bearer " + token))).Status;

    private async Task<int> StatusOf(string path, string token, string proof) =>
        (await _gateway.GetAsync(path, ("Authorization", "DPoP " + token), ("DPoP", proof))).Status;
}
