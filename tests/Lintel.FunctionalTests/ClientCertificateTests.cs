using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Lintel.FunctionalTests.Protocols;
using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary>The policy <c>clientCertificate</c>, over TLS.</summary>
[EveryTransport]
public sealed class ClientCertificateTests : IAsyncDisposable
{
    private readonly ConfigFolder _folder = new();
    private readonly X509Certificate2 _partners = ListenerTests.Authority("CN=partners");
    private readonly X509Certificate2 _staff = ListenerTests.Authority("CN=staff");
    private InProcessGateway? _gateway;

    public async ValueTask DisposeAsync()
    {
        if (_gateway is not null)
            await _gateway.DisposeAsync();
        _partners.Dispose();
        _staff.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    [Attack("no certificate, one of another authority, for another name, for servers, or expired", "401, and the reason in the error log")]
    public async Task Request_IsAdmitted_WithACertificateOfTheAuthorityAndAName(string version)
    {
        await StartAsync();
        using var right = Issue(_partners, b => b.AddDnsName("a.partner.example"));
        using (var http = Client(right, version))
        {
            Assert.Equal((200, "a.partner.example"), await GetAsync(http, "/partner"));
            Assert.Equal((200, "a.partner.example"), await GetAsync(http, "/partner"));
            Assert.Equal(200, (await GetAsync(http, "/client")).Status);
            Assert.Equal(403, (await GetAsync(http, "/shop")).Status);
            Assert.Equal(401, (await GetAsync(http, "/staff")).Status);
            Assert.Equal(200, (await GetAsync(http, "/open")).Status);
        }

        using var spiffe = Issue(_partners, b => b.AddUri(new Uri("spiffe://partner.example/ns/prod/sa/shop")));
        using (var http = Client(spiffe, version))
        {
            Assert.Equal((200, "spiffe://partner.example/ns/prod/sa/shop"), await GetAsync(http, "/partner"));
            Assert.Equal(200, (await GetAsync(http, "/shop")).Status);
        }

        using var anyOfStaff = Issue(_staff, b => b.AddEmailAddress("kim@example.com"));
        using (var http = Client(anyOfStaff, version))
            Assert.Equal((200, "kim@example.com"), await GetAsync(http, "/staff"));

        using var otherName = Issue(_partners, b => b.AddDnsName("partner.example"));
        using var subjectOnly = Issue(_partners, _ => { }, "CN=a.partner.example");
        using var otherAuthority = Issue(_staff, b => b.AddDnsName("a.partner.example"));
        using var forServers = Issue(_partners, b => b.AddDnsName("a.partner.example"), purpose: "1.3.6.1.5.5.7.3.1");
        foreach (var wrong in new[] { null, otherName, subjectOnly, otherAuthority })
        {
            using var http = Client(wrong, version);
            Assert.Equal((401, "ClientCertificate"), await GetAsync(http, "/partner"));
        }

        using var server = Client(forServers, version);
        await Assert.ThrowsAsync<HttpRequestException>(() => GetAsync(server, "/partner")); // by the listener
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    [Attack("a connection made for one host is used for another, protected one (SNI and Host differ)", "421")]
    public async Task Request_ForAnotherHostThanTheConnections_IsMisdirected(string version)
    {
        await StartAsync();
        using var right = Issue(_partners, b => b.AddDnsName("a.partner.example"));
        var certificate = _folder.Write("client.pem", right.ExportCertificatePem());
        var key = _folder.Write("client.key", right.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
        Assert.Equal("200 200", await GetAsync("api.example.com", "/partner"));
        Assert.Equal("200 200", await GetAsync("API.example.com.:443", "/partner"));
        Assert.Equal("421 421", await GetAsync("other.example.com", "/partner"));
        Assert.Equal("421 421", await GetAsync("127.0.0.1", "/partner"));
        Assert.Equal("200 200", await GetAsync("other.example.com", "/open"));

        // Twice on one connection, whose server name is api.example.com; HttpClient opens one for each host.
        async Task<string> GetAsync(string host, string path)
        {
            var port = _gateway!.Address.Port;
            var url = $"https://api.example.com:{port}{path}";
            string[] options =
            [
                "-sk",
                version == "2.0" ? "--http2" : "--http1.1",
                "--resolve",
                $"api.example.com:{port}:127.0.0.1",
                "--cert",
                certificate,
                "--key",
                key,
                "-H",
                $"Host: {host}",
                "-o",
                "/dev/null",
                "-w",
                "%{http_code} ",
            ];
            return (await Command.RunAsync("curl", [.. options, url, "-o", "/dev/null", url])).Output.Trim();
        }
    }

    [Fact]
    public async Task Authority_ThatAReloadRemoves_IsNotTrustedOnOpenConnections()
    {
        await StartAsync();
        using var right = Issue(_partners, b => b.AddDnsName("a.partner.example"));
        using var http = Client(right, "1.1");
        Assert.Equal(200, (await GetAsync(http, "/partner")).Status);
        await File.WriteAllTextAsync(_folder["partners.pem"], _staff.ExportCertificatePem());
        Assert.True((await _gateway!.Gateway.ReloadAsync(TestContext.Current.CancellationToken)).IsValid);
        Assert.Equal(401, (await GetAsync(http, "/partner")).Status);
    }

    [Fact]
    [Attack("a client certificate names an address where its issuer could be downloaded", "no connection is made")]
    public async Task Certificate_ThatNamesAnAddressOfItsIssuer_DoesNotMakeTheGatewayConnect()
    {
        await StartAsync();
        using var target = new TcpListener(IPAddress.Loopback, 0);
        target.Start();
        using var unknown = ListenerTests.Authority("CN=unknown");
        var port = ((IPEndPoint)target.LocalEndpoint).Port;
        using var certificate = Issue(unknown, b => b.AddDnsName("a.partner.example"), issuerAddress: $"http://127.0.0.1:{port}/ca.cer");
        using var http = Client(certificate, "1.1");
        await Assert.ThrowsAsync<HttpRequestException>(() => GetAsync(http, "/partner"));
        Assert.False(target.Pending());
    }

    [Fact]
    [AnyTransport]
    public async Task Route_ThatNoAskingListenerServes_IsAProblem()
    {
        await StartAsync();
        var yaml = $$"""
            listeners: { plain: "http://127.0.0.1:0" }
            policies: { p: { clientCertificate: { authorities: "{{_folder["partners.pem"]}}" } }, either: { anyOf: [p, { apiKey: {} }] } }
            routes:
              r: { match: /r, respond: { body: x }, policies: [p] }
              s: { match: /s, respond: { body: x }, policies: [either] }
              t: { match: /t, respond: { body: x }, policies: [{ clientCertificate: { authorities: "{{_folder[
                "partners.pem"
            ]}}", names: ["*.com"] } }] }
            """;
        var file = _folder.Write("broken.yaml", yaml);
        var (code, output, _) = await LocalProgram.RunAsync("validate", file);
        Assert.Equal(1, code);
        Assert.Contains(
            "the route `r` needs client certificates, and no listener that serves it asks for them",
            output,
            StringComparison.Ordinal
        );
        Assert.Contains("the route `s` needs client certificates", output, StringComparison.Ordinal);
        Assert.Contains("`*.com` is not a name of certificates", output, StringComparison.Ordinal);
    }

    private async Task StartAsync()
    {
        var both = _folder.Write("both.pem", _partners.ExportCertificatePem() + "\n" + _staff.ExportCertificatePem());
        var partners = _folder.Write("partners.pem", _partners.ExportCertificatePem());
        var staff = _folder.Write("staff.pem", _staff.ExportCertificatePem());
        using var server = ListenerTests.Authority("CN=api");
        var path = _folder.Write("api.pem", server.ExportCertificatePem());
        var key = _folder.Write("api.key", server.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
        _gateway = await InProcessGateway.StartAsync(
            $$"""
            listeners:
              public:
                address: https://127.0.0.1:0
                certificates: [{ path: "{{path}}", keyPath: "{{key}}" }]
                clientCertificates: { mode: optional, authorities: "{{both}}" }
            clients: { acme: { certificates: "*.partner.example" } }
            policies:
              partner: { clientCertificate: { authorities: "{{partners}}", names: ["*.partner.example", "spiffe://partner.example/**"] } }
              staff: { clientCertificate: { authorities: "{{staff}}" } }
              shop: { authorize: { certificate: "spiffe://partner.example/ns/*/sa/shop" } }
            routes:
              partner: { match: /partner, respond: { body: "", headers: { X-Who: "{claim:sub}" } }, policies: [partner] }
              client: { match: /client, respond: { body: x }, policies: [partner, { authorize: { client: acme } }] }
              shop: { match: /shop, respond: { body: x }, policies: [partner, shop] }
              staff: { match: /staff, respond: { body: "", headers: { X-Who: "{claim:sub}" } }, policies: [staff] }
              open: { match: /open, respond: { body: x } }
            """
        );
    }

    private static X509Certificate2 Issue(
        X509Certificate2 authority,
        Action<SubjectAlternativeNameBuilder> names,
        string subject = "CN=client",
        string purpose = "1.3.6.1.5.5.7.3.2",
        string? issuerAddress = null
    )
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        var builder = new SubjectAlternativeNameBuilder();
        names(builder);
        var extension = builder.Build();
        if (extension.RawData.Length > 2)
            request.CertificateExtensions.Add(extension);
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(purpose)], critical: true));
        if (issuerAddress is not null)
            request.CertificateExtensions.Add(new X509AuthorityInformationAccessExtension(null, [issuerAddress]));
        using var issued = request.Create(authority, authority.NotBefore, authority.NotAfter, RandomNumberGenerator.GetBytes(8));
        return issued.CopyWithPrivateKey(key);
    }

    private HttpClient Client(X509Certificate2? certificate, string version) =>
        new(
            new SocketsHttpHandler
            {
                UseProxy = false,
                MaxConnectionsPerServer = 1,
                SslOptions = new SslClientAuthenticationOptions
                {
#pragma warning disable CA5359 // the certificate is the test's own
                    RemoteCertificateValidationCallback = (_, _, _, _) => true,
#pragma warning restore CA5359
                    ClientCertificateContext = certificate is null
                        ? null
                        : SslStreamCertificateContext.Create(certificate, null, offline: true),
                },
            }
        )
        {
            BaseAddress = _gateway!.Address,
            DefaultRequestVersion = new Version(version),
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Timeout = Until.Patience,
        };

    /// <summary>The status, and who the caller is, or the challenge.</summary>
    private static async Task<(int Status, string Text)> GetAsync(HttpClient http, string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path)
        {
            Version = http.DefaultRequestVersion,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        using var response = await http.SendAsync(request);
        return (
            (int)response.StatusCode,
            response.Headers.TryGetValues("X-Who", out var who) ? string.Join(' ', who) : response.Headers.WwwAuthenticate.ToString()
        );
    }
}
