using System.Net;
using System.Net.Sockets;
using System.Text;
using Lintel.Carriers;
using Lintel.Config;
using Lintel.Errors;
using Lintel.Services.Connections;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Lintel.Tests.Services.Connections;

/// <summary>
/// What a connection to an HTTP/1.1 instance adds to SocketsHttpHandler: over real sockets, against a server whose every byte the test
/// decides.
/// </summary>
public sealed class Http1StreamTests : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly UpstreamClient _client = new(
        new UpstreamClientConfig(
            ServiceProtocol.Http1,
            new ServiceTlsConfig(),
            UsesTls: false,
            TimeSpan.FromSeconds(5),
            new ConnectionsConfig(),
            ""
        ),
        ServiceCertificates.None,
        "s",
        TestMetrics.Dependencies()
    );
    private readonly CancellationTokenSource _patience = new(TimeSpan.FromSeconds(30));

    public Http1StreamTests() => _listener.Start();

    private string Address => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/";

    public void Dispose()
    {
        _listener.Dispose();
        _client.Dispose();
        _patience.Dispose();
    }

    [Theory]
    [InlineData(
        "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLink: </b.js>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "103 Link=</a.css>; rel=preload Link=</b.js>"
    )]
    [InlineData("HTTP/1.1 103 Early Hints\nLink: x\n\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "103 Link=x")]
    [InlineData(
        "HTTP/1.1 103 A\r\nLink: 1\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 B\r\nbad name: 2\r\nLink: 3\r\n\r\nHTTP/1.1 "
            + "200 OK\r\nContent-Length: 2\r\n\r\nok",
        "103 Link=1;102;103 Link=3"
    )]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "")]
    public async Task InterimResponses_AreToldInOrder_HoweverTheyAreCut(string answer, string told)
    {
        for (var piece = 1; piece <= 64; piece *= 2)
        {
            var seen = new List<string>();
            var serving = ServeAsync(
                async (socket, _) =>
                {
                    for (var at = 0; at < answer.Length; at += piece)
                        await socket.SendAsync(
                            Encoding.ASCII.GetBytes(answer.Substring(at, Math.Min(piece, answer.Length - at))),
                            _patience.Token
                        );
                }
            );
            using var request = new HttpRequestMessage(HttpMethod.Get, Address);
            request.Headers.ConnectionClose = true;
            Http1Exchange.Current.Value = new Http1Exchange(
                (status, fields) =>
                {
                    seen.Add(
                        string.Join(
                            ' ',
                            [
                                status.ToString(System.Globalization.CultureInfo.InvariantCulture),
                                .. fields.Select(f => $"{f.Key}={f.Value}"),
                            ]
                        )
                    );
                    return default;
                }
            );
            using var response = await _client.Invoker.SendAsync(request, _patience.Token);
            Http1Exchange.Current.Value = null;
            Assert.Equal("ok", await response.Content.ReadAsStringAsync(_patience.Token));
            Assert.Equal(told, string.Join(';', seen));
            await serving;
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData(200_000L)]
    public async Task Body_OfAnyFraming_ArrivesWhole_AndTheConnectionIsUsedAgain(long? length)
    {
        var heads = new List<string>();
        var serving = ServeAsync(
            async (socket, head) =>
            {
                for (var request = 0; request < 3; request++)
                {
                    if (request > 0)
                        head = await ReadHeadAsync(socket);
                    heads.Add(head);
                    var body = length is { } bytes ? await ReadAsync(socket, (int)bytes) : await ReadChunksAsync(socket);
                    await socket.SendAsync(
                        Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n{body}"),
                        _patience.Token
                    );
                }
            }
        );
        for (var i = 0; i < 3; i++)
        {
            var text = new string((char)('a' + i), 200_000);
            using var request = new HttpRequestMessage(HttpMethod.Post, Address)
            {
                Content = new StreamContent(new Unseekable(Encoding.ASCII.GetBytes(text))),
            };
            request.Content.Headers.ContentLength = length;
            using var response = await _client.Invoker.SendAsync(request, _patience.Token);
            Assert.Equal(text, await response.Content.ReadAsStringAsync(_patience.Token));
            Assert.Null(response.Headers.ConnectionClose);
        }

        await serving;
        Assert.All(heads, h =>
            Assert.Contains(length is null ? "Transfer-Encoding: chunked" : "Content-Length: 200000", h, StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task Response_ThatOvertakesTheLastWritesCompletion_LeavesTheConnectionOpen()
    {
        const string Answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        var inner = new AnswersBeforeTheWriteReturns(Encoding.ASCII.GetBytes(Answer));
        await using var stream = new Http1Stream(inner);
        Http1Exchange.Current.Value = new Http1Exchange(null) { StreamsBody = true };
        await stream.WriteAsync("POST / HTTP/1.1\r\n\r\n"u8.ToArray(), _patience.Token);
        Http1Exchange.Current.Value = null;

        var sending = stream.EndBodyAsync("body"u8.ToArray(), _patience.Token).AsTask();
        await stream.WatchAsync();
        await sending;

        var buffer = new byte[1024];
        Assert.Equal(Answer, Encoding.ASCII.GetString(buffer, 0, await stream.ReadAsync(buffer, _patience.Token)));
    }

    [Theory]
    [InlineData("HTTP/1.1 413 Large\r\nContent-Length: 2\r\n\r\nno")]
    [InlineData("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 413 Large\r\nContent-Length: 2\r\n\r\nno")]
    public async Task Response_BeforeTheBodysEnd_ComesAtOnce_AndEndsTheConnection(string answer)
    {
        var serving = ServeAsync(
            async (socket, _) =>
            {
                await socket.SendAsync(Encoding.ASCII.GetBytes(answer), _patience.Token);
                await ReadToEndAsync(socket);
            }
        );
        using var body = new Endless();
        using var request = new HttpRequestMessage(HttpMethod.Post, Address) { Content = new StreamContent(body) };
        using var response = await _client.Invoker.SendAsync(request, _patience.Token);
        Assert.Equal(413, (int)response.StatusCode);
        Assert.True(response.Headers.ConnectionClose);
        Assert.Equal("no", await response.Content.ReadAsStringAsync(_patience.Token));
        await serving; // the connection was closed, though the body has no end
    }

    [Fact]
    public async Task Connection_ThatEndsInsteadOfAnswering_IsAFailure()
    {
        var serving = ServeAsync((_, _) => Task.CompletedTask);
        using var body = new Endless();
        using var request = new HttpRequestMessage(HttpMethod.Post, Address) { Content = new StreamContent(body) };
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => _client.Invoker.SendAsync(request, _patience.Token));
        await serving;
    }

    [Fact]
    public async Task EarlyHints_ThroughTheGateway_ReachAClientThatCanHaveThem()
    {
        var serving = ServeAsync(
            async (socket, _) =>
                await socket.SendAsync(
                    (
                        "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nX-Gone: 1\r\nX-Hop: 1\r\nConnection: "u8
                        + "X-Hop\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"u8
                    ).ToArray(),
                    _patience.Token
                )
        );
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddLintel(
            new GatewayConfig
            {
                Services = new() { ["s"] = new ServiceConfig { Instances = [new InstanceConfig { Address = new Uri(Address) }] } },
                Routes = new()
                {
                    ["s"] = new RouteConfig
                    {
                        Match = new MatchConfig { Paths = ["/{**rest}"] },
                        Forward = new ForwardConfig { Service = "s" },
                        Transform = new TransformConfig { Response = new ResponseTransformConfig { RemoveHeaders = ["X-Gone"] } },
                    },
                },
            }
        );
        await using var application = builder.Build();
        var hints = new Hints();
        application.Use(
            (context, next) =>
            {
                context.Features.Set<IInformationalResponseFeature>(hints);
                return next(context);
            }
        );
        application.MapLintel();
        await application.StartAsync(_patience.Token);
        using var client = new HttpClient();
        client.DefaultRequestHeaders.Add("Sec-Fetch-Mode", "navigate");
        Assert.Equal("ok", await client.GetStringAsync(new Uri(application.Urls.First()), _patience.Token));
        Assert.Equal("103 Link: </a.css>; rel=preload", hints.Seen.Single());
        await serving;
    }

    [Theory]
    [InlineData(100, "HTTP/1.1 100 Continue\r\n\r\n")]
    [InlineData(101, "HTTP/1.1 100 Continue\r\n\r\n")]
    [InlineData(101, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")]
    public async Task InterimResponses_BeyondAHundred_AreAProtocolError(int count, string interim)
    {
        var serving = ServeAsync(
            async (socket, _) =>
            {
                try
                {
                    await socket.SendAsync(
                        Encoding.ASCII.GetBytes(
                            string.Concat(Enumerable.Repeat(interim, count)) + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
                        ),
                        _patience.Token
                    );
                }
                catch (SocketException)
                {
                    // It was cut off.
                }
            }
        );
        using var request = new HttpRequestMessage(HttpMethod.Get, Address);
        Http1Exchange.Current.Value = new Http1Exchange(null);
        var answer = _client.Invoker.SendAsync(request, _patience.Token);
        if (count <= 100)
            Assert.Equal(HttpStatusCode.OK, (await answer).StatusCode);
        else
            Assert.Equal(
                GatewayErrorKind.ProtocolError,
                HandlerFailures.KindOf(
                    await Assert.ThrowsAnyAsync<HttpRequestException>(() => answer),
                    AttemptPhase.AwaitingHead,
                    expired: null
                )
            );
        await serving;
    }

    private async Task ServeAsync(Func<Socket, string, Task> serve)
    {
        using var socket = await _listener.AcceptSocketAsync(_patience.Token);
        await serve(socket, await ReadHeadAsync(socket));
    }

    private async Task<string> ReadHeadAsync(Socket socket)
    {
        var head = "";
        while (!head.EndsWith("\r\n\r\n", StringComparison.Ordinal))
            head += await ReadAsync(socket, 1);
        return head;
    }

    private async Task<string> ReadChunksAsync(Socket socket)
    {
        var body = new StringBuilder();
        while (true)
        {
            var line = "";
            while (!line.EndsWith("\r\n", StringComparison.Ordinal))
                line += await ReadAsync(socket, 1);
            var size = Convert.ToInt32(line.Trim(), 16);
            body.Append(await ReadAsync(socket, size));
            Assert.Equal("\r\n", await ReadAsync(socket, 2));
            if (size == 0)
                return body.ToString();
        }
    }

    private async Task<string> ReadAsync(Socket socket, int count)
    {
        var bytes = new byte[count];
        for (var at = 0; at < count; )
        {
            var got = await socket.ReceiveAsync(bytes.AsMemory(at), _patience.Token);
            Assert.NotEqual(0, got);
            at += got;
        }

        return Encoding.ASCII.GetString(bytes);
    }

    private async Task ReadToEndAsync(Socket socket)
    {
        try
        {
            while (await socket.ReceiveAsync(new byte[64 * 1024], _patience.Token) > 0)
            {
                // whatever comes
            }
        }
        catch (SocketException)
        {
            // reset: an end too
        }
    }

    private sealed class Hints : IInformationalResponseFeature
    {
        public List<string> Seen { get; } = [];

        public ValueTask SendAsync(int status, IHeaderDictionary headers)
        {
            Seen.Add(status + " " + string.Join(' ', headers.Select(h => $"{h.Key}: {h.Value}")));
            return default;
        }
    }

    /// <summary>A stream whose length nobody can ask for.</summary>
    private sealed class Unseekable(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;
    }

    /// <summary>A body that gives its first bytes and then waits.</summary>
    private sealed class Endless : MemoryStream
    {
        private bool _hasBegun;

        public override bool CanSeek => false;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_hasBegun)
                await Task.Delay(Timeout.Infinite, cancellationToken);
            _hasBegun = true;
            buffer.Span[..10].Fill((byte)'x');
            return 10;
        }

        public override Task CopyToAsync(Stream destination, int bufferSize, CancellationToken cancellationToken) =>
            PourAsync(destination, cancellationToken);

        private async Task PourAsync(Stream destination, CancellationToken cancellationToken)
        {
            var buffer = new byte[10];
            while (true)
                await destination.WriteAsync(buffer.AsMemory(0, await ReadAsync(buffer, cancellationToken)), cancellationToken);
        }
    }

    /// <summary>A connection whose service has answered before the write that completes the request returns.</summary>
    private sealed class AnswersBeforeTheWriteReturns(byte[] answer) : SequentialStream
    {
        private readonly TaskCompletionSource _read = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _writes;

        public override bool CanRead => true;

        public override bool CanWrite => true;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            answer.CopyTo(buffer);
            _read.SetResult();
            return new(answer.Length);
        }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (++_writes > 1)
                await _read.Task;
        }

        public override void Flush() { }

        public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
