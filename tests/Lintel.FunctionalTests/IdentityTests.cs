using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Lintel.FunctionalTests.Protocols;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Lintel.FunctionalTests;

/// <summary>What services get to know about callers, over real connections, and what clients cannot make them believe.</summary>
[EveryTransport]
public sealed class IdentityTests
{
    private static readonly string Hash = "sha256:" + Convert.ToHexStringLower(SHA256.HashData("key"u8));

    [Theory]
    [InlineData(HttpProtocols.Http1, "X-User: root\r\n")]
    [InlineData(HttpProtocols.Http1, "x-user: root\r\nX-USER: root\r\n")]
    [InlineData(HttpProtocols.Http1, "X_User: root\r\n")]
    [InlineData(HttpProtocols.Http1, "X-User: root\r\nConnection: X-User\r\n")]
    [InlineData(HttpProtocols.Http1, "Connection: X-User, X-Client, Authorization\r\n")]
    [InlineData(HttpProtocols.Http1, "Client-Cert: :AAAA:\r\nClient_Cert: :AAAA:\r\nClient-Cert-Chain: :AAAA:\r\n")]
    [InlineData(HttpProtocols.Http1, "X-Client: root\r\nConnection: close, X-Client\r\n")]
    [InlineData(HttpProtocols.Http2, "X-User: root\r\nx-client: root\r\n")]
    [InlineData(HttpProtocols.Http2, "X_User: root\r\nX_Client: root\r\nConnection: X-Client\r\n")]
    [Attack(
        "a header that tells services who the caller is: in any case, with `_`, nominated by `Connection`, twice, as `Client-Cert`",
        "services receive the gateway's value, or none"
    )]
    public async Task Header_ThatAClientForges_NeverReachesTheService(HttpProtocols protocol, string forged)
    {
        await using var service = await TestService.StartAsync(listen: l => l.Protocols = protocol);
        await using var gateway = await StartAsync(service.Address, protocol, "underscores: allow");
        using var client = await gateway.ConnectAsync();
        await client.SendAsync($"GET /x HTTP/1.1\r\nHost: g\r\nX-Api-Key: key\r\n{forged}\r\n");
        Assert.Equal(200, (await client.ReadResponseAsync()).Status);
        Assert.True(service.Seen.TryDequeue(out var seen));
        Assert.Equal("acme", seen["X-Client"]);
        Assert.DoesNotContain(seen.Headers, h => h.Value.Contains("root") || h.Value.Contains(":AAAA:"));
        Assert.Null(seen["X-Api-Key"]);
        Assert.Null(seen["X-User"]);
    }

    [Fact]
    [Attack("identity headers in the head of an HTTP/2 request", "services receive the gateway's value, or none")]
    public async Task Header_ThatAnHttp2ClientForges_NeverReachesTheService()
    {
        await using var service = await TestService.StartAsync();
        await using var gateway = await StartAsync(service.Address);
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(gateway.AddressOf("h2"), "/x"))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        foreach (var name in new[] { "x-user", "x_user", "x-client", "x_client", "client-cert" })
            request.Headers.TryAddWithoutValidation(name, "root");
        request.Headers.Add("x-api-key", "key");
        using var answer = await gateway.Client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.True(service.Seen.TryDequeue(out var seen));
        Assert.Equal("acme", seen["X-Client"]);
        Assert.DoesNotContain(seen.Headers, h => h.Value.Contains("root"));
    }

    [Theory]
    [InlineData(HttpProtocols.Http1)]
    [InlineData(HttpProtocols.Http2)]
    [Attack("identity headers as trailers of a chunked request", "the trailers are dropped")]
    public async Task Trailer_ThatAClientForges_NeverReachesTheService(HttpProtocols protocol)
    {
        string? trailers = null;
        await using var service = await TestService.StartAsync(
            async c =>
            {
                await c.Request.Body.CopyToAsync(Stream.Null, c.RequestAborted);
                trailers = string.Join(
                    '|',
                    new[] { "X-User", "X_User", "X-Client", "Client-Cert", "Authorization", "X-Other" }.Select(n => c.Request.GetTrailer(n))
                );
            },
            l => l.Protocols = protocol
        );
        await using var gateway = await StartAsync(service.Address, protocol, "underscores: allow");
        using var client = await gateway.ConnectAsync();
        await client.SendAsync(
            "POST /x HTTP/1.1\r\nHost: g\r\nX-Api-Key: key\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-User: root\r\nX_User: root\r\nX-Client: "
                + "root\r\nClient-Cert: root\r\nAuthorization: root\r\nX-Other: 1\r\n\r\n"
        );
        Assert.Equal(200, (await client.ReadResponseAsync()).Status);
        Assert.Equal(protocol == HttpProtocols.Http1 ? "|||||1" : "|||||", trailers); // .NET sends no trailers over HTTP/2
    }

    [Fact]
    public async Task Keys_OfTheTokens_ArePublishedAtTheAdminAddress_WithoutAToken()
    {
        await using var gateway = await LocalProgram.StartAsync(
            """
            admin: { address: "http://127.0.0.1:0", token: "a-token-of-sixteen" }
            routes: { r: { match: /x, respond: {}, policies: [{ identity: { jwt: { key: internal.key, audience: internal } } }] } }
            """,
            new Dictionary<string, string> { ["internal.key"] = NewKey() }
        );
        using var client = new HttpClient();
        var keys = await client.GetFromJsonAsync<JsonObject>(new Uri(gateway.Admin, "/.well-known/jwks.json"), CancellationToken.None);
        var key = Assert.Single(keys!["keys"]!.AsArray())!.AsObject();
        Assert.Equal(["kty", "use", "alg", "kid", "crv", "x", "y"], key.Select(m => m.Key));
        using var refused = await client.GetAsync(new Uri(gateway.Admin, "/api/v1/snapshot"), CancellationToken.None);
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
    }

    [Fact]
    public async Task ClientCredentials_OfAProviderOfOthers_ReachTheService()
    {
        await using var provider = new OpenIdServer();
        await provider.InitializeAsync();
        await using var service = await TestService.StartAsync();
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: "{{service.Address}}" }
            routes:
              r:
                match: /x
                forward: s
                policies:
                  - identity:
                      credentials:
                        clientCredentials: { issuer: "{{provider.Issuer}}", clientId: gateway, clientSecret: gateway-secret, resource: "urn:shop", scope: orders.read }
            """
        );
        for (var i = 0; i < 2; i++)
        {
            using var answer = await gateway.Client.GetAsync(new Uri(gateway.Address, "/x"), CancellationToken.None);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }

        var tokens = service.Seen.Select(s => s["Authorization"]).Distinct().ToList();
        var payload = Assert.Single(tokens)!.Split(' ', '.')[2];
        var claims = JsonNode.Parse(Encoding.UTF8.GetString(System.Buffers.Text.Base64Url.DecodeFromChars(payload)))!;
        Assert.Equal(("shop", "gateway", "orders.read"), ((string?)claims["aud"], (string?)claims["client_id"], (string?)claims["scope"]));
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task Body_ThatWasValidated_ReachesTheServiceAsItIs(string version)
    {
        string? received = null;
        await using var service = await TestService.StartAsync(async c => received = await ScriptedAnswers.BodyOf(c));
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            listeners: { public: "http://127.0.0.1:0", h2: { address: "http://127.0.0.1:0", protocols: [http2] } }
            services: { s: "{{service.Address}}" }
            routes: { r: { match: /x, forward: s, policies: [{ validate: { body: order.json, maxBody: 2MiB } }] } }
            """,
            new Dictionary<string, string> { ["order.json"] = """{ "required": ["a"], "properties": { "n": { "type": "integer" } } }""" }
        );
        var large = $"{{ \"a\": \"{new string('x', 1_500_000)}\", \"n\": 1 }}";
        foreach (
            var (body, status) in new[]
            {
                (large, 200),
                ("{ \"a\": 1 }", 200),
                ("{}", 400),
                ("{ \"a\": 1, \"n\": 1.5 }", 400),
                (large, 200),
            }
        )
        {
            received = null;
            using var request = new HttpRequestMessage(
                HttpMethod.Post,
                new Uri(gateway.AddressOf(version == "2.0" ? "h2" : "public"), "/x")
            )
            {
                Version = Version.Parse(version),
                VersionPolicy = HttpVersionPolicy.RequestVersionExact,
                Content = new StringContent(body, Encoding.UTF8, "application/json"),
            };
            request.Headers.TransferEncodingChunked = version == "1.1" && status == 200 && body.Length < 100;
            using var answer = await gateway.Client.SendAsync(request, TestContext.Current.CancellationToken);
            Assert.Equal(status, (int)answer.StatusCode);
            Assert.Equal(status == 200 ? body : null, received);
        }
    }

    private static string NewKey()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return key.ExportPkcs8PrivateKeyPem();
    }

    private static Task<InProcessGateway> StartAsync(string service, HttpProtocols protocol = HttpProtocols.Http1, string limits = "") =>
        InProcessGateway.StartAsync(
            $$"""
            listeners:
              public: { address: "http://127.0.0.1:0", limits: { {{limits}} } }
              h2: { address: "http://127.0.0.1:0", protocols: [http2], limits: { underscores: allow } }
            services: { s: { instances: ["{{service}}"], protocol: {{(protocol == HttpProtocols.Http2 ? "http2" : "http1")}} } }
            clients: { acme: { apiKeys: "{{Hash}}" } }
            policies:
              key: { apiKey: {} }
              known-as: { identity: { headers: { X-User: "{caller:subject}", X-Client: "{caller:client}" }, clientCertificate: true } }
            routes: { r: { match: "/{**rest}", forward: s, policies: [known-as, key] } }
            """
        );
}
