using System.Globalization;
using System.Net;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Lintel.Control.Status;
using Lintel.TestKit;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Lintel.FunctionalTests;

/// <summary>The access log of the program, in a file beside its configuration.</summary>
[EveryTransport]
public sealed class AccessLogTests
{
    private const int SigHup = 1;
    private const int SigTerm = 15;

    private static readonly CancellationToken None = CancellationToken.None;

    private static string Config(TestService service, string accessLog) =>
        $$"""
            services: { s: "{{service.Address}}", dead: "http://127.0.0.1:1" }
            routes:
              dead: { match: "/dead", forward: dead }
              pong: { match: "/pong", respond: { body: pong } }
              s: { match: "/{**rest}", forward: s }
            observability: { accessLog: {{accessLog}} }
            """;

    private static string LogOf(RunningProgram gateway) => Path.Combine(gateway.Folder, "access.log");

    /// <summary>
    /// The client is gone, but the status in log and metrics is the error's, not the initial 200 of a response.
    /// </summary>
    [Fact]
    [AnyTransport]
    public async Task Status_OfAnErrorThatTheClientDidNotStayFor_IsTheErrors()
    {
        using var folder = new ConfigFolder();
        await using (
            var app = await InProcessGateway.StartInApplicationAsync(
                $"observability: {{ accessLog: {{ to: \"{folder["access.log"]}\" }} }}",
                a =>
                {
                    a.Use(
                        async (context, next) =>
                        {
                            var left = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                            context.RequestAborted.Register(left.SetResult);
                            context.Abort(); // as if it left just now; Kestrel tells it from another thread
                            await left.Task.InTimeAsync();
                            await next(context);
                        }
                    );
                    a.MapLintel();
                }
            )
        )
        {
            await Assert.ThrowsAsync<HttpRequestException>(() => app.Client.GetAsync(new Uri("/nowhere", UriKind.Relative), None));
        }

        using var line = JsonDocument.Parse(await File.ReadAllTextAsync(folder["access.log"], None));
        Assert.Equal(404, line.RootElement.GetProperty("status").GetInt32());
        Assert.Equal("route-not-found", line.RootElement.GetProperty("error").GetString());
        Assert.Equal(0, line.RootElement.GetProperty("responseBytes").GetInt64());
    }

    [Fact]
    public async Task Bytes_OfEveryKindOfExchange_AreThoseOfTheBodies()
    {
        await using var service = await TestService.StartAsync(async c =>
        {
            switch (c.Request.Path.Value)
            {
                case "/fixed":
                    c.Response.ContentLength = 100_000;
                    await c.Response.Body.WriteAsync(new byte[HttpMethods.IsHead(c.Request.Method) ? 0 : 100_000]);
                    break;
                case "/chunked":
                    for (var i = 0; i < 10; i++)
                    {
                        await c.Response.Body.WriteAsync(new byte[12_345]);
                        await c.Response.Body.FlushAsync();
                    }

                    break;
                case "/not-modified":
                    c.Response.StatusCode = 304;
                    c.Response.Headers.ETag = "\"a\"";
                    break;
                case "/upload":
                    await c.Request.Body.CopyToAsync(Stream.Null);
                    await c.Response.WriteAsync("thanks");
                    break;
                case "/none":
                    c.Response.StatusCode = 204;
                    break;
            }
        });
        await using var gateway = await LocalProgram.StartAsync(Config(service, "{ to: access.log }"));
        await Send(HttpMethod.Get, "/fixed");
        await Send(HttpMethod.Head, "/fixed");
        await Send(HttpMethod.Get, "/chunked");
        await Send(HttpMethod.Get, "/not-modified");
        await Send(HttpMethod.Get, "/none");
        await Send(HttpMethod.Post, "/upload", new ByteArrayContent(new byte[200_000]));
        await Send(HttpMethod.Post, "/upload", new Chunked(new byte[54_321]));
        await Send(HttpMethod.Get, "/pong");
        await Send(HttpMethod.Head, "/pong");
        var problem = await Send(HttpMethod.Get, "/dead");

        var lines = await Lines(gateway, 10);
        Assert.Equal(
            [
                ("GET /fixed", 0L, 100_000L),
                ("HEAD /fixed", 0, 0),
                ("GET /chunked", 0, 123_450),
                ("GET /not-modified", 0, 0),
                ("GET /none", 0, 0),
                ("POST /upload", 200_000, 6),
                ("POST /upload", 54_321, 6),
                ("GET /pong", 0, 4),
                ("HEAD /pong", 0, 0),
                ("GET /dead", 0, problem),
            ],
            lines.Select(l => ($"{Text(l, "method")} {Text(l, "path")}", Number(l, "requestBytes"), Number(l, "responseBytes")))
        );
        Assert.All(lines, l =>
            Assert.Equal(
                l.GetProperty("durationMs").GetDouble(),
                l.GetProperty("gatewayMs").GetDouble() + (l.TryGetProperty("upstreamMs", out var up) ? up.GetDouble() : 0),
                0.002
            )
        );

        async Task<int> Send(HttpMethod method, string path, HttpContent? body = null)
        {
            using var request = new HttpRequestMessage(method, path) { Content = body };
            using var response = await gateway.Client.SendAsync(request, None);
            return (await response.Content.ReadAsByteArrayAsync(None)).Length;
        }
    }

    [Fact]
    public async Task Download_ThatTheClientAborts_CountsWhatItGot()
    {
        var gone = new TaskCompletionSource();
        await using var service = await TestService.StartAsync(async c =>
        {
            await c.Response.Body.WriteAsync(new byte[50_000]);
            await c.Response.Body.FlushAsync();
            c.RequestAborted.Register(gone.SetResult);
            await gone.Task;
        });
        await using var gateway = await LocalProgram.StartAsync(Config(service, "{ to: access.log }"));
        using (var client = await RawClient.ConnectAsync(gateway.Address))
        {
            await client.SendAsync("GET /big HTTP/1.1\r\nHost: test\r\n\r\n");
            await client.ReadHeadAsync();
            await client.ReadAsync(50_000);
        }

        var line = (await Lines(gateway, 1)).Single();
        Assert.Equal((499L, "client-aborted", 50_000L), (Number(line, "status"), Text(line, "error"), Number(line, "responseBytes")));
    }

    [Fact]
    public async Task WebSocket_WhenItEnds_CountsItsFramesBothWays()
    {
        await using var service = await TestService.StartAsync(async c =>
        {
            using var socket = await c.WebSockets.AcceptWebSocketAsync();
            var buffer = new byte[1000];
            while (await socket.ReceiveAsync(buffer, None) is { MessageType: not WebSocketMessageType.Close } message)
                await socket.SendAsync(buffer.AsMemory(0, message.Count), message.MessageType, message.EndOfMessage, None);
            await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, None);
        });
        await using var gateway = await LocalProgram.StartAsync(Config(service, "{ to: access.log }"));
        using (var client = new ClientWebSocket())
        {
            await client.ConnectAsync(new UriBuilder(gateway.Address) { Scheme = "ws", Path = "/socket" }.Uri, None);
            await client.SendAsync("hello"u8.ToArray(), WebSocketMessageType.Text, true, None);
            await client.ReceiveAsync(new byte[100], None);
            await client.CloseAsync(WebSocketCloseStatus.NormalClosure, null, None);
        }

        // RFC 6455 section 5.2: two bytes of head, four of mask from the client; a close frame has two bytes of status.
        var line = (await Lines(gateway, 1)).Single();
        Assert.Equal(
            (101L, 2L + 4 + 5 + 2 + 4 + 2, 2L + 5 + 2 + 2),
            (Number(line, "status"), Number(line, "requestBytes"), Number(line, "responseBytes"))
        );
    }

    [Fact]
    [AnyTransport]
    public async Task File_MovedAway_IsReopenedOnHangupAtOnceAndByItselfSoon()
    {
        await using var service = await TestService.StartAsync();
        await using var gateway = await LocalProgram.StartAsync(Config(service, "{ format: { template: \"{path}\" }, to: access.log }"));
        var log = LogOf(gateway);
        await Get(gateway, "/one");
        await Written(log, "/one\n");

        File.Move(log, log + ".1");
        var before = gateway.Outcomes();
        gateway.Signal(SigHup);
        await Until.TrueAsync(() => gateway.Outcomes() > before);
        await Get(gateway, "/two");
        await Written(log, "/two\n");
        Assert.Equal("/one\n", await File.ReadAllTextAsync(log + ".1", None));

        // No signal this time: lines may go to the old file for a second, then to a new one. None is lost.
        File.Move(log, log + ".2");
        var sent = new StringBuilder("/two\n");
        for (var i = 0; !File.Exists(log); i++)
        {
            await Get(gateway, $"/{i}");
            sent.Append(CultureInfo.InvariantCulture, $"/{i}\n");
            Assert.True(i < 100_000, "the file did not come back");
        }

        await Until.TrueAsync(() => Read(log + ".2") + Read(log) == sent.ToString());
        Assert.Equal(0, await DroppedAsync(gateway));
    }

    [Fact]
    [AnyTransport]
    public async Task Rotation_BySizeUnderLoad_LosesNoLineAndKeepsWhatItShould()
    {
        await using var service = await TestService.StartAsync();
        await using var gateway = await LocalProgram.StartAsync(
            Config(service, "{ format: { template: \"{path} {userAgent}\" }, to: access.log, rotate: { size: 64KiB, keep: 100 } }")
        );
        gateway.Client.DefaultRequestHeaders.Add("User-Agent", new string('x', 300));
        await Parallel.ForAsync(0, 2000, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (i, _) =>
            await Get(gateway, $"/pong?{i}")
        );
        string[] Files() => Directory.GetFiles(gateway.Folder, "access.log*");
        await Until.TrueAsync(() => Files().Sum(f => Read(f).Count(c => c == '\n')) == 2000);
        Assert.InRange(Files().Length, 9, 15); // 2 000 lines of some 307 bytes
        Assert.All(Files(), f => Assert.InRange(new FileInfo(f).Length, 1, 64 * 1024));
    }

    [Fact]
    [AnyTransport]
    public async Task Sample_OfNothing_KeepsErrors()
    {
        await using var service = await TestService.StartAsync(c =>
        {
            c.Response.StatusCode = int.Parse(c.Request.Path.Value![1..], CultureInfo.InvariantCulture);
            return Task.CompletedTask;
        });
        await using var gateway = await LocalProgram.StartAsync(
            Config(service, "{ format: { template: \"{path} {status} {error}\" }, to: access.log, sample: 0% }")
        );
        foreach (var path in new[] { "/200", "/404", "/499", "/500", "/pong", "/dead", "/503", "/200" })
            await Get(gateway, path);
        gateway.Signal(SigTerm);
        Assert.Equal(0, await gateway.ExitCodeAsync());
        Assert.Equal("/500 500 -\n/dead 502 connection-refused\n/503 503 -\n", Read(LogOf(gateway)));
    }

    [Theory]
    [InlineData("format: json, headers: [Authorization, Cookie, X-Api-Key, Referer, X-Partner]")]
    [InlineData("format: text")]
    [InlineData(
        "format: { template: '{target} {query} \"{userAgent}\" {header:Authorization} {header:cookie} {header:X-Api-Key} "
            + "{header:Referer} {header:X-Partner}' }"
    )]
    [AnyTransport]
    public async Task Line_OfARequestFullOfSecrets_HoldsNone(string settings)
    {
        await using var service = await TestService.StartAsync();
        await using var gateway = await LocalProgram.StartAsync(
            Config(service, "{ " + settings + ", to: access.log, redact: { headers: [x-partner], query: [invite] } }")
        );
        using (var client = await RawClient.ConnectAsync(gateway.Address))
        {
            string[] queries =
            [
                "token=SECRET",
                "a=1&%41ccess_Token=SECRET",
                "t%256fken=SECRET",
                "a;key=SECRET",
                "next=%2Fcb%3Fcode%3DSECRET",
                "user[password]=SECRET",
                "INVITE=SECRET",
                "q={%22secret%22:%22SECRET%22}",
            ];
            foreach (var query in queries)
            {
                var response = await client.GetAsync(
                    "/a?" + query,
                    "Authorization: Bearer SECRET\r\nCookie: session=SECRET\r\nX-API-Key: SECRET\r\nReferer: "
                        + "https://a.example/?token=SECRET\r\nX-Partner: SECRET\r\nUser-Agent: curl\r\n"
                );
                Assert.Equal(200, response.Status);
            }

            await Until.TrueAsync(() => Read(LogOf(gateway)).Count(c => c == '\n') == queries.Length);
            Assert.All(service.Seen, seen => Assert.Contains("SECRET", seen.Target, StringComparison.Ordinal)); // the service got them all
        }

        Assert.DoesNotContain("SECRET", Read(LogOf(gateway)), StringComparison.Ordinal);
        Assert.Contains("=REDACTED", Read(LogOf(gateway)), StringComparison.Ordinal);
    }

    [Fact]
    [AnyTransport]
    public async Task Reload_OfFormatAndFile_LosesNoLine()
    {
        await using var service = await TestService.StartAsync();
        string With(string format, string file) => Config(service, $"{{ format: {format}, to: {file} }}");
        await using var gateway = await LocalProgram.StartAsync(With("text", "a.log"));
        using var stop = new CancellationTokenSource();
        var sent = 0;
        var load = Enumerable
            .Range(0, 4)
            .Select(_ =>
                Task.Run(async () =>
                {
                    while (!stop.IsCancellationRequested)
                    {
                        await Get(gateway, "/pong");
                        Interlocked.Increment(ref sent);
                    }
                })
            )
            .ToList();
        await Reload("json", "a.log", log => log.Contains("\n{", StringComparison.Ordinal));
        await Reload("json", "b.log", log => log.Length > 0);
        await Reload("{ template: \"{status}\" }", "b.log", log => log.Contains("\n200", StringComparison.Ordinal));
        await stop.CancelAsync();
        await Task.WhenAll(load);
        gateway.Signal(SigTerm);
        Assert.Equal(0, await gateway.ExitCodeAsync());

        var a = File.ReadAllLines(Path.Combine(gateway.Folder, "a.log"));
        var b = File.ReadAllLines(Path.Combine(gateway.Folder, "b.log"));
        Assert.Equal(sent, a.Length + b.Length);
        Assert.All(b, l => Assert.True(l == "200" || l.StartsWith('{'), l));
        Assert.True(a.SkipWhile(l => !l.StartsWith('{')).All(l => l.StartsWith('{')), "the formats are mixed");
        Assert.Contains("200", b);

        async Task Reload(string format, string file, Func<string, bool> isLive)
        {
            await File.WriteAllTextAsync(gateway.ConfigFile, GatewayProcess.WithPorts(With(format, file)), None);
            gateway.Signal(SigHup);
            await Until.TrueAsync(() => isLive(Read(Path.Combine(gateway.Folder, file))));
        }
    }

    [Fact]
    [AnyTransport]
    public async Task Disk_ThatIsFull_CostsLinesAndNoRequest()
    {
        Assert.SkipUnless(File.Exists("/dev/full"), "needs /dev/full");
        await using var service = await TestService.StartAsync();
        await using var gateway = await LocalProgram.StartAsync(Config(service, "{ to: /dev/full }"));
        for (var i = 0; i < 20; i++)
            await Get(gateway, "/pong");
        await WaitForDropped(gateway, 20);
        Assert.Contains("The access log cannot be written", gateway.Errors, StringComparison.Ordinal);

        // What was lost stays counted when another log takes over.
        await gateway.ReloadAsync(Config(service, "{ to: access.log }"));
        await Get(gateway, "/pong");
        await Lines(gateway, 1);
        Assert.Equal(20, await DroppedAsync(gateway));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [AnyTransport]
    public async Task Stdout_ThatNobodyReadsOrThatIsClosed_CostsLinesAndNoRequest(bool isClosed)
    {
        await using var gateway = await GatewayProcess.StartAsync(
            "routes: { pong: { match: \"/{**rest}\", respond: { body: pong } } }",
            settings: new ProcessSettings { ReadsOutput = false }
        );
        if (isClosed)
            gateway.CloseOutput();

        // 64 KiB in the pipe, a batch in the writer's hands, 8 Mi characters in the queue: beyond that lines are lost. Where nobody reads
        // all are.
        var requests = isClosed ? 100 : 700;
        gateway.Client.DefaultRequestHeaders.Add("User-Agent", new string('x', 24_000));
        await Parallel.ForAsync(0, requests, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (i, _) =>
            Assert.Equal("pong", await gateway.Client.GetStringAsync(new Uri("/a", UriKind.Relative), None))
        );
        await Until.TrueAsync(async () => await DroppedAsync(gateway) >= (isClosed ? requests : 200));
        Assert.InRange(await DroppedAsync(gateway), isClosed ? requests : 200, requests);

        // Nor does it keep the process from stopping.
        gateway.Signal(SigTerm);
        Assert.Equal(0, await gateway.ExitCodeAsync());
    }

    [Fact]
    [AnyTransport]
    public async Task ErrorLog_OfAServiceThatIsDown_SaysItOnceAndCountsTheRest()
    {
        await using var service = await TestService.StartAsync();
        await using var gateway = await LocalProgram.StartAsync(Config(service, "{ to: none }"));
        for (var i = 0; i < 30; i++)
            await Get(gateway, "/dead");
        gateway.Signal(SigTerm);
        Assert.Equal(0, await gateway.ExitCodeAsync());
        var lines = gateway.Errors.Split('\n').Where(l => l.Contains("connection-refused", StringComparison.Ordinal)).ToList();
        Assert.InRange(lines.Count, 2, 4);
        Assert.Matches(
            @"connection-refused \[[0-9a-f]{12}\]: route dead, service dead, instance http://127\.0\.0\.1:1, trace [0-9a-f]{32}: Connection refused$",
            lines[0]
        );
        Assert.Equal(
            30,
            lines.Sum(l =>
                System.Text.RegularExpressions.Regex.Match(l, @"\((\d+) times since the last line\)$") is { Success: true } times
                    ? int.Parse(times.Groups[1].Value, CultureInfo.InvariantCulture)
                    : 1
            )
        );
    }

    [Fact]
    public async Task Errors_OfAGateway_AreTheClientsCount()
    {
        await using var gateway = await InProcessGateway.StartAsync(
            "services: { dead: \"http://127.0.0.1:1\" }\nroutes: { dead: { match: /dead, forward: dead } }"
        );
        for (var i = 0; i < 5; i++)
            (await gateway.Client.GetAsync(new Uri("/dead", UriKind.Relative), None)).Dispose();
        for (var i = 0; i < 3; i++)
            (await gateway.Client.GetAsync(new Uri("/nowhere", UriKind.Relative), None)).Dispose();
        await Until.TrueAsync(() => gateway.Gateway.Errors.Sum(e => e.Count) == 8);
        Assert.Equal(
            [("connection-refused", "dead", "http://127.0.0.1:1", 5L), ("route-not-found", null, null, 3L)],
            gateway.Gateway.Errors.OrderBy(e => e.Error, StringComparer.Ordinal).Select(e => (e.Error, e.Route, e.Instance, e.Count))
        );
    }

    private static async Task Get(RunningProgram gateway, string path) =>
        (await gateway.Client.GetAsync(new Uri(path, UriKind.Relative), None)).Dispose();

    private static async Task Written(string file, string text) => await Until.SeenAsync(() => Read(file) == text ? text : null);

    private static string Read(string file)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (FileNotFoundException)
        {
            return "";
        }
    }

    /// <summary>The log's lines, when there are so many.</summary>
    private static async Task<List<JsonElement>> Lines(RunningProgram gateway, int count)
    {
        var text = await Until.SeenAsync(() => Read(LogOf(gateway)) is var log && log.Count(c => c == '\n') >= count ? log : null);
        var lines = text.TrimEnd('\n').Split('\n').Select(l => JsonDocument.Parse(l).RootElement).ToList();
        Assert.Equal(count, lines.Count);
        return lines;
    }

    private static string? Text(JsonElement line, string name) => line.GetProperty(name).GetString();

    private static long Number(JsonElement line, string name) => line.GetProperty(name).GetInt64();

    private static Task WaitForDropped(RunningProgram gateway, int count) =>
        Until.TrueAsync(async () => await DroppedAsync(gateway) == count);

    private static async Task<int> DroppedAsync(RunningProgram gateway)
    {
        using var client = new HttpClient { BaseAddress = gateway.Admin };
        return Dropped(await client.GetStringAsync(new Uri("/metrics", UriKind.Relative), None));
    }

    private static int Dropped(string metrics) =>
        int.Parse(
            metrics.Split('\n').Single(l => l.StartsWith("lintel_access_log_dropped_total", StringComparison.Ordinal)).Split(' ')[1],
            CultureInfo.InvariantCulture
        );

    /// <summary>A body whose length the client does not tell.</summary>
    private sealed class Chunked(byte[] body) : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => stream.WriteAsync(body).AsTask();

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
