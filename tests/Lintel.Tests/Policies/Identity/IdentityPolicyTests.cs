using System.Security.Cryptography;
using System.Text.Json;
using Lintel.Control.Explaining;
using Lintel.Errors;
using Lintel.Forwarding;
using Lintel.Identities;
using Lintel.Pipeline;
using Lintel.Policies.Identity;
using Lintel.TestKit;
using Lintel.Tests.Policies.ApiKey;
using Microsoft.Extensions.Time.Testing;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Lintel.Tests.Policies.Identity;

public sealed class IdentityPolicyTests : IDisposable
{
    private const string Kim =
        """{ "sub": "kim", "scope": "orders.read orders.write", "roles": ["user", "a,b"], "name": "Jörg", "percent": "J%C3%B6rg", "evil": "a\r\nX-Admin: 1", "o": {}, "n": 5, "empty": "", "space": " kim", "mixed": ["a", {}] }""";

    private readonly FakeTimeProvider _time = new(DateTimeOffset.Parse("2026-11-28T12:00:00Z"));
    private readonly ConfigFolder _folder = new();

    [Theory]
    [InlineData("{claim:sub}", "kim")]
    [InlineData("user={claim:sub}; n={claim:n}", "user=kim; n=5")]
    [InlineData("{claim:roles}", "user,a%2Cb")]
    [InlineData("{claim:name}", "J%C3%B6rg")]
    [InlineData("{claim:percent}", "J%25C3%25B6rg")]
    [InlineData("{claim:space}", "%20kim")]
    [InlineData("{caller:subject}", "kim")]
    [InlineData("{caller:client}", null)]
    [InlineData("{claim:absent}", null)]
    [InlineData("user-{claim:absent}", null)]
    [InlineData("{claim:o}", null)]
    [InlineData("{claim:mixed}", null)]
    [InlineData("{claim:empty}", null)]
    [InlineData("{clientIp}", "192.0.2.1")]
    [InlineData("constant", "constant")]
    public async Task Header_OfTheCaller_IsSet_AndNeverTheClients(string text, string? expected)
    {
        var headers = await SentAsync($"headers: {{ X-User: '{text}' }}", Kim, ("X-User", "root"), ("x_user", "root"), ("X-Other", "1"));
        Assert.Equal(expected, headers.GetValueOrDefault("X-User"));
        Assert.False(headers.ContainsKey("x_user"));
        Assert.Equal("1", headers["X-Other"]);
    }

    [Fact]
    public async Task Header_WithUnderscoreInTheConfiguration_CoversBothSpellings()
    {
        var headers = await SentAsync("headers: { X_User: '{claim:absent}' }", Kim, ("X-User", "root"), ("X_User", "root"));
        Assert.DoesNotContain(headers, h => h.Value == "root");
    }

    [Fact]
    public async Task Header_WithAControlCharacter_RefusesTheRequest()
    {
        var (error, _) = await AdmitAsync("headers: { X-User: '{claim:evil}' }", Kim);
        Assert.Equal(GatewayErrorKind.Forbidden, error!.Kind);
        Assert.DoesNotContain("X-Admin", error.LogDetail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("credentials: strip", null, null)]
    [InlineData("headers: { X-A: b }", null, null)]
    [InlineData("credentials: pass", "Bearer x", "proof")]
    public async Task Credentials_AreStripped_UnlessTheyArePassed(string config, string? authorization, string? proof)
    {
        var headers = await SentAsync(config, Kim, ("Authorization", "Bearer x"), ("DPoP", "proof"), ("Cookie", "a=1"));
        Assert.Equal(
            (authorization, proof, "a=1"),
            (headers.GetValueOrDefault("Authorization"), headers.GetValueOrDefault("DPoP"), headers["Cookie"])
        );
    }

    [Fact]
    public async Task Strip_RemovesWhatOtherPoliciesHaveSet()
    {
        var headers = await SentAsync("credentials: strip", Kim, before: e => (e.Outbound = new()).Set("Authorization", "Bearer session"));
        Assert.False(headers.ContainsKey("Authorization"));
    }

    [Fact]
    public async Task Strip_RemovesTheCookieAndTheParameterOfACredential()
    {
        var exchange = Exchange("credentials: strip", "/x/7?key=k&a=1&KEY=k", ("Cookie", "sid=s; a=1"));
        exchange.Authenticate(new CallerIdentity("test", ClaimSet.None), new Credential(CredentialPlace.Cookie, "sid"));
        exchange.Authenticate(new CallerIdentity("test", ClaimSet.None), new Credential(CredentialPlace.Query, "key"));
        Assert.Null(await Policy(exchange).AdmitAsync(exchange));
        var request = UpstreamRequest.Create(exchange, null, new QueryChanges([], []), HeaderChanges.None, out _)!;
        Assert.Equal("a=1", request.Headers.Single(h => h.Key == "Cookie").Value.ToString());
        Assert.Equal("/x/7?a=1&KEY=k", request.PathAndQuery);
    }

    [Fact]
    public async Task ApiKey_OfAClient_IsStripped_EvenWhereAnotherCredentialWasAccepted()
    {
        var service = new MemoryService();
        service.On("x", "1");
        using var gateway = MemoryGateway.Start(
            $$"""
            services: { s: "{{service.Address}}" }
            clients: { acme: { apiKeys: "{{ApiKeyPolicyTests.HashOf("key")}}" } }
            policies:
              either: { anyOf: [{ apiKey: {} }, { apiKey: { header: X-Other-Key, query: key } }] }
              known-as: { identity: { headers: { X-Client: "{caller:client}" } } }
            routes: { r: { match: "/x", forward: s, policies: [known-as, either] } }
            """,
            service
        );
        Assert.Equal(
            200,
            (await gateway.GetAsync("/x?key=forged&a=1", ("X-Api-Key", "key"), ("X-Other-Key", "forged"), ("X-Client", "root"))).Status
        );
        var seen = Assert.Single(service.Seen);
        Assert.Equal(("acme", "/x?a=1"), (seen["X-Client"], seen.Target));
        Assert.DoesNotContain(seen.Headers, h => h.Key is "X-Api-Key" or "X-Other-Key");
        Assert.Equal(401, (await gateway.GetAsync("/x")).Status);
    }

    [Fact]
    public async Task Calls_OfACompositionGetTheSame()
    {
        var service = new MemoryService();
        service.On("a", "{}");
        using var gateway = MemoryGateway.Start(
            $$"""
            services: { s: "{{service.Address}}" }
            clients: { acme: { apiKeys: "{{ApiKeyPolicyTests.HashOf("key")}}" } }
            policies: { known-as: { identity: { headers: { X-Client: "{caller:client}" } } } }
            routes:
              r:
                match: "/x"
                compose: { forwardHeaders: [Authorization, X-Client, X-Api-Key], calls: { a: s/a } }
                policies: [known-as, { apiKey: {} }]
            """,
            service
        );
        var answer = await gateway.GetAsync("/x", ("X-Api-Key", "key"), ("X-Client", "root"), ("Authorization", "Bearer x"));
        Assert.Equal(200, answer.Status);
        var seen = Assert.Single(service.Seen);
        Assert.Equal("acme", seen["X-Client"]);
        Assert.DoesNotContain(seen.Headers, h => h.Key is "X-Api-Key" or "Authorization");
    }

    [Theory]
    [InlineData("Accept, x-user", "*")]
    [InlineData("Accept", "Accept")]
    public async Task Vary_OnAHeaderThatOnlyTheGatewayKnows_IsOnEverything(string vary, string expected)
    {
        var service = new MemoryService();
        service.On("x", c =>
        {
            c.Response.Headers.Vary = vary;
            return Task.CompletedTask;
        });
        using var gateway = MemoryGateway.Start(
            $"{{ services: {{ s: '{service.Address}' }}, routes: {{ r: {{ match: /x, forward: s, policies: [{{ identity: {{ headers: {{ X-User: a }} }} }}] }} }} }}",
            service
        );
        Assert.Equal(expected, (await gateway.GetAsync("/x"))["Vary"]);
    }

    [Fact]
    public async Task ClientCert_IsTheConnectionsCertificate_OrNothing()
    {
        var without = await SentAsync("clientCertificate: true", Kim, ("Client-Cert", ":forged:"));
        Assert.False(without.ContainsKey("Client-Cert"));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = new System.Security.Cryptography.X509Certificates.CertificateRequest(
            "CN=kim",
            key,
            HashAlgorithmName.SHA256
        ).CreateSelfSigned(_time.GetUtcNow(), _time.GetUtcNow().AddDays(1));
        var exchange = Exchange("clientCertificate: true", "/x/7", ("Client-Cert", ":forged:"), ("Client_Cert", ":forged:"));
        exchange.Request.AsHttpContext().Connection.ClientCertificate = certificate;
        Assert.Null(await Policy(exchange).AdmitAsync(exchange));
        Assert.Equal($":{Convert.ToBase64String(certificate.RawData)}:", Headers(exchange)["Client-Cert"]);
    }

    [Theory]
    [InlineData("ec", "ES256")]
    [InlineData("rsa", "RS256")]
    public async Task Token_SaysWhoTheCallerIs_AndIsVerifiedByThePublishedKeys(string kind, string algorithm)
    {
        var config = $"jwt: {{ key: {WriteKey(kind)}, audience: internal, claims: [roles, absent], issuer: gw }}";
        var exchange = Exchange(config, "/x/7", ("Authorization", "Bearer x"));
        Authenticate(exchange, Kim);
        Assert.Null(await Policy(exchange).AdmitAsync(exchange));
        var token = Headers(exchange)["Authorization"]["Bearer ".Length..];
        var keys = Lintel.Control.Status.KeySetStatus.Of(exchange.Snapshot.PublicKeys);
        var set = new JsonWebKeySet(JsonSerializer.Serialize(keys, JsonSerializerOptions.Web));
        var result = await new JsonWebTokenHandler().ValidateTokenAsync(
            token,
            new TokenValidationParameters
            {
                ValidIssuer = "gw",
                ValidAudience = "internal",
                IssuerSigningKeys = set.GetSigningKeys(),
                ValidAlgorithms = [algorithm],
                LifetimeValidator = (from, until, _, _) => from == At(-10) && until == At(60),
            }
        );
        Assert.True(result.IsValid, result.Exception?.Message);
        using var payload = JsonDocument.Parse(Base64UrlEncoder.Decode(token.Split('.')[1]));
        Assert.Equal(
            ["iss", "aud", "sub", "scope", "roles", "iat", "nbf", "exp", "jti"],
            payload.RootElement.EnumerateObject().Select(p => p.Name)
        );
        Assert.Equal("orders.read orders.write", payload.RootElement.GetProperty("scope").GetString());
        var kid = new JsonWebToken(token).Kid;
        Assert.Equal(kid, Assert.Single(keys.Keys).Kid);
        Assert.Equal(kid, Base64UrlEncoder.Encode(set.Keys[0].ComputeJwkThumbprint()));

        DateTime At(int seconds) => _time.GetUtcNow().AddSeconds(seconds).UtcDateTime;
    }

    [Fact]
    public async Task Token_IsReusedForOneCaller_ForMostOfItsLifetime_AndNeverForAnother()
    {
        var config = $"jwt: {{ key: {WriteKey("ec")}, audience: internal, lifetime: 40s, header: X-Identity }}";
        var exchange = Exchange(config, "/x/7");
        var policy = Policy(exchange);
        var first = await TokenAsync("kim");
        Assert.Equal(first, await TokenAsync("kim"));
        Assert.NotEqual(first, await TokenAsync("lee"));
        _time.Advance(TimeSpan.FromSeconds(29));
        Assert.Equal(first, await TokenAsync("kim"));
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.NotEqual(first, await TokenAsync("kim"));

        async Task<string> TokenAsync(string subject)
        {
            var request = Exchange(config, "/x/7");
            Authenticate(request, $$"""{ "sub": "{{subject}}" }""");
            Assert.Null(await policy.AdmitAsync(request));
            return Headers(request)["X-Identity"];
        }
    }

    [Fact]
    public async Task Token_OfNobody_IsAbsent_AndSoIsTheClients()
    {
        var config = $"jwt: {{ key: {WriteKey("ec")}, audience: internal, header: X-Identity }}";
        Assert.False((await SentAsync(config, null, ("X-Identity", "forged"), ("X_Identity", "forged"))).ContainsKey("X-Identity"));
    }

    [Fact]
    public async Task Keys_AreServedAtThePath_WithoutACredential()
    {
        using var gateway = new MemoryGateway(
            $$"""
            routes:
              r:
                match: { path: /x, hosts: [api.example.com] }
                respond: {}
                policies: [{ apiKey: {} }, { identity: { jwt: { key: {{WriteKey("ec")}}, audience: a, path: /.well-known/jwks.json } } }]
            """
        );
        var answer = await gateway.GetAsync("/.well-known/jwks.json", ("Host", "api.example.com"));
        Assert.Equal((200, "application/jwk-set+json"), (answer.Status, answer["Content-Type"]));
        var key = Assert.Single(new JsonWebKeySet(answer.Body).Keys);
        Assert.Equal(("EC", "ES256", false), (key.Kty, key.Alg, key.HasPrivateKey));
        Assert.Equal(401, (await gateway.GetAsync("/x", ("Host", "api.example.com"))).Status);
    }

    [Fact]
    public void Keys_OfARotation_AreAllPublished_AndTheFirstSigns()
    {
        var config = $"jwt: {{ key: [{WriteKey("ec")}, {WriteKey("rsa")}], audience: [a, b] }}";
        var keys = Exchange(config, "/x/7").Snapshot.PublicKeys;
        Assert.Equal(["ES256", "RS256"], keys.Select(k => k.Algorithm));
    }

    [Fact]
    public void Explanation_OfARequest_ShowsWhatServicesReceive_WithoutTokens()
    {
        var file = _folder.Write(
            "gateway.yaml",
            $$"""
            services: { s: "http://127.0.0.1:1" }
            routes:
              r:
                match: /x
                forward: s
                policies:
                  - { apiKey: {} }
                  - identity:
                      headers: { X-User: "{claim:sub}" }
                      jwt: { key: {{WriteKey("ec")}}, audience: internal, header: X-Identity }
                      credentials: { exchange: { issuer: "http://127.0.0.1:1", clientId: a, clientSecret: b } }
            """
        );
        var request = ExplainRequest.Parse("GET /x", ["Authorization: Bearer a", "X-Api-Key: k", "X-User: root"], out _)!;
        var forward = GatewayReader.Explain(file, request).Forward!;
        Assert.Equal("({claim:sub} of the caller)", forward.Changed.Single(h => h.Name == "X-User").Value);
        Assert.Equal("(a token that the gateway signs)", forward.Added.Single(h => h.Name == "X-Identity").Value);
        Assert.Contains("X-Api-Key", forward.Removed);
    }

    [Theory]
    [InlineData("headers: {}", "at least 1")]
    [InlineData("headers: { X-User: '{claim}' , X_User: a }", "is set twice")]
    [InlineData("headers: { X-User: '{caller:name}' }", "unknown placeholder")]
    [InlineData("headers: { X-User: '{name}' }", "not a parameter")]
    [InlineData("headers: { Host: a }", "not a header that a configuration may set")]
    [InlineData("headers: { Client-Cert: a }", "not a header of your own")]
    [InlineData("jwt: { audience: a }", "key")]
    [InlineData("jwt: { key: none.pem, audience: a }", "does not exist")]
    [InlineData("jwt: { key: KEY }", "audience")]
    [InlineData("jwt: { key: KEY, audience: a, path: '/a/{b}' }", "plain segments")]
    [InlineData("jwt: { key: KEY, audience: a, lifetime: 1s }", "10s")]
    [InlineData("jwt: { key: KEY, audience: a, claims: [exp] }", "a claim that a token may have")]
    [InlineData("jwt: { key: BAD, audience: a }", "private RSA or EC key")]
    [InlineData(
        "{ jwt: { key: KEY, audience: a }, credentials: { clientCredentials: { address: 'http://x', clientId: a, clientSecret: b } } }",
        "is set twice"
    )]
    [InlineData("credentials: keep", "strip")]
    [InlineData("credentials: {}", "nothing that services receive")]
    [InlineData("credentials: { exchange: { clientId: a, clientSecret: b } }", "the provider is not known")]
    [InlineData("credentials: { exchange: { issuer: 'http://x', clientId: a } }", "no credential")]
    [InlineData(
        "credentials: { exchange: { issuer: 'http://x', address: 'http://x/t', clientId: a, clientSecret: b } }",
        "by its issuer and by its address"
    )]
    public void Configuration_ThatIsNotValid_IsRefused(string config, string problem)
    {
        config = config
            .Replace("KEY", WriteKey("ec"), StringComparison.Ordinal)
            .Replace(
                "BAD",
                _folder.Write("bad.pem", "-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----"),
                StringComparison.Ordinal
            );
        var problems = GatewayReader.Parse(Yaml(config)).Report.Problems;
        Assert.Contains(problems, p => (p.Message + p.Hint).Contains(problem, StringComparison.Ordinal));
        Assert.DoesNotContain(problems, p => p.Code == "unexpected");
    }

    [Fact]
    public void Text_OfTheConfiguration_DoesNotDiscloseTheSecret()
    {
        var config = GatewayReader
            .Parse(Yaml("credentials: { exchange: { address: 'http://x', clientId: shop, clientSecret: s3cret } }"))
            .Config!;
        Assert.DoesNotContain(
            "s3cret",
            config.Routes["r"].Policies!.ToString() + config.Routes["r"].Policies![0].Policy,
            StringComparison.Ordinal
        );
    }

    public void Dispose() => _folder.Dispose();

    private static string Yaml(string config) =>
        $"routes: {{ r: {{ match: '/x/{{id}}', respond: {{}}, policies: [{{ identity: {(config.StartsWith('{') ? config : $"{{ {config} }}")} }}] }} }}";

    private string WriteKey(string kind)
    {
        using AsymmetricAlgorithm key = kind == "rsa" ? RSA.Create(2048) : ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return _folder.Write($"{kind}.pem", key.ExportPkcs8PrivateKeyPem());
    }

    private Exchange Exchange(string config, string target, params (string Name, string Value)[] headers) =>
        TestRequest.Matched(GatewayReader.Snapshot(Yaml(config), time: _time), TestRequest.Create("GET", target, headers: headers));

    private static IdentityPolicy Policy(Exchange exchange) => exchange.Route!.Policies.All.OfType<IdentityPolicy>().Single();

    private static void Authenticate(Exchange exchange, string claims) =>
        exchange.Authenticate(new CallerIdentity("test", new ClaimSet(JsonElement.Parse(claims))), default);

    private async Task<(GatewayError? Error, Exchange Exchange)> AdmitAsync(
        string config,
        string? claims,
        Action<Exchange>? before = null,
        params (string Name, string Value)[] headers
    )
    {
        var exchange = Exchange(config, "/x/7", headers);
        if (claims is not null)
            Authenticate(exchange, claims);
        before?.Invoke(exchange);
        return (await Policy(exchange).AdmitAsync(exchange), exchange);
    }

    private Task<Dictionary<string, string>> SentAsync(string config, string? claims, params (string Name, string Value)[] headers) =>
        SentAsync(config, claims, null, headers);

    private async Task<Dictionary<string, string>> SentAsync(
        string config,
        string? claims,
        Action<Exchange>? before,
        params (string Name, string Value)[] headers
    )
    {
        var (error, exchange) = await AdmitAsync(config, claims, before, headers);
        Assert.Null(error);
        return Headers(exchange);
    }

    private static Dictionary<string, string> Headers(Exchange exchange) =>
        UpstreamRequest
            .Create(exchange, null, new QueryChanges([], []), HeaderChanges.None, out _)!
            .Headers.ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase);
}
