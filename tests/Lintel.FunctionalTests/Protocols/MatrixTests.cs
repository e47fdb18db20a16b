using System.Globalization;
using System.Net;
using System.Text;
using Lintel.TestKit;

namespace Lintel.FunctionalTests.Protocols;

/// <summary>The features of HTTP, for each version on either side of the gateway.</summary>
[EveryTransport]
public sealed class MatrixTests(MatrixFixture fixture) : IClassFixture<MatrixFixture>
{
    private static readonly CancellationToken None = CancellationToken.None;

    public static TheoryData<string, string> Ways =>
        new()
        {
            { "h1", "h1" },
            { "h1", "h2" },
            { "h2", "h1" },
            { "h2", "h2" },
        };

    /// <summary>The client must be one that reads while it writes, which .NET's is over HTTP/2 only.</summary>
    [Theory]
    [InlineData("h2", "h1")]
    [InlineData("h2", "h2")]
    public async Task Pieces_OfBothBodies_PassAtOnce(string client, string service)
    {
        using var content = new PipedContent();
        using var response = await SendAsync(client, HttpMethod.Post, $"/{service}/echo", content);
        await using var body = await response.Content.ReadAsStreamAsync(None);
        var buffer = new byte[64];
        for (var i = 0; i < 5; i++)
        {
            // The next piece is sent when the previous one has been echoed: none may remain in a buffer.
            await content.WriteAsync("piece " + i);
            var count = await body.ReadAsync(buffer, None).AsTask().WaitAsync(GatewayProcess.Patience, None);
            Assert.Equal("piece " + i, Encoding.ASCII.GetString(buffer, 0, count));
        }

        content.Complete();
        Assert.Equal(0, await body.ReadAsync(buffer, None).AsTask().WaitAsync(GatewayProcess.Patience, None));
    }

    [Fact]
    public async Task Trailers_OfTheResponse_PassToHttp2()
    {
        using var server = new RawServer(
            (socket, _) =>
                socket.SendAsync(
                    (
                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n4\r\nbody\r\n0\r\nX-Sum: "u8
                        + "42\r\nConnection: close\r\n\r\n"u8
                    ).ToArray()
                )
        );
        await using var gateway = await LocalProgram.StartAsync(
            $$"""
            listeners: { public: { address: "http://127.0.0.1:0", protocols: [http2] } }
            services: { s: "{{server.Address}}" }
            routes: { s: { match: "/{**rest}", forward: s } }
            """
        );
        using var client = new HttpClient
        {
            BaseAddress = gateway.Address,
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        foreach (var (sender, path) in new[] { (client, "/"), (fixture.Client("h2"), "/h2/trailers") })
        {
            using var response = await sender.GetAsync(new Uri(path, UriKind.Relative), None);
            Assert.Equal("body", await response.Content.ReadAsStringAsync(None));
            Assert.Equal("X-Sum", response.Headers.GetValues("Trailer").Single());
            Assert.Equal("x-sum: 42", response.TrailingHeaders.ToString().Trim(), ignoreCase: true);
        }
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task EmptyAnswers_StayEmpty(string client, string service)
    {
        using var head = await SendAsync(client, HttpMethod.Head, $"/{service}/head", null);
        Assert.Equal(12345, head.Content.Headers.ContentLength);
        Assert.Empty(await head.Content.ReadAsByteArrayAsync(None));
        foreach (var status in new[] { 204, 205, 304 })
        {
            using var empty = await SendAsync(client, HttpMethod.Get, $"/{service}/empty?status={status}", null);
            Assert.Equal(status, (int)empty.StatusCode);
            Assert.Equal("\"e\"", empty.Headers.ETag!.Tag);
            Assert.Empty(await empty.Content.ReadAsByteArrayAsync(None));
        }
    }

    [Theory]
    [InlineData("h2", "h1", "early")]
    [InlineData("h2", "h1", "early-length")]
    [InlineData("h2", "h2", "early")]
    [InlineData("h2", "h2", "early-length")]
    public async Task EarlyAnswer_WhileTheUploadGoesOn_ComesWhole(string client, string service, string path)
    {
        using var content = new PipedContent();
        await content.WriteAsync("first");
        using var response = await SendAsync(client, HttpMethod.Post, $"/{service}/{path}", content);
        Assert.Equal("early", await response.Content.ReadAsStringAsync(None).WaitAsync(GatewayProcess.Patience, None));
        content.Complete();
        using var next = await fixture.Client(client).GetAsync(new Uri($"/{service}/expects", UriKind.Relative), None);
        Assert.Equal(HttpStatusCode.OK, next.StatusCode);
    }

    [Theory]
    [InlineData("h1")]
    [InlineData("h2")]
    public async Task EarlyAnswer_ToARawUpload_IsWholeAndNobodysFailure(string service)
    {
        using var client = await RawClient.ConnectAsync(fixture.Gateway.Address);
        await client.SendAsync($"POST /{service}/early HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n12345");
        var response = await client.ReadResponseAsync();
        Assert.True(response.IsWhole);
        Assert.Equal("early", response.Body);
    }

    [Theory]
    [InlineData("h1")]
    [InlineData("h2")]
    public async Task Pieces_OfARawClient_PassAtOnceBothWays(string service)
    {
        using var client = await RawClient.ConnectAsync(fixture.Gateway.Address);
        await client.SendAsync($"POST /{service}/echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        Assert.Equal("HTTP/1.1 200 OK", (await client.ReadHeadAsync())[0]);
        for (var i = 0; i < 5; i++)
        {
            await client.SendAsync($"3\r\np {i}\r\n");
            Assert.Equal($"3\r\np {i}\r\n", await client.ReadAsync(8));
        }

        await client.SendAsync("0\r\n\r\n");
        Assert.Equal("0\r\n\r\n", await client.ReadAsync(5));
        Assert.Equal(200, (await client.GetAsync($"/{service}/expects")).Status); // the connection lives on
    }

    [Fact]
    public async Task EarlyRefusal_OfAServiceThatThenCloses_ReachesTheClient()
    {
        // A service that refuses a large upload and closes: the client gets its answer and no 502.
        using var server = new RawServer(
            async (socket, _) =>
            {
                await socket.SendAsync("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig"u8.ToArray());
                socket.Shutdown(System.Net.Sockets.SocketShutdown.Send);
                for (var left = 64; left > 0 && await socket.ReceiveAsync(new byte[64 * 1024]) > 0; left--)
                {
                    // a little of the body, then the connection is closed
                }
            }
        );
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: "{{server.Address}}" }
            routes: { s: { match: "/{**rest}", forward: s } }
            """
        );
        using var client = await gateway.ConnectAsync();
        var sending = client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n" + new string('x', 1_000_000));
        var response = await client.ReadResponseAsync();
        await sending;
        Assert.Equal(413, response.Status);
        Assert.Equal("big", response.Body);
        // What a busy machine does to an event loop is no failure of the request.
        Assert.DoesNotContain(gateway.Log, l =>
            (l.StartsWith("Warning", StringComparison.Ordinal) || l.StartsWith("Error", StringComparison.Ordinal))
            && !l.Contains("Event loop", StringComparison.Ordinal)
        );
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Expectation_IsMetByTheService(string client, string service)
    {
        using var content = new CountedContent("body");
        using var request = Request(client, HttpMethod.Post, $"/{service}/expects", content);
        request.Headers.ExpectContinue = true;
        using var response = await fixture.Client(client).SendAsync(request, None);
        Assert.Equal("100-continue|body", await response.Content.ReadAsStringAsync(None));
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Expectation_ThatTheServiceRefuses_CostsNoBody(string client, string service)
    {
        using var content = new CountedContent(new string('x', 2000));
        using var request = Request(client, HttpMethod.Post, $"/{service}/refuse", content);
        request.Headers.ExpectContinue = true;
        using var response = await fixture.Client(client).SendAsync(request, None);
        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Equal("no", await response.Content.ReadAsStringAsync(None));
        Assert.False(content.WasAskedFor);
    }

    [Fact]
    public async Task Expectation_BeforeARefusal_GetsNoContinue()
    {
        using var client = await RawClient.ConnectAsync(fixture.Gateway.Address);
        await client.SendAsync("PUT /h1/refuse HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2000\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 401 ", (await client.ReadHeadAsync())[0], StringComparison.Ordinal);

        using var other = await RawClient.ConnectAsync(fixture.Gateway.Address);
        await other.SendAsync("PUT /h1/expects HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
        Assert.Equal("HTTP/1.1 100 Continue", (await other.ReadHeadAsync())[0]);
        await other.SendAsync("hello");
        Assert.EndsWith("|hello", (await other.ReadResponseAsync()).Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(
        "206 Partial Content\r\nContent-Type: multipart/byteranges; boundary=B\r\nContent-Length: 98",
        "--B\r\nContent-Range: bytes 0-0/9\r\n\r\na\r\n--B\r\nContent-Range: bytes 8-8/9\r\n\r\ni\r\n--B--\r\nan epilogue!.."
    )]
    [InlineData("206 Partial Content\r\nContent-Range: bytes 1-3/9\r\nContent-Length: 3", "bcd")]
    public async Task Ranges_PassAsTheyAre(string head, string body)
    {
        using var server = new RawServer(
            (socket, request) =>
                socket.SendAsync(
                    Encoding.ASCII.GetBytes(
                        request.Contains("Range: bytes=0-0,8-8\r\n", StringComparison.Ordinal)
                            ? $"HTTP/1.1 {head.Replace("98", body.Length.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)}\r\n\r\n{body}"
                            : "HTTP/1.1 400 Bad Request\r\n\r\n"
                    )
                )
        );
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: "{{server.Address}}" }
            routes: { s: { match: "/{**rest}", forward: s } }
            """
        );
        using var client = await gateway.ConnectAsync();
        var response = await client.GetAsync("/", "Range: bytes=0-0,8-8\r\n");
        Assert.Equal(206, response.Status);
        Assert.Equal(body, response.Body);
        Assert.NotNull(response["Content-Range"] ?? response["Content-Type"]);
    }

    private static HttpRequestMessage Request(string version, HttpMethod method, string path, HttpContent? content) =>
        new(method, path)
        {
            Version = version == "h2" ? HttpVersion.Version20 : HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = content,
        };

    private async Task<HttpResponseMessage> SendAsync(string version, HttpMethod method, string path, HttpContent? content)
    {
        var request = Request(version, method, path, content); // not disposed: its body may go on after the head
        request.Headers.TE.Add(new("trailers"));
        return await fixture
            .Client(version)
            .SendAsync(request, HttpCompletionOption.ResponseHeadersRead, None)
            .WaitAsync(TimeSpan.FromSeconds(30), None);
    }

    /// <summary>A body that the test writes piece by piece.</summary>
    private sealed class PipedContent : HttpContent
    {
        private readonly System.Threading.Channels.Channel<string> _pieces = System.Threading.Channels.Channel.CreateUnbounded<string>();

        public ValueTask WriteAsync(string piece) => _pieces.Writer.WriteAsync(piece);

        public void Complete() => _pieces.Writer.TryComplete();

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.FlushAsync();
            await foreach (var piece in _pieces.Reader.ReadAllAsync())
            {
                await stream.WriteAsync(Encoding.ASCII.GetBytes(piece));
                await stream.FlushAsync();
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }

        protected override void Dispose(bool disposing)
        {
            Complete();
            base.Dispose(disposing);
        }
    }

    private sealed class CountedContent(string text) : HttpContent
    {
        public bool WasAskedFor { get; private set; }

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            WasAskedFor = true;
            return stream.WriteAsync(Encoding.ASCII.GetBytes(text)).AsTask();
        }

        protected override bool TryComputeLength(out long length)
        {
            length = text.Length;
            return true;
        }
    }
}
