using System.Diagnostics;
using System.Net;
using Lintel.FunctionalTests.Otlp;
using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary>Spans and metrics of the real program, as a receiver of OTLP gets them.</summary>
[AnyTransport]
public sealed class OtlpTests
{
    private const int SigTerm = 15;
    private const string Trace = "0af7651916cd43dd8448eb211c80319c";
    private const string Parent = "b7ad6b7169203331";

    [Theory]
    [InlineData("grpc")]
    [InlineData("http")]
    public async Task Request_ThatIsRecorded_HasASpanAndOneForEachAttempt(string protocol)
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        await using var service = await TestService.StartAsync();
        using var dead = new ClosedPort();
        var to = protocol == "grpc" ? receiver.GrpcAddress.Replace("http:", "grpc:", StringComparison.Ordinal) : receiver.HttpAddress;
        await using var gateway = await GatewayProcess.StartAsync(
            $$"""
            name: edge-1
            services:
              s: { instances: ["{{dead.Address}}", "{{service.Address}}"], balancing: roundRobin }
            routes: { s: { match: "/a/{id}", forward: s } }
            observability:
              tracing: { otlp: { endpoint: "{{to}}", protocol: {{protocol}}, headers: { X-Key: "s=e, c+r%t" }, every: 1s }, sample: 100% }
              metrics: { otlp: { endpoint: "{{to}}", protocol: {{protocol}}, every: 1s } }
            """
        );
        using var request = new HttpRequestMessage(HttpMethod.Get, "/a/1?secret=1");
        request.Headers.TryAddWithoutValidation("traceparent", $"00-{Trace}-{Parent}-01");
        request.Headers.TryAddWithoutValidation("tracestate", "a=1");
        using var response = await gateway.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);

        var spans = await Until.SeenAsync(() => receiver.Spans.Count >= 3 ? receiver.Spans.ToList() : null);
        Assert.Equal(3, spans.Count);
        Assert.All(spans, s => Assert.Equal(Trace, s.TraceId.Hex()));
        Assert.All(spans, s => Assert.Equal("a=1", s.TraceState));

        var server = Assert.Single(spans, s => s.Kind == SpanKind.Server);
        Assert.Equal("GET /a/{id}", server.Name);
        Assert.Equal(Parent, server.ParentSpanId.Hex());
        Assert.Equal(0, server.Status?.Code ?? 0);
        var attributes = server.Attributes.ToMap();
        Assert.Equal(
            ("GET", "/a/1", "http", "/a/{id}", 200L),
            (
                attributes["http.request.method"],
                attributes["url.path"],
                attributes["url.scheme"],
                attributes["http.route"],
                attributes["http.response.status_code"]
            )
        );
        Assert.Equal(
            ("1.1", "127.0.0.1", "127.0.0.1", (long)gateway.Address.Port, "s", "s"),
            (
                attributes["network.protocol.version"],
                attributes["client.address"],
                attributes["server.address"],
                attributes["server.port"],
                attributes["lintel.route"],
                attributes["lintel.service"]
            )
        );
        var retry = Assert.Single(server.Events);
        Assert.Equal("lintel.retry", retry.Name);
        Assert.Equal(
            (dead.Address, "connection-refused"),
            (retry.Attributes.ToMap()["lintel.instance"], retry.Attributes.ToMap()["error.type"])
        );

        var attempts = spans.Where(s => s.Kind == SpanKind.Client).ToList();
        Assert.All(attempts, s => Assert.Equal(server.SpanId, s.ParentSpanId));
        var failed = Assert.Single(attempts, s => s.Attributes.ToMap().ContainsKey("error.type"));
        Assert.Equal(2, failed.Status.Code);
        Assert.Equal("exception", Assert.Single(failed.Events).Name);
        Assert.DoesNotContain("http.response.status_code", failed.Attributes.ToMap());
        var second = Assert.Single(attempts, s => s != failed);
        var sent = second.Attributes.ToMap();
        Assert.Equal(
            (1L, 200L, service.Address + "/a/1", (long)service.Port),
            (sent["http.request.resend_count"], sent["http.response.status_code"], sent["url.full"], sent["server.port"])
        );
        Assert.Equal($"00-{Trace}-{second.SpanId.Hex()}-01", Assert.Single(service.Seen)["traceparent"]);
        Assert.DoesNotContain("secret", string.Join(' ', spans), StringComparison.Ordinal);

        Assert.Equal("edge-1", receiver.Resource["service.name"]);
        Assert.Contains("s=e, c+r%t", receiver.Keys);
        Assert.Contains(receiver.ContentTypes, t => t == (protocol == "grpc" ? "application/grpc" : "application/x-protobuf"));
        await MetricsHaveExemplarsAsync(receiver, server, second);
    }

    [Fact]
    public async Task Failure_OfARequest_IsAnErrorOfItsSpan()
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        await using var service = await TestService.StartAsync(c =>
        {
            c.Response.StatusCode = 503;
            return Task.CompletedTask;
        });
        using var dead = new ClosedPort();
        await using var gateway = await GatewayProcess.StartAsync(
            $$"""
            services: { s: "{{service.Address}}", dead: "{{dead.Address}}" }
            routes: { s: { match: /s, forward: s }, d: { match: /d, forward: dead } }
            observability: { tracing: { otlp: { endpoint: "{{receiver.GrpcAddress}}", every: 1s }, sample: 100% } }
            """
        );
        foreach (var path in (string[])["/s", "/d", "/nowhere"])
            (await gateway.Client.GetAsync(new Uri(path, UriKind.Relative))).Dispose();
        using var odd = new HttpRequestMessage(new HttpMethod("BREW"), "/s");
        (await gateway.Client.SendAsync(odd)).Dispose();

        var spans = await Until.SeenAsync(() => receiver.Spans.Count >= 7 ? receiver.Spans.ToList() : null);
        var own = Assert.Single(spans, s => s.Name == "GET /d");
        Assert.Equal(2, own.Status.Code);
        Assert.Equal(
            ("connection-refused", 502L),
            (own.Attributes.ToMap()["error.type"], own.Attributes.ToMap()["http.response.status_code"])
        );
        Assert.Equal("upstream", Assert.Single(own.Events, e => e.Name == "lintel.error").Attributes.ToMap()["lintel.error.source"]);
        var passed = Assert.Single(spans, s => s.Name == "GET /s");
        Assert.Equal((2, "503"), (passed.Status.Code, passed.Attributes.ToMap()["error.type"]));
        var missed = Assert.Single(spans, s => s.Name == "GET" && s.Kind == SpanKind.Server);
        Assert.Equal((0, "route-not-found"), (missed.Status?.Code ?? 0, missed.Attributes.ToMap()["error.type"]));
        var unknown = Assert.Single(spans, s => s.Name == "HTTP /s");
        Assert.Equal(
            ("_OTHER", "BREW"),
            (unknown.Attributes.ToMap()["http.request.method"], unknown.Attributes.ToMap()["http.request.method_original"])
        );
    }

    [Fact]
    public async Task Sampling_FollowsTheParentAndDrawsTheRest()
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        await using var service = await TestService.StartAsync();
        string Config(string sample, string parent) =>
            $$"""
                services: { s: "{{service.Address}}" }
                routes: { s: { match: "/{**p}", forward: s } }
                observability: { tracing: { otlp: { endpoint: "{{receiver.GrpcAddress}}", every: 1s }, sample: {{sample}}, parent: {{parent}} } }
                """;
        await using var gateway = await GatewayProcess.StartAsync(Config("0%", "trust"));
        await GetAsync("/none", null);
        await GetAsync("/unsampled", "00");
        await GetAsync("/sampled", "01");
        Assert.Equal("-00", service.Seen.Single(s => s.Target == "/none")["traceparent"]![^3..]);
        Assert.EndsWith("-00", service.Seen.Single(s => s.Target == "/unsampled")["traceparent"], StringComparison.Ordinal);
        Assert.EndsWith("-01", service.Seen.Single(s => s.Target == "/sampled")["traceparent"], StringComparison.Ordinal);
        await gateway.ReloadAsync(Config("100%", "trust"));
        await GetAsync("/unsampled-still", "00");
        await GetAsync("/drawn", null);
        await gateway.ReloadAsync(Config("100%", "ignore"));
        await GetAsync("/restarted", "00");

        var spans = await Until.SeenAsync(() =>
            receiver.Spans.Count(s => s.Kind == SpanKind.Server) >= 3 ? receiver.Spans.Where(s => s.Kind == SpanKind.Server).ToList() : null
        );
        Assert.Equal(["/sampled", "/drawn", "/restarted"], spans.Select(s => s.Attributes.ToMap()["url.path"]));
        Assert.Equal((Trace, Parent), (spans[0].TraceId.Hex(), spans[0].ParentSpanId.Hex()));
        Assert.Equal("", spans[1].ParentSpanId.Hex());
        Assert.Equal("", spans[2].ParentSpanId.Hex());
        Assert.NotEqual(Trace, spans[2].TraceId.Hex());
        Assert.Equal((Trace, Parent), (Assert.Single(spans[2].Links).TraceId.Hex(), spans[2].Links[0].SpanId.Hex()));
        Assert.StartsWith(
            $"00-{spans[1].TraceId.Hex()}-",
            service.Seen.Single(s => s.Target == "/drawn")["traceparent"],
            StringComparison.Ordinal
        );

        async Task GetAsync(string path, string? flags)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            if (flags is not null)
                request.Headers.TryAddWithoutValidation("traceparent", $"00-{Trace}-{Parent}-{flags}");
            (await gateway.Client.SendAsync(request)).Dispose();
        }
    }

    [Fact]
    public async Task Receiver_ThatIsGone_HurtsNobodyAndIsTold()
    {
        await using var service = await TestService.StartAsync();
        using var dead = new ClosedPort();
        string Config(string to) =>
            $$"""
                services: { s: "{{service.Address}}" }
                routes: { s: { match: "/{**p}", forward: s } }
                observability: { accessLog: { to: none }, tracing: { otlp: { endpoint: "{{to}}", every: 1s }, sample: 100% }, metrics: { otlp: { endpoint: "{{to}}", every: 1s } } }
                """;
        await using var gateway = await GatewayProcess.StartAsync(Config(dead.Address));
        // Of two spans each: more than fit into their queue.
        await Parallel.ForAsync(0, 1500, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (_, cancellation) =>
            (await gateway.Client.GetAsync(new Uri("/", UriKind.Relative), cancellation)).Dispose()
        );
        await Until.TrueAsync(() => gateway.Errors.Contains("Telemetry export failed", StringComparison.Ordinal));

        // A reload to a living one takes effect at once, and the dead one does not hold it up.
        await using var receiver = await OtlpReceiver.StartAsync();
        await gateway.ReloadAsync(Config(receiver.GrpcAddress));
        (await gateway.Client.GetAsync(new Uri("/after", UriKind.Relative))).Dispose();
        await Until.TrueAsync(() =>
            receiver.Spans.Any(s => s.Kind == SpanKind.Server && Equals(s.Attributes.ToMap()["url.path"], "/after"))
        );

        // At the end the dead one holds the process up no longer than it may.
        await gateway.ReloadAsync(Config(dead.Address));
        (await gateway.Client.GetAsync(new Uri("/last", UriKind.Relative))).Dispose();
        var started = Stopwatch.GetTimestamp();
        gateway.Signal(SigTerm);
        Assert.Equal(0, await gateway.ExitCodeAsync());
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(12));
    }

    [Fact]
    public async Task Prometheus_TurnedOffAndOnByReloads_AnswersAccordingly()
    {
        static string Config(bool prometheus) =>
            $$"""
                routes: { p: { match: /p, respond: { body: pong } } }
                observability: { accessLog: { to: none }, metrics: { prometheus: {{(prometheus ? "true" : "false")}} } }
                """;
        await using var gateway = await LocalProgram.StartAsync(Config(false));
        using var admin = new HttpClient { BaseAddress = gateway.Admin };
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync());
        await gateway.ReloadAsync(Config(true));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync());
        await gateway.ReloadAsync(Config(false));
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync());

        async Task<HttpStatusCode> StatusAsync()
        {
            using var response = await admin.GetAsync(new Uri("/metrics", UriKind.Relative));
            return response.StatusCode;
        }
    }

    private static async Task MetricsHaveExemplarsAsync(OtlpReceiver receiver, Span server, Span attempt)
    {
        var exemplar = await Until.SeenAsync(() =>
            receiver.Histogram("http.server.request.duration").SelectMany(p => p.Exemplars).FirstOrDefault()
        );
        Assert.Equal((Trace, server.SpanId), (exemplar.TraceId.Hex(), exemplar.SpanId));
        var attempts = receiver.Histogram("http.client.request.duration").ToList();
        Assert.Contains(attempts.SelectMany(p => p.Exemplars), e => e.SpanId == attempt.SpanId);
        Assert.Equal(
            ["connection-refused", null],
            attempts.Select(p => p.Attributes.ToMap().GetValueOrDefault("error.type")).Order().Reverse()
        );
        var gateway = Assert.Single(receiver.Histogram("lintel.gateway.duration"));
        Assert.Equal("/a/{id}", gateway.Attributes.ToMap()["http.route"]);
        Assert.Equal(0.00005, gateway.ExplicitBounds[0]);
        Assert.Equal(server.SpanId, Assert.Single(gateway.Exemplars).SpanId);
    }
}
