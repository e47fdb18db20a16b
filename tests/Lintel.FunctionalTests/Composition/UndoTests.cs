using System.Net;
using Lintel.TestKit;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Lintel.FunctionalTests.Composition;

/// <summary>
/// All writes that a composition made, or may have made, are compensated when it fails: in every order of a write, a failure and the
/// client's disconnect.
/// </summary>
[EveryTransport]
public sealed class UndoTests
{
    /// <summary>
    /// A write that the test holds, and a read that ends only by cancellation: its end shows that the composition has failed.
    /// </summary>
    private const string Racing = """
        deadline: 20s
        calls:
          write: { request: POST a/write, compensate: "DELETE a/undo/{write.id}" }
          slow: a/slow
          bad: { request: a/bad, optional: true }
        """;

    [Theory]
    [InlineData("http1")]
    [InlineData("http2")]
    public async Task WriteUnderWay_WhenAnotherCallFails_IsAwaited_AndUndone(string protocol)
    {
        await using var backend = await Backend.StartAsync(l =>
            l.Protocols = protocol == "http2" ? HttpProtocols.Http2 : HttpProtocols.Http1
        );
        var (write, slow, bad) = (backend.Hold("write", """{"id":3}"""), backend.Hold("slow"), backend.Hold("bad", "", 500));
        backend.On("undo", 204, "");
        await using var gateway = await StartAsync(backend, Racing.Replace(", optional: true", "", StringComparison.Ordinal), protocol);
        var asked = gateway.GetAsync("/c");
        await Task.WhenAll(write.Arrived, slow.Arrived, bad.Arrived);
        bad.Release();
        await slow.Aborted;
        Assert.Equal(0, backend.Count("undo"));
        write.Release();
        var answer = await asked;
        Assert.Equal(502, answer.Status);
        Assert.Matches("^write;s=200;d=[0-9]+;compensated$", answer.Of("write"));
        Assert.Equal("the call `bad` failed; compensated: `write`", (string?)answer.Json["detail"]);
        Assert.Equal("/undo/3", backend.SeenOnce("undo").Target);
    }

    [Theory]
    [InlineData("http1", "http1")]
    [InlineData("http1", "http2")]
    [InlineData("http2", "http1")]
    public async Task WriteUnderWay_WhenTheClientLeaves_IsAwaited_AndUndone(string client, string service)
    {
        await using var backend = await Backend.StartAsync(l =>
            l.Protocols = service == "http2" ? HttpProtocols.Http2 : HttpProtocols.Http1
        );
        var (write, slow) = (backend.Hold("write", """{"id":3}"""), backend.Hold("slow"));
        backend.On("undo", 204, "").On("bad", "1");
        await using var gateway = await StartAsync(backend, Racing, service);
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false, ConnectCallback = LeavingClient.ConnectAsync })
        {
            BaseAddress = gateway.Process.AddressOf(client == "http2" ? "two" : "public"),
            DefaultRequestVersion = client == "http2" ? HttpVersion.Version20 : HttpVersion.Version11,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        using var leaving = new CancellationTokenSource();
        var asked = http.GetAsync(new Uri("/c", UriKind.Relative), leaving.Token);
        await Task.WhenAll(write.Arrived, slow.Arrived);
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);
        await slow.Aborted;
        write.Release();
        await Until.TrueAsync(() => backend.Count("undo") == 1);
        Assert.Equal("/undo/3", backend.SeenOnce("undo").Target);
        await Until.TrueAsync(() => gateway.Busy == 0);
    }

    [Theory]
    [InlineData("timeout", 504, "err=response-timeout")]
    [InlineData("cut", 502, "err=connection-terminated")]
    [InlineData("half", 502, "err=response-incomplete")]
    [InlineData("502", 502, "s=502;err=call-failed")]
    [InlineData("504", 504, "s=504;err=call-timeout")]
    public async Task WriteWhoseOutcomeNobodyKnows_IsUndone_AndToldSo(string outcome, int status, string told)
    {
        await using var backend = await Backend.StartAsync();
        backend.On("undo", 204, "");
        using var service = new RawServer(
            async (socket, _) =>
            {
                var text = outcome switch
                {
                    "half" => "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
                    "502" or "504" => $"HTTP/1.1 {outcome} No\r\nContent-Length: 0\r\n\r\n",
                    _ => "",
                };
                await socket.SendAsync(System.Text.Encoding.ASCII.GetBytes(text));
                if (outcome == "timeout")
                    await socket.ReceiveAsync(new byte[1]); // until the gateway gives up
            }
        );
        await using var gateway = await ComposedGateway.StartAsync(
            "/c",
            """
            calls: { write: { request: POST a/write, timeout: 300ms, compensate: "DELETE b/undo/{header:X-Key}" } }
            """,
            [service.Address, backend.Address]
        );
        var answer = await gateway.GetAsync("/c", ("X-Key", "k1"));
        Assert.Equal(status, answer.Status);
        Assert.StartsWith("write;" + told, answer.Of("write"), StringComparison.Ordinal);
        Assert.EndsWith(";uncertain;compensated", answer.Of("write"), StringComparison.Ordinal);
        Assert.Equal("/undo/k1", backend.SeenOnce("undo").Target);
    }

    private static Task<ComposedGateway> StartAsync(Backend backend, string compose, string protocol = "http1") =>
        ComposedGateway.StartYamlAsync(
            $$"""
            listeners: { public: "http://127.0.0.1:0", two: { address: "http://127.0.0.1:0", protocols: [http2] } }
            services: { a: { instances: ["{{backend.Address}}"], protocol: {{protocol}} } }
            routes:
              c:
                match: /c
                compose:
            {{ComposedGateway.Indent(compose, 6)}}
            """
        );
}
