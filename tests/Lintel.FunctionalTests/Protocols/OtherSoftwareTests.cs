using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Lintel.TestKit;

namespace Lintel.FunctionalTests.Protocols;

/// <summary>Node with <c>ws</c>, curl, h2load and Chromium, through the gateway.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
[EveryTransport]
public sealed class OtherSoftwareTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    private static readonly CancellationToken None = CancellationToken.None;

    /// <summary>What a browser needs of either transport, other tests show.</summary>
    [Fact]
    [AnyTransport]
    public async Task Chromium_SeesFetchEventsSocketAndGrpcWeb()
    {
        var (code, output, errors) = await Command.RunAsync(
            "node",
            Path.Combine(Command.NodeFolder, "browser.mjs"),
            "/usr/bin/chromium",
            fixture.Gateway.Address.ToString().TrimEnd('/')
        );
        Assert.True(code == 0, errors);
        using var seen = JsonDocument.Parse(output);
        string Seen(string path) =>
            path.Split('.')
                .Aggregate(seen.RootElement, (e, name) => e.GetProperty(name))
                .GetRawText()
                .Replace("\n", "", StringComparison.Ordinal)
                .Replace(" ", "", StringComparison.Ordinal);
        Assert.Equal("""{"status":200,"via":"lintel","bytes":300000,"encoding":"length"}""", Seen("fetch"));
        Assert.Equal("""["open","1","2","3"]""", Seen("events"));
        Assert.Equal("""["chat.v1","permessage-deflate","one","two",1000]""", Seen("socket"));
        // Say answers {text, data of 3 bytes}: a message of 2 + 11 + 2 + 3 bytes, then its trailers.
        Assert.Equal("""{"type":"application/grpc-web","header":null,"frames":[18,["end:here","grpc-status:0"]]}""", Seen("unary"));
        Assert.Equal("""{"type":"application/grpc-web-text","header":null,"frames":[0,2,2,["grpc-status:0"]]}""", Seen("stream"));
        Assert.Equal("""{"type":"application/grpc-web","header":"12","frames":[]}""", Seen("unknown"));
    }

    [Fact]
    public async Task Node_EventsComeOneByOne_AndAClientThatLeavesIsNoticed()
    {
        var client = fixture.Gateway.Client;
        async Task<string> Get(string path) => await client.GetStringAsync(new Uri("/app/" + path, UriKind.Relative), None);
        var before = int.Parse(await Get("closed"), System.Globalization.CultureInfo.InvariantCulture);
        using (
            var response = await client.GetAsync(
                new Uri("/app/events?test", UriKind.Relative),
                HttpCompletionOption.ResponseHeadersRead,
                None
            )
        )
        using (var reader = new StreamReader(await response.Content.ReadAsStreamAsync(None)))
        {
            for (var i = 1; i <= 3; i++)
            {
                Assert.Equal("sent", await Get("next?test"));
                Assert.Equal(
                    [$"id: {i}", "event: tick", $"data: {i}", ""],
                    new[]
                    {
                        await reader.ReadLineAsync(None),
                        await reader.ReadLineAsync(None),
                        await reader.ReadLineAsync(None),
                        await reader.ReadLineAsync(None),
                    }
                );
            }
        }

        await Until.TrueAsync(async () => int.Parse(await Get("closed"), System.Globalization.CultureInfo.InvariantCulture) > before);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Node_WebSocket_TalksOverBothVersions(bool http2)
    {
        using var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol("chat.v1");
        socket.Options.DangerousDeflateOptions = new WebSocketDeflateOptions();
        socket.Options.HttpVersion = new Version(http2 ? 2 : 1, http2 ? 0 : 1);
        socket.Options.HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact;
        using var invoker = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        await socket.ConnectAsync(new Uri($"ws://{fixture.Gateway.AddressOf(http2 ? "h2" : "public").Authority}/app/ws"), invoker, None);
        Assert.Equal("chat.v1", socket.SubProtocol);
        var message = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 500_000).Select(i => (char)('a' + (i % 26)))));
        var sending = socket.SendAsync(message, WebSocketMessageType.Text, true, None);
        var received = new MemoryStream();
        var buffer = new byte[64 * 1024];
        ValueWebSocketReceiveResult got;
        do
        {
            got = await socket.ReceiveAsync(buffer.AsMemory(), None).AsTask().WaitAsync(GatewayProcess.Patience, None);
            received.Write(buffer, 0, got.Count);
        } while (!got.EndOfMessage);
        await sending;
        Assert.Equal(message, received.ToArray());
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "bye", None);
    }

    [Theory]
    [InlineData("--http1.1", "public", "1.1")]
    [InlineData("--http2-prior-knowledge", "h2", "2")]
    public async Task Curl_Uploads_OfKnownAndUnknownLength(string option, string listener, string version)
    {
        var file = Path.GetTempFileName();
        await File.WriteAllBytesAsync(file, new byte[3_000_000], None);
        var address = new Uri(fixture.Gateway.AddressOf(listener), "/app/upload").ToString();
        // Node's server refuses more than 1 MB where it is asked first. Over HTTP/2 curl does not wait for what it expects, and 7.88 loses
        // an answer before the end.
        var refused =
            version == "2" ? (version + " 413", "too large") : await Curl(option, "-T", file, "-H", "Expect: 100-continue", address);
        var sent = await Curl(option, "-T", file, "-H", "Expect:", address);
        var small = await Curl(
            option,
            "-H",
            "Expect: 100-continue",
            "--data-binary",
            "@" + Path.Combine(Command.NodeFolder, "package.json"),
            address
        );
        var streamed = await Curl(option, "-T", file, "-H", "Expect:", "-H", "Transfer-Encoding: chunked", address);
        File.Delete(file);
        Assert.Equal((version + " 413", "too large"), refused);
        Assert.Equal((version + " 200", """{"bytes":3000000,"encoding":"length"}"""), (sent.Status, sent.Body));
        Assert.Equal(
            (
                version + " 200",
                $$"""{"bytes":{{new FileInfo(Path.Combine(Command.NodeFolder, "package.json")).Length}},"encoding":"length"}"""
            ),
            (small.Status, small.Body)
        );
        Assert.Equal(version + " 200", streamed.Status);
        Assert.StartsWith("""{"bytes":3000000,""", streamed.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Curl_SeesTrailersOverHttp2()
    {
        var (_, output, errors) = await Command.RunAsync(
            "curl",
            "-sS",
            "-v",
            "--http2-prior-knowledge",
            "-H",
            "TE: trailers",
            new Uri(fixture.Gateway.AddressOf("h2"), "/app/trailers").ToString()
        );
        Assert.Equal("body", output);
        Assert.Contains("x-sum: 42", errors, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("h2", "/app/page")]
    [InlineData("h2", "/ping")]
    [InlineData("public", "/app/page")]
    public async Task H2load_AThousandRequests_AllSucceed(string listener, string path)
    {
        var (code, output, errors) = await Command.RunAsync(
            "h2load",
            [
                .. listener == "h2" ? Array.Empty<string>() : ["--h1"],
                "-n",
                "1000",
                "-c",
                "10",
                "-m",
                "20",
                new Uri(fixture.Gateway.AddressOf(listener), path).ToString(),
            ]
        );
        Assert.True(code == 0, errors);
        Assert.Contains(
            "requests: 1000 total, 1000 started, 1000 done, 1000 succeeded, 0 failed, 0 errored, 0 timeout",
            output,
            StringComparison.Ordinal
        );
        Assert.Contains("status codes: 1000 2xx, 0 3xx, 0 4xx, 0 5xx", output, StringComparison.Ordinal);
    }

    private static async Task<(string Status, string Body)> Curl(params string[] arguments)
    {
        var (_, output, errors) = await Command.RunAsync(
            "curl",
            ["-sS", "--max-time", "30", "-w", "\n%{http_version} %{http_code}", .. arguments]
        );
        Assert.Equal("", Regex.Replace(errors, "curl: \\(55\\).*", "")); // 55: sending stopped, because the answer was there already
        var at = output.LastIndexOf('\n');
        return (output[(at + 1)..], output[..at]);
    }
}
