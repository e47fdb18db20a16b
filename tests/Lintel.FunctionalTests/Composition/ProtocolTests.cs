using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Lintel.TestKit;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Lintel.FunctionalTests.Composition;

/// <summary>Calls over HTTP/2, over TLS, and over connections that a server ends.</summary>
[EveryTransport]
public sealed class ProtocolTests
{
    [Fact]
    public async Task Http2Service_IsCalledLikeAnyOther()
    {
        await using var one = await Backend.StartAsync();
        await using var two = await Backend.StartAsync(l => l.Protocols = HttpProtocols.Http2);
        await ExpectWholeAsync(one, two, $"b: {{ instances: [\"{two.Address}\"], protocol: http2 }}");
        Assert.All(two.Seen, r => Assert.Equal("HTTP/2", r.Protocol));
    }

    [Fact]
    public async Task Http2Client_ThatResetsItsStream_CancelsAllCalls_AndKeepsItsOtherStreams()
    {
        await using var backend = await Backend.StartAsync();
        var (one, two) = (backend.Hold("one"), backend.Hold("two"));
        backend.On("plain", "1");
        await using var gateway = await ComposedGateway.StartYamlAsync(
            $$"""
            listeners: { public: { address: "http://127.0.0.1:0", protocols: [http2] } }
            services: { s: "{{backend.Address}}" }
            routes: { c: { match: /c, compose: { calls: { one: s/one, two: s/two } } }, plain: { match: /plain, forward: s } }
            """
        );
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false })
        {
            BaseAddress = gateway.Process.Address,
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        using var leaving = new CancellationTokenSource();
        var composed = client.GetAsync("/c", leaving.Token);
        await Task.WhenAll(one.Arrived, two.Arrived);
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => composed);
        await Task.WhenAll(one.Aborted, two.Aborted);
        await Until.TrueAsync(() => gateway.Busy == 0);
        Assert.Equal("1", await client.GetStringAsync("/plain"));
    }

    [Fact]
    public async Task ServiceBehindTls_IsCalledLikeAnyOther()
    {
        using var folder = new ConfigFolder();
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(System.Net.IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.MaxValue);
        var authorities = folder.Write("ca.pem", certificate.ExportCertificatePem());
        await using var one = await Backend.StartAsync();
        await using var two = await Backend.StartAsync(l => l.UseHttps(certificate));
        await ExpectWholeAsync(one, two, $"b: {{ instances: [\"{two.Address}\"], tls: {{ authorities: \"{authorities}\" }} }}");
    }

    /// <summary>Answers, dependents, cut-offs and caps over both kinds of service, whose calls end on different threads.</summary>
    private static async Task ExpectWholeAsync(Backend one, Backend two, string service)
    {
        var held = two.Hold("slow");
        one.On("x", """{"id":5}""").On("bad", 500, "");
        two.On("y", """{"y": 1.50}""")
            .On("post", async context => await context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(await Backend.BodyOf(context))))
            .On("large", "\"" + new string('x', 100_000) + "\"");
        await using var gateway = await ComposedGateway.StartYamlAsync(
            $$"""
            services: { a: "{{one.Address}}", {{service}} }
            routes:
              all: { match: /all, compose: { calls: { x: a/x, y: "b/y/{x.id}", post: { request: POST b/post, body: { from: y.y } } } } }
              cut: { match: /cut, compose: { calls: { slow: b/slow, bad: "a/bad" } } }
              time: { match: /time, compose: { calls: { slow: { request: b/slow, timeout: 150ms, optional: true } } } }
              large: { match: /large, compose: { limits: { call: 64KiB }, calls: { large: { request: b/large, optional: true } } } }
            """
        );
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => gateway.GetAsync("/all")));
        Assert.All(answers, a => Assert.Equal((200, """{"x":{"id":5},"y":{"y": 1.50},"post":{"from":1.50}}"""), (a.Status, a.Body)));
        one.On("bad", async context =>
        {
            await held.Arrived;
            context.Response.StatusCode = 500;
        });
        var cut = await gateway.GetAsync("/cut");
        Assert.Equal((502, "slow;canceled"), (cut.Status, cut.Of("slow")));
        await held.Aborted;
        Assert.Contains("err=response-timeout", (await gateway.GetAsync("/time")).Of("slow"), StringComparison.Ordinal);
        Assert.Contains("err=answer-too-large", (await gateway.GetAsync("/large")).Of("large"), StringComparison.Ordinal);
        Assert.Equal(200, (await gateway.GetAsync("/all")).Status);
        Assert.Equal(0, gateway.Busy);
    }

    [Theory]
    [InlineData("GET", 200)]
    [InlineData("POST", 502)]
    public async Task KeptConnection_ThatTheServerEndsUnderARequest_IsTriedAgainOnlyWhereThatIsSafe(string method, int status)
    {
        var requests = 0;
        var isEnding = false;
        using var server = new RawServer(
            async (socket, head) =>
            {
                while (true)
                {
                    Interlocked.Increment(ref requests);
                    await SendAsync(socket);
                    var buffer = new byte[64 * 1024];
                    if (await socket.ReceiveAsync(buffer) == 0)
                        return;
                    if (Volatile.Read(ref isEnding))
                    {
                        Interlocked.Increment(ref requests);
                        Volatile.Write(ref isEnding, false);
                        return; // the request was read, and nobody answers it
                    }
                }
            }
        );
        await using var gateway = await ComposedGateway.StartAsync("/c/{id}", $"calls: {{ x: {method} a/x }}", [server.Address]);
        Assert.Equal(200, (await gateway.GetAsync()).Status);
        Volatile.Write(ref isEnding, true);
        var answer = await gateway.GetAsync();
        Assert.Equal(status, answer.Status);
        Assert.Equal(status == 200 ? 3 : 2, requests);
    }

    private static async Task SendAsync(Socket socket) =>
        await socket.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"u8.ToArray());
}
