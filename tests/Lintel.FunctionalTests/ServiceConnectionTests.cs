using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Lintel.Config;
using Lintel.TestKit;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Lintel.FunctionalTests;

/// <summary>
/// TLS and HTTP/2 towards services, trusted proxies, included files, the admin token, and the gateway inside another host.
/// </summary>
[EveryTransport]
public sealed class ServiceConnectionTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Theory]
    [InlineData(
        "tls: { authorities: ca.pem, serverName: orders.internal, certificate: client.pem, keyPath: client.key }",
        200,
        "CN=client"
    )]
    [InlineData("tls: { authorities: ca.pem, serverName: other.internal }", 502, "tls-certificate")]
    [InlineData("tls: { serverName: orders.internal }", 502, "tls-certificate")]
    public async Task Tls_ToAService_IsVerified(string tls, int status, string contains)
    {
        using var authority = Certificate("CN=test authority", null);
        using var server = Certificate("CN=orders.internal", authority);
        using var client = Certificate("CN=client", authority);
        await using var service = await TestService.StartAsync(
            c => c.Response.WriteAsync(c.Connection.ClientCertificate?.Subject ?? "none"),
            l => l.UseHttps(server, o =>
                {
                    o.ClientCertificateMode = Microsoft.AspNetCore.Server.Kestrel.Https.ClientCertificateMode.AllowCertificate;
                    o.AllowAnyClientCertificate();
                })
        );
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: { instances: ["https://127.0.0.1:{{service.Port}}"], timeouts: { connect: 30s }, {{tls}} } }
            routes: { s: { match: "/{**rest}", forward: s } }
            """,
            new Dictionary<string, string>
            {
                ["ca.pem"] = authority.ExportCertificatePem(),
                ["client.pem"] = client.ExportCertificatePem(),
                ["client.key"] = client.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem(),
            }
        );
        using var response = await gateway.Client.GetAsync(new Uri("/", UriKind.Relative), None);
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Contains(contains, await response.Content.ReadAsStringAsync(None), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tls_CertificateRenewedInItsFile_IsShownWithoutAReloadOfTheConfiguration()
    {
        using var authority = Certificate("CN=test authority", null);
        using var server = Certificate("CN=orders.internal", authority);
        using var first = Certificate("CN=first", authority);
        using var second = Certificate("CN=second", authority);
        await using var service = await TestService.StartAsync(
            c => c.Response.WriteAsync(c.Connection.ClientCertificate?.Subject ?? "none"),
            l => l.UseHttps(server, o =>
                {
                    o.ClientCertificateMode = Microsoft.AspNetCore.Server.Kestrel.Https.ClientCertificateMode.AllowCertificate;
                    o.AllowAnyClientCertificate();
                })
        );
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: { instances: ["https://127.0.0.1:{{service.Port}}"], tls: { authorities: ca.pem, serverName: orders.internal, certificate: client.pem, keyPath: client.key } } }
            routes: { s: { match: "/{**rest}", forward: s } }
            """,
            new Dictionary<string, string>
            {
                ["ca.pem"] = authority.ExportCertificatePem(),
                ["client.pem"] = first.ExportCertificatePem(),
                ["client.key"] = first.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem(),
            }
        );
        Task<string> ShownAsync() => gateway.Client.GetStringAsync(new Uri("/", UriKind.Relative), None);
        Assert.Equal("CN=first", await ShownAsync());

        // Between the two writes the pair does not match: the previous one stays in use.
        await File.WriteAllTextAsync(gateway.Folder["client.pem"], second.ExportCertificatePem(), None);
        await Until.TrueAsync(() => gateway.Log.Any(l => l.Contains("the certificates cannot be used", StringComparison.Ordinal)));
        Assert.Equal("CN=first", await ShownAsync());
        await File.WriteAllTextAsync(gateway.Folder["client.key"], second.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem(), None);
        await Until.TrueAsync(async () => await ShownAsync() == "CN=second");
        Assert.Equal(2, service.Connections);
    }

    [Fact]
    public async Task Http2_ToAService_IsSpokenByPriorKnowledge()
    {
        await using var service = await TestService.StartAsync(
            c => c.Response.WriteAsync(c.Request.Protocol),
            l => l.Protocols = HttpProtocols.Http2
        );
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: { instances: ["http://127.0.0.1:{{service.Port}}"], protocol: http2 } }
            routes: { s: { match: "/{**rest}", forward: s } }
            """
        );
        Assert.Equal("HTTP/2", await gateway.Client.GetStringAsync(new Uri("/", UriKind.Relative), None));
    }

    [Theory]
    [InlineData("trustedProxies: [127.0.0.0/8]", "9.9.9.9, 127.0.0.1", "https", "9.9.9.9")]
    [InlineData("", "127.0.0.1", "http", "127.0.0.1")]
    public async Task ForwardedHeaders_AreBelievedFromTrustedProxiesOnly(string trust, string chain, string proto, string clientIp)
    {
        await using var service = await TestService.StartAsync(c =>
            c.Response.WriteAsync(
                $"{c.Request.Headers["X-Forwarded-For"]}|{c.Request.Headers["X-Forwarded-Proto"]}|{c.Request.Headers["X-Client"]}"
            )
        );
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            {{trust}}
            services: { s: "http://127.0.0.1:{{service.Port}}" }
            routes: { s: { match: "/{**rest}", forward: s, transform: { request: { setHeaders: { X-Client: "{clientIp}" } } } } }
            """
        );
        using var request = new HttpRequestMessage(HttpMethod.Get, "/")
        {
            Headers = { { "X-Forwarded-For", "9.9.9.9" }, { "X-Forwarded-Proto", "https" } },
        };
        using var response = await gateway.Client.SendAsync(request, None);
        Assert.Equal($"{chain}|{proto}|{clientIp}", await response.Content.ReadAsStringAsync(None));
    }

    [Fact]
    [AnyTransport]
    public async Task IncludedFile_Changed_IsLive()
    {
        await using var gateway = await LocalProgram.StartAsync(
            "include: [\"routes/*.yaml\"]",
            new Dictionary<string, string> { ["routes/a.yaml"] = "routes: { a: { match: /a, respond: { body: one } } }" }
        );
        Assert.Equal("one", await gateway.Client.GetStringAsync(new Uri("/a", UriKind.Relative), None));
        var before = gateway.Outcomes();
        await File.WriteAllTextAsync(
            Path.Combine(gateway.Folder, "routes/b.yaml"),
            "routes: { b: { match: /b, respond: { body: new } } }",
            None
        );
        await Until.TrueAsync(() => gateway.Outcomes() > before);
        Assert.Equal("new", await gateway.Client.GetStringAsync(new Uri("/b", UriKind.Relative), None));
    }

    [Fact]
    [AnyTransport]
    public async Task AdminToken_GuardsMetricsButNotHealth()
    {
        await using var gateway = await LocalProgram.StartAsync(
            "admin: { address: \"http://127.0.0.1:0\", token: secret }\nroutes: { a: { match: /a, respond: {} } }"
        );
        using var admin = new HttpClient { BaseAddress = gateway.Admin };
        Assert.Equal(HttpStatusCode.OK, (await admin.GetAsync(new Uri("/health/live", UriKind.Relative), None)).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await admin.GetAsync(new Uri("/metrics", UriKind.Relative), None)).StatusCode);
        admin.DefaultRequestHeaders.Add("Authorization", "Bearer secret");
        Assert.Equal(HttpStatusCode.OK, (await admin.GetAsync(new Uri("/metrics", UriKind.Relative), None)).StatusCode);
    }

    [Theory]
    [InlineData("yaml")]
    [InlineData("configuration")]
    [InlineData("code")]
    public async Task Embedded_BesideOwnEndpoints_TakesTheRest(string from)
    {
        await using var service = await TestService.StartAsync(c => c.Response.WriteAsync("service " + c.Request.Path));
        var address = $"http://127.0.0.1:{service.Port}";
        var file = Path.GetTempFileName() + ".yaml";
        await File.WriteAllTextAsync(
            file,
            $$"""
            services: { s: "{{address}}" }
            routes: { s: { match: "/api/{id}", forward: "s/things/{id}" } }
            """,
            None
        );
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        if (from == "yaml")
        {
            builder.Services.AddLintel(file);
        }
        else if (from == "configuration")
        {
            builder.Configuration.AddInMemoryCollection(
                new Dictionary<string, string?>
                {
                    ["Lintel:services:s"] = address,
                    ["Lintel:routes:s:match"] = "/api/{id}",
                    ["Lintel:routes:s:forward"] = "s/things/{id}",
                }
            );
            builder.Services.AddLintel(builder.Configuration.GetSection("Lintel"));
        }
        else
        {
            builder.Services.AddLintel(
                new GatewayConfig
                {
                    Services = new() { ["s"] = new ServiceConfig { Instances = [new InstanceConfig { Address = new Uri(address) }] } },
                    Routes = new()
                    {
                        ["s"] = new RouteConfig
                        {
                            Match = new MatchConfig { Paths = ["/api/{id}"] },
                            Forward = new ForwardConfig { Service = "s", Path = "/things/{id}" },
                        },
                    },
                }
            );
        }

        await using var application = builder.Build();
        application.MapGet("/own", () => "own");
        application.MapLintel();
        await application.StartAsync(None);
        using var client = new HttpClient { BaseAddress = new Uri(application.Urls.First()) };
        Assert.Equal("own", await client.GetStringAsync(new Uri("/own", UriKind.Relative), None));
        Assert.Equal("service /things/7", await client.GetStringAsync(new Uri("/api/7", UriKind.Relative), None));
        File.Delete(file);
    }

    private static X509Certificate2 Certificate(string subject, X509Certificate2? issuer)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(issuer is null, false, 0, true));
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(subject[3..].Replace(' ', '-'));
        request.CertificateExtensions.Add(names.Build());
        var from = TimeProvider.System.GetUtcNow().AddDays(-1);
        if (issuer is null)
            return request.CreateSelfSigned(from, from.AddDays(30));
        using var signed = request.Create(issuer, from, from.AddDays(20), RandomNumberGenerator.GetBytes(8));
        return X509CertificateLoader.LoadPkcs12(signed.CopyWithPrivateKey(key).Export(X509ContentType.Pkcs12), null);
    }
}
