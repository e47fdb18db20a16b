using System.Buffers.Binary;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Lintel.FunctionalTests.Protocols;
using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary>Versions, suites and groups of listeners' TLS, and clients whose authority is no longer trusted.</summary>
[EveryTransport]
public sealed class TlsTests : IAsyncDisposable
{
    private static readonly byte[] HandshakeFailure = [21, 3, 3, 0, 2, 2, 40];

    private readonly ConfigFolder _folder = new();
    private readonly X509Certificate2 _authority = ListenerTests.Authority("CN=tests");
    private InProcessGateway? _gateway;

    public async ValueTask DisposeAsync()
    {
        if (_gateway is not null)
            await _gateway.DisposeAsync();
        _authority.Dispose();
        _folder.Dispose();
    }

    /// <summary>
    /// ffdhe8192 alone would cost 150 ms of a core; P-521, and what begins with another group than it would accept, is not asked for.
    /// </summary>
    [Theory]
    [InlineData("", new[] { 0x0104 }, new[] { 0x0104 }, true)]
    [InlineData("", new[] { 0x0104, 0x001d }, new[] { 0x0104 }, true)]
    [InlineData("", new[] { 0x0019 }, new[] { 0x0019 }, true)]
    [InlineData("groups: [p521],", new[] { 0x0019 }, new[] { 0x0019 }, false)]
    [InlineData("groups: [p384],", new[] { 0x001d, 0x0018 }, new[] { 0x001d }, true)]
    [InlineData("", new[] { 0x001d }, new[] { 0x001d }, false)]
    public async Task KeyExchange_OfAGroupThatIsNotAllowed_IsRefusedAtOnce(string tls, int[] groups, int[] shares, bool isRefused)
    {
        await StartAsync($"tls: {{ {tls} }}");
        using var client = await RawClient.ConnectAsync(_gateway!.Address);
        await client.SendAsync(Hello(groups, shares), CancellationToken.None);
        var first = new byte[HandshakeFailure.Length];
        for (var i = 0; i < first.Length; i++)
            first[i] = (byte)await client.ReadByteAsync();
        if (isRefused)
            Assert.Equal(HandshakeFailure, first);
        else
            Assert.NotEqual(HandshakeFailure, first);
        Assert.Equal(isRefused, _gateway.Log.Any(l => l.Contains("no allowed key exchange group", StringComparison.Ordinal)));
    }

    /// <summary>A resumed session costs a tenth of a full handshake; OpenSSL's client reports which one it was.</summary>
    [Fact]
    public async Task Session_OfATls13Client_IsResumed()
    {
        await StartAsync("");
        var session = _folder["session.pem"];
        Assert.Contains("New, TLSv1.3", await ConnectAsync("-sess_out"), StringComparison.Ordinal);
        Assert.Contains("Reused, TLSv1.3", await ConnectAsync("-sess_in"), StringComparison.Ordinal);

        async Task<string> ConnectAsync(string option)
        {
            var command =
                $"printf 'GET /ping HTTP/1.1\\r\\nHost: api\\r\\nConnection: close\\r\\n\\r\\n' | "
                + $"openssl s_client -ign_eof -connect 127.0.0.1:{_gateway!.Address.Port} -servername api {option} {session}";
            return (await Command.RunAsync("sh", "-c", command)).Output;
        }
    }

    [Theory]
    [InlineData("", TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, true)]
    [InlineData("", TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, true)]
    [InlineData("", TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, false)]
    [InlineData("", TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384, false)]
    [InlineData(
        "protocols: [http1], tls: { cipherSuites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256] }",
        TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
        true
    )]
    [InlineData(
        "protocols: [http1], tls: { cipherSuites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256] }",
        TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        false
    )]
    [InlineData("tls: { minVersion: 1.3 }", TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, false)]
    [InlineData("tls: { minVersion: 1.3 }", TlsCipherSuite.TLS_AES_256_GCM_SHA384, true)]
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    public async Task CipherSuite_OfAClientThatKnowsOne_IsTakenWhereItIsNamed(string tls, TlsCipherSuite suite, bool isTaken)
    {
        await StartAsync(tls);
        var isOf13 = (int)suite >> 8 == 0x13;
        try
        {
            await using var client = await SecureAsync(
                new SslClientAuthenticationOptions
                {
                    CipherSuitesPolicy = new CipherSuitesPolicy([suite]),
                    EnabledSslProtocols = isOf13 ? SslProtocols.Tls13 : SslProtocols.Tls12,
                }
            );
            Assert.True(isTaken);
            Assert.Equal(suite, client.NegotiatedCipherSuite);
            Assert.Equal("HTTP/1.1 200 OK", await GetAsync(client));
        }
        catch (Exception e) when (e is AuthenticationException or IOException)
        {
            Assert.False(isTaken, e.Message);
        }
    }

    /// <summary>Handshakes perform their expensive step on dedicated threads, and all of them complete.</summary>
    [Fact]
    public async Task Handshakes_ManyAtOnce_AreDone()
    {
        await StartAsync("");
        await Task.WhenAll(
            Enumerable
                .Range(0, 60)
                .Select(async _ =>
                {
                    await using var client = await SecureAsync(new SslClientAuthenticationOptions());
                    Assert.Equal("HTTP/1.1 200 OK", await GetAsync(client));
                    Assert.Equal("HTTP/1.1 200 OK", await GetAsync(client));
                })
        );
    }

    /// <summary>Connections of clients that were admitted by a removed authority end with their current request.</summary>
    [Fact]
    public async Task Authority_ThatIsNoLongerTrusted_EndsTheConnectionsThatAreThere()
    {
        using var kept = ListenerTests.Authority("CN=kept");
        using var gone = ListenerTests.Authority("CN=gone");
        using var ofGone = ListenerTests.Issue("CN=client", gone);
        var authorities = _folder.Write("authorities.pem", kept.ExportCertificatePem() + "\n" + gone.ExportCertificatePem());
        await StartAsync($"clientCertificates: {{ authorities: \"{authorities}\" }}");
        await using var client = await SecureAsync(
            new SslClientAuthenticationOptions { LocalCertificateSelectionCallback = (_, _, _, _, _) => ofGone }
        );
        Assert.Equal("HTTP/1.1 200 OK", await GetAsync(client));

        await File.WriteAllTextAsync(authorities, kept.ExportCertificatePem());
        var end = new byte[1];
        Assert.Equal(0, await client.ReadAsync(end).AsTask().InTimeAsync());
        await Assert.ThrowsAnyAsync<Exception>(async () =>
        {
            await using var again = await SecureAsync(
                new SslClientAuthenticationOptions { LocalCertificateSelectionCallback = (_, _, _, _, _) => ofGone }
            );
            Assert.NotEqual("HTTP/1.1 200 OK", await GetAsync(again));
            throw new IOException("closed");
        });
    }

    private async Task StartAsync(string settings)
    {
        using var certificate = ListenerTests.Issue("CN=api", _authority);
        var path = _folder.Write("api.pem", certificate.ExportCertificatePem());
        var key = _folder.Write("api.key", certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
        _gateway = await InProcessGateway.StartAsync(
            $$"""
            listeners: { public: { address: "https://127.0.0.1:0", certificates: [{ path: "{{path}}", keyPath: "{{key}}" }], {{settings}} } }
            routes: { ping: { match: /ping, respond: { body: pong } } }
            """
        );
    }

    private async Task<SslStream> SecureAsync(SslClientAuthenticationOptions options)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(_gateway!.Address.Host, _gateway.Address.Port);
        var tls = new SslStream(new NetworkStream(socket, ownsSocket: true));
        options.TargetHost = "api";
#pragma warning disable CA5359 // the certificate is the test's own
        options.RemoteCertificateValidationCallback = (_, _, _, _) => true;
#pragma warning restore CA5359
        try
        {
            await tls.AuthenticateAsClientAsync(options).InTimeAsync();
            return tls;
        }
        catch
        {
            await tls.DisposeAsync();
            throw;
        }
    }

    private static async Task<string> GetAsync(SslStream client)
    {
        await client.WriteAsync("GET /ping HTTP/1.1\r\nHost: t\r\n\r\n"u8.ToArray());
        var answer = new StringBuilder();
        var buffer = new byte[1024];
        while (
            !answer.ToString().EndsWith("pong", StringComparison.Ordinal)
            && await client.ReadAsync(buffer).AsTask().InTimeAsync() is not 0 and var count
        )
            answer.Append(Encoding.ASCII.GetString(buffer, 0, count));
        return answer.ToString().Split("\r\n")[0];
    }

    /// <summary>A ClientHello of TLS 1.3 with keys of the right size, which mean nothing.</summary>
    private static byte[] Hello(int[] groups, int[] shares)
    {
        var supported = groups.SelectMany(Two).ToArray();
        var keys = shares.SelectMany(g => (byte[])[.. Two(g), .. Two(Key(g).Length), .. Key(g)]).ToArray();
        byte[] extensions =
        [
            .. Extension(10, [.. Two(supported.Length), .. supported]),
            .. Extension(13, [0, 4, 4, 3, 8, 4]), // signatures: ECDSA and RSA-PSS with SHA-256
            .. Extension(43, [2, 3, 4]), // TLS 1.3
            .. Extension(51, [.. Two(keys.Length), .. keys]),
        ];
        byte[] body = [3, 3, .. RandomNumberGenerator.GetBytes(32), 0, 0, 2, 0x13, 1, 1, 0, .. Two(extensions.Length), .. extensions];
        return [22, 3, 1, .. Two(body.Length + 4), 1, 0, .. Two(body.Length), .. body];
    }

    private static byte[] Key(int group) =>
        group switch
        {
            0x17 or 0x18 or 0x19 => Point(
                group switch
                {
                    0x17 => ECCurve.NamedCurves.nistP256,
                    0x18 => ECCurve.NamedCurves.nistP384,
                    _ => ECCurve.NamedCurves.nistP521,
                }
            ),
            0x0104 => [.. Enumerable.Repeat((byte)2, 1024)],
            _ => RandomNumberGenerator.GetBytes(32),
        };

    private static byte[] Point(ECCurve curve)
    {
        using var key = ECDsa.Create(curve);
        var q = key.ExportParameters(false).Q;
        return [4, .. q.X!, .. q.Y!];
    }

    private static byte[] Extension(int type, byte[] content) => [.. Two(type), .. Two(content.Length), .. content];

    private static byte[] Two(int number)
    {
        var bytes = new byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(bytes, (ushort)number);
        return bytes;
    }
}
