using System.Diagnostics;
using System.Net;
using System.Net.Quic;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Lintel.Control.Status;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;

namespace Lintel.FunctionalTests;

#pragma warning disable CA5359 // the tests look at the certificate themselves
/// <summary>Listeners: TLS, server names, client certificates, protocols, Unix sockets, the PROXY protocol, limits.</summary>
[EveryTransport]
public sealed class ListenerTests : IAsyncDisposable
{
    private readonly ConfigFolder _folder = new();
    private InProcessGateway? _gateway;

    public async ValueTask DisposeAsync()
    {
        if (_gateway is not null)
            await _gateway.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task ServerName_OfTheClient_ChoosesTheCertificate()
    {
        var other = Certificate("other", "CN=*.example.net");
        var (path, key) = Certificate("api", "CN=api.example.com");
        var fallback = Certificate("fallback", "CN=fallback");
        await StartAsync(
            $"""
            listeners:
              public:
                address: https://127.0.0.1:0
                certificates:
                  - {Of(["api.example.com", "xn--bcher-kva.example"], (path, key))}
                  - {Of(["*.example.net", "*.bücher.net"], other)}
                  - {Of([], fallback)}
            """
        );
        Assert.Equal("CN=api.example.com", (await HandshakeAsync("api.example.com")).Certificate);
        Assert.Equal("CN=api.example.com", (await HandshakeAsync("API.example.com")).Certificate);
        Assert.Equal("CN=*.example.net", (await HandshakeAsync("shop.example.net")).Certificate);
        Assert.Equal("CN=api.example.com", (await HandshakeAsync("xn--bcher-kva.example")).Certificate);
        Assert.Equal("CN=*.example.net", (await HandshakeAsync("shop.xn--bcher-kva.net")).Certificate);
        Assert.Equal("CN=fallback", (await HandshakeAsync("a.b.example.net")).Certificate);
        Assert.Equal("CN=fallback", (await HandshakeAsync("unknown.example.org")).Certificate);
    }

    [Fact]
    public async Task ServerName_WithoutACertificate_FailsTheHandshake()
    {
        await StartAsync(
            $"listeners: {{ public: {{ address: \"https://127.0.0.1:0\", certificates: "
                + $"[{Of(["api.example.com"], Certificate("api", "CN=api.example.com"))}] }} }}"
        );
        await Assert.ThrowsAnyAsync<Exception>(() => HandshakeAsync("unknown.example.org"));
        Assert.Equal("CN=api.example.com", (await HandshakeAsync("api.example.com")).Certificate);
    }

    [Theory]
    [InlineData(SslProtocols.Tls12, true)]
    [InlineData(SslProtocols.Tls13, true)]
#pragma warning disable SYSLIB0039, CA5397 // that it is refused is the point
    [InlineData(SslProtocols.Tls11, false)]
#pragma warning restore SYSLIB0039, CA5397
    public async Task TlsVersion_OfTheClient_IsTakenFrom12On(SslProtocols version, bool isTaken)
    {
        await StartSecureAsync();
        if (isTaken)
            Assert.Equal(version, (await HandshakeAsync("localhost", version)).Version);
        else
            await Assert.ThrowsAnyAsync<Exception>(() => HandshakeAsync("localhost", version));
    }

    [Fact]
    public async Task CertificateFile_ThatChanges_IsShownToNewConnectionsAndOldOnesGoOn()
    {
        var files = Certificate("api", "CN=before");
        await StartAsync($"listeners: {{ public: {{ address: \"https://127.0.0.1:0\", certificates: [{Of([], files)}] }} }}");
        using var before = SecureClient();
        Assert.Equal("pong", await before.GetStringAsync("/ping"));
        Assert.Equal("CN=before", (await HandshakeAsync("localhost")).Certificate);

        Certificate("api", "CN=after");
        Assert.True((await _gateway!.Gateway.ReloadAsync(TestContext.Current.CancellationToken)).IsValid);
        Assert.Equal("CN=after", (await HandshakeAsync("localhost")).Certificate);
        Assert.Equal("pong", await before.GetStringAsync("/ping"));

        await File.WriteAllTextAsync(files.Path, "nothing", TestContext.Current.CancellationToken);
        var report = await _gateway.Gateway.ReloadAsync(TestContext.Current.CancellationToken);
        Assert.Contains("listeners.public.certificates", report.Problems[0].ToString(), StringComparison.Ordinal);
        Assert.Equal("CN=after", (await HandshakeAsync("localhost")).Certificate);
    }

    [Theory]
    [InlineData("required", "ours", true)]
    [InlineData("required", "none", false)]
    [InlineData("required", "foreign", false)]
    [InlineData("optional", "ours", true)]
    [InlineData("optional", "none", true)]
    [InlineData("optional", "foreign", false)]
    public async Task ClientCertificate_ByMode_IsAskedAndVerified(string mode, string shown, bool isTaken)
    {
        using var authority = Authority("CN=ours");
        using var foreign = Authority("CN=ours"); // the same name, another key
        var authorities = _folder.Write("ca.pem", authority.ExportCertificatePem());
        var certificates = Of([], Certificate("api", "CN=api"));
        await StartAsync(
            $"listeners: {{ public: {{ address: \"https://127.0.0.1:0\", certificates: [{certificates}], clientCertificates: {{ "
                + $"mode: {mode}, authorities: \"{authorities}\" }} }} }}"
        );
        using var client = shown == "none" ? null : Issue("CN=client", shown == "ours" ? authority : foreign);
        using var http = SecureClient(client);
        if (isTaken)
            Assert.Equal("pong", await http.GetStringAsync("/ping"));
        else
            await Assert.ThrowsAsync<HttpRequestException>(() => http.GetStringAsync("/ping"));
    }

    [Theory]
    [InlineData("", "2.0", "2.0")]
    [InlineData("", "1.1", "1.1")]
    [InlineData("protocols: [http1],", "2.0", "1.1")]
    [InlineData("protocols: [http2],", "2.0", "2.0")]
    [InlineData("protocols: [http1, http2, http3],", "2.0", "2.0")]
    public async Task Protocol_WithTls_IsNegotiated(string protocols, string asked, string spoken)
    {
        await StartAsync(
            $"listeners: {{ public: {{ address: \"https://127.0.0.1:0\", {protocols} certificates: "
                + $"[{Of([], Certificate("api", "CN=api"))}] }} }}"
        );
        using var http = SecureClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/ping")
        {
            Version = new Version(asked),
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };
        using var response = await http.SendAsync(request);
        Assert.Equal((new Version(spoken), "pong"), (response.Version, await response.Content.ReadAsStringAsync()));
        Assert.Equal(
            protocols.Contains("http3", StringComparison.Ordinal) && !QuicListener.IsSupported,
            _gateway!.Log.Any(l => l.Contains("libmsquic", StringComparison.Ordinal))
        );
    }

    [Fact]
    public async Task UnixSocket_Listens_AndReplacesADeadOne()
    {
        var socket = _folder["lintel.sock"];
        using (var dead = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            dead.Bind(new UnixDomainSocketEndPoint(socket));
            dead.Listen();
            File.Move(socket, socket + ".kept"); // .NET removes the file it made; a killed process does not
        }

        File.Move(socket + ".kept", socket);
        await StartAsync($"listeners: {{ public: \"http://127.0.0.1:0\", local: \"http://unix:{socket}\" }}");
        using var http = new HttpClient(
            new SocketsHttpHandler
            {
                ConnectCallback = async (_, cancellation) =>
                {
                    var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                    await client.ConnectAsync(new UnixDomainSocketEndPoint(socket), cancellation);
                    return new NetworkStream(client, ownsSocket: true);
                },
            }
        );
        Assert.Equal("pong", await http.GetStringAsync("http://local/ping"));
        Assert.Equal("unknown", await http.GetStringAsync("http://local/service"));
        var error = await Assert.ThrowsAnyAsync<Exception>(() =>
            InProcessGateway.StartAsync(
                $"listeners: {{ public: \"http://127.0.0.1:0\", local: \"http://unix:{socket}\" }}\nadmin: {{ enabled: false }}"
            )
        );
        Assert.Contains(socket, error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("PROXY TCP4 192.0.2.7 192.0.2.1 56324 443\r\n", "192.0.2.7")]
    [InlineData("PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n", "2001:db8::7")]
    [InlineData("PROXY UNKNOWN\r\n", "127.0.0.1")]
    [InlineData("PROXY UNKNOWN ffff:f...f:ffff x\r\n", "127.0.0.1")]
    [InlineData("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc0\0\x02\x01\xdc\x04\x01\xbb", "192.0.2.7")]
    [InlineData("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x10\xc0\0\x02\x07\xc0\0\x02\x01\xdc\x04\x01\xbb\x04\0\x01\0", "192.0.2.7")]
    [InlineData("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", "127.0.0.1")]
    [InlineData("\r\n\r\n\0\r\nQUIT\n\x21\0\0\0", "127.0.0.1")]
    public async Task ProxyProtocol_FromATrustedAddress_GivesTheClientsAddress(string header, string client)
    {
        await StartAsync("listeners: { public: { address: \"http://127.0.0.1:0\", proxyProtocol: [127.0.0.0/8] } }");
        foreach (var step in new[] { 1, 1000 })
        {
            using var raw = await _gateway!.ConnectAsync();
            var bytes = header + "GET /service HTTP/1.1\r\nHost: t\r\n\r\n";
            for (var i = 0; i < bytes.Length; i += step)
                await raw.SendAsync(bytes[i..Math.Min(bytes.Length, i + step)]);
            Assert.Equal(client, (await raw.ReadResponseAsync()).Body);
            Assert.Equal(client, (await raw.GetAsync("/service")).Body);
        }
    }

    [Theory]
    [InlineData("GET /service HTTP/1.1\r\nHost: t\r\n\r\n")]
    [InlineData("PROXY TCP4 192.0.2.7\r\n")]
    [InlineData("PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n")]
    [InlineData("PROXY TCP4 192.0.2.7 192.0.2.1 99999 443\r\n")]
    [InlineData("PROXY TCP5 192.0.2.7 192.0.2.1 1 2\r\n")]
    [InlineData("PROXY TCP4 192.0.2.7 192.0.2.1 1 2\n")]
    [InlineData("\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c\xc0\0\x02\x07\xc0\0\x02\x01\xdc\x04\x01\xbb")]
    [InlineData("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x04\xc0\0\x02\x07")]
    [InlineData("\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff")]
    [InlineData("\r\n\r\nGET / HTTP/1.1\r\n\r\n")]
    public async Task ProxyProtocol_ThatIsWrongOrMissing_ClosesTheConnection(string bytes)
    {
        await StartAsync("listeners: { public: { address: \"http://127.0.0.1:0\", proxyProtocol: [127.0.0.0/8] } }");
        using var raw = await _gateway!.ConnectAsync();
        await raw.SendAsync(bytes + new string('x', 200));
        Assert.Equal("", await ReadUntilClosedAsync(raw));
    }

    [Fact]
    public async Task ProxyProtocol_FromAnotherAddress_IsABadRequest()
    {
        await StartAsync("listeners: { public: { address: \"http://127.0.0.1:0\", proxyProtocol: [10.0.0.0/8] } }");
        using var raw = await _gateway!.ConnectAsync();
        await raw.SendAsync("PROXY TCP4 192.0.2.7 192.0.2.1 56324 443\r\nGET /service HTTP/1.1\r\nHost: t\r\n\r\n");
        Assert.Equal(400, (await raw.ReadResponseAsync()).Status);
    }

    [Fact]
    public async Task SlowHead_BeyondItsTime_Is408AndClosed()
    {
        await StartAsync("listeners: { public: { address: \"http://127.0.0.1:0\", limits: { headTimeout: 1s } } }");
        using var raw = await _gateway!.ConnectAsync();
        await raw.SendAsync("GET /ping HTTP/1.1\r\nHost: t\r\n");
        var response = await raw.ReadResponseAsync();
        Assert.Equal(408, response.Status);
        Assert.Contains("request-timeout", response.Body, StringComparison.Ordinal);
        Assert.Equal(-1, await raw.ReadByteAsync());
    }

    [Fact]
    public async Task IdleConnection_BeyondKeepAlive_IsClosed()
    {
        await StartAsync("listeners: { public: { address: \"http://127.0.0.1:0\", limits: { keepAlive: 1s } } }");
        using var raw = await _gateway!.ConnectAsync();
        Assert.Equal(200, (await raw.GetAsync("/ping")).Status);
        Assert.Equal(-1, await raw.ReadByteAsync());
    }

    [Fact]
    public async Task SlowBody_BelowTheRate_Is408()
    {
        await StartAsync("listeners: { public: { address: \"http://127.0.0.1:0\", limits: { minRequestRate: 1MiB } } }");
        using var raw = await _gateway!.ConnectAsync();
        await raw.SendAsync("POST /service HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\nhello");
        var response = await raw.ReadResponseAsync();
        Assert.Equal(408, response.Status);
        Assert.Contains("request-timeout", response.Body, StringComparison.Ordinal);
    }

    /// <summary>Idle connections are what a listener has most of when it is full.</summary>
    [Fact]
    public async Task Connection_BeyondTheLimit_TakesThePlaceOfTheOneThatIsIdleLongest()
    {
        await StartAsync("listeners: { public: { address: \"http://127.0.0.1:0\", limits: { connections: 3 } } }");
        var clients = new List<RawClient>();
        for (var i = 0; i < 3; i++)
        {
            clients.Add(await _gateway!.ConnectAsync());
            Assert.Equal(200, (await clients[i].GetAsync("/ping")).Status);
        }

        Assert.Equal(200, (await clients[0].GetAsync("/ping")).Status);
        using (var fourth = await _gateway!.ConnectAsync())
            Assert.Equal(200, (await fourth.GetAsync("/ping")).Status);
        Assert.Equal(-1, await clients[1].ReadByteAsync()); // its end, and no reset: it may have been about to ask
        Assert.Equal(200, (await clients[0].GetAsync("/ping")).Status);
        Assert.Equal(200, (await clients[2].GetAsync("/ping")).Status);
        clients.ForEach(c => c.Dispose());
    }

    [Theory]
    [InlineData("connections: 2", "the listener has reached its connection limit")]
    [InlineData("connectionsPerClient: 2", "the client has reached its connection limit")]
    public async Task Connections_BeyondTheLimit_WithoutAnIdleOne_AreClosed_AndToldInOneLine(string limit, string reason)
    {
        await StartAsync($"listeners: {{ public: {{ address: \"http://127.0.0.1:0\", limits: {{ {limit} }} }} }}");
        var busy = new List<RawClient>();
        for (var i = 0; i < 2; i++)
        {
            busy.Add(await _gateway!.ConnectAsync());
            await busy[i].SendAsync("POST /service HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n");
        }

        await Until.TrueAsync(() => _gateway!.Gateway.Services.Single().Instances.Single().RequestsInFlight == 2);
        var began = Stopwatch.StartNew();
        for (var i = 0; i < 5; i++)
        {
            try
            {
                using var next = await _gateway!.ConnectAsync();
                Assert.Equal("", await ReadUntilClosedAsync(next));
            }
            catch (SocketException)
            {
                // Closed before the client knew that it was open.
            }
        }

        var lines = _gateway!.Log.Count(l => l.Contains("was rejected: " + reason, StringComparison.Ordinal));
        Assert.InRange(lines, 1, 2 + (int)began.Elapsed.TotalSeconds); // one a second, however many there are
        busy.ForEach(c => c.Dispose());
        while (true)
        {
            try
            {
                using var next = await _gateway.ConnectAsync();
                await next.SendAsync("GET /ping HTTP/1.1\r\nHost: t\r\n\r\n");
                if ((await ReadUntilClosedOrAnsweredAsync(next)).Contains("200 OK", StringComparison.Ordinal))
                    break;
            }
            catch (Exception e) when (e is SocketException or IOException)
            {
                // Not yet.
            }
        }
    }

    private static async Task<string> ReadUntilClosedAsync(RawClient client)
    {
        try
        {
            return await client.ReadToEndAsync();
        }
        catch (IOException)
        {
            return "";
        }
    }

    private static async Task<string> ReadUntilClosedOrAnsweredAsync(RawClient client)
    {
        try
        {
            return await client.ReadLineAsync() ?? "";
        }
        catch (IOException)
        {
            return "";
        }
    }

    private static string Of(string[] hosts, (string Path, string Key) files) =>
        $"{{ {(hosts.Length == 0 ? "" : $"hosts: [{string.Join(", ", hosts.Select(h => $"\"{h}\""))}], ")}path: \"{files.Path}\", keyPath: \"{files.Key}\" }}";

    internal static X509Certificate2 Authority(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        return request.CreateSelfSigned(DateTimeOffset.UnixEpoch.AddYears(50), DateTimeOffset.UnixEpoch.AddYears(80));
    }

    internal static X509Certificate2 Issue(string name, X509Certificate2 authority)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        using var issued = request.Create(authority, authority.NotBefore, authority.NotAfter, RandomNumberGenerator.GetBytes(8));
        return issued.CopyWithPrivateKey(key);
    }

    private (string Path, string Key) Certificate(string file, string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UnixEpoch.AddYears(50), DateTimeOffset.UnixEpoch.AddYears(80));
        return (
            _folder.Write(file + ".pem", certificate.ExportCertificatePem()),
            _folder.Write(file + ".key", key.ExportPkcs8PrivateKeyPem())
        );
    }

    private HttpClient SecureClient(X509Certificate2? certificate = null) =>
        new(
            new SocketsHttpHandler
            {
                SslOptions = new SslClientAuthenticationOptions
                {
                    RemoteCertificateValidationCallback = (_, _, _, _) => true,
                    LocalCertificateSelectionCallback = certificate is null ? null : (_, _, _, _, _) => certificate,
                },
            }
        )
        {
            BaseAddress = _gateway!.Address,
        };

    private async Task<(string Certificate, SslProtocols Version)> HandshakeAsync(
        string serverName,
        SslProtocols version = SslProtocols.None
    )
    {
        using var tcp = new TcpClient();
        await tcp.ConnectAsync(IPAddress.Loopback, _gateway!.Address.Port);
        await using var tls = new SslStream(tcp.GetStream());
        await tls.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = serverName,
                    EnabledSslProtocols = version,
                    RemoteCertificateValidationCallback = (_, _, _, _) => true,
                }
            )
            .InTimeAsync();
        await tls.WriteAsync(Encoding.ASCII.GetBytes("GET /ping HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"));
        using var reader = new StreamReader(tls);
        Assert.StartsWith("HTTP/1.1 200", await reader.ReadLineAsync().InTimeAsync(), StringComparison.Ordinal);
        return (tls.RemoteCertificate!.Subject, tls.SslProtocol);
    }

    private Task StartSecureAsync() =>
        StartAsync(
            $"listeners: {{ public: {{ address: \"https://127.0.0.1:0\", certificates: [{Of([], Certificate("api", "CN=api"))}] }} }}"
        );

    private async Task StartAsync(string listeners)
    {
        var service = await TestService.StartAsync(async c =>
        {
            await c.Request.Body.CopyToAsync(Stream.Null);
            await c.Response.WriteAsync(c.Request.Headers["X-Forwarded-For"].ToString());
        });
        _gateway = await InProcessGateway.StartAsync(
            $$"""
            {{listeners}}
            services: { s: "{{service.Address}}" }
            routes:
              ping: { match: "/ping", respond: { body: pong } }
              service: { match: "/service", forward: s }
            """
        );
    }
}
