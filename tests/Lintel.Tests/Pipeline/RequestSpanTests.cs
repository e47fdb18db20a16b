using System.Diagnostics;
using Lintel.Errors;
using Lintel.Observability;
using Lintel.Pipeline;

namespace Lintel.Tests.Pipeline;

/// <summary>Which requests get a span, and its content. Runs alone, so that its listener receives no spans of other tests.</summary>
[Collection(nameof(RequestSpanTests))]
[CollectionDefinition(nameof(RequestSpanTests), DisableParallelization = true)]
public sealed class RequestSpanTests : IDisposable
{
    private const string Trace = "0af7651916cd43dd8448eb211c80319c";
    private const string Parent = "b7ad6b7169203331";
    private const string Routes = "services: { s: http://127.0.0.1:1 }\nroutes: { r: { match: \"/a/{id}\", forward: s } }\n";

    private readonly List<Activity> _started = [];
    private readonly ActivityListener _listener;
    private ActivitySamplingResult _result = ActivitySamplingResult.AllDataAndRecorded;

    public RequestSpanTests()
    {
        _listener = new ActivityListener
        {
            ShouldListenTo = s => s.Name == GatewayTelemetry.ActivitySourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => _result,
            ActivityStarted = _started.Add,
        };
    }

    public void Dispose()
    {
        _listener.Dispose();
        _started.ForEach(s => s.Dispose());
    }

    [Fact]
    public void Request_WithoutAListener_HasNoSpanAndKeepsItsTrace()
    {
        var exchange = Start("", "01");
        Assert.Null(exchange.Span);
        Assert.Equal((Trace, true, "a=1"), (exchange.TraceId, exchange.Trace.IsSampled, exchange.Trace.State));
    }

    [Theory]
    [InlineData("", "01", true)]
    [InlineData("", "00", true)] // the listener's own sampler decides
    [InlineData("", null, true)]
    [InlineData("sample: 0%", "01", true)]
    [InlineData("sample: 100%", "00", false)]
    [InlineData("sample: 0%", null, false)]
    [InlineData("sample: 100%", null, true)]
    [InlineData("sample: 0%, parent: ignore", "01", false)]
    [InlineData("sample: 100%, parent: ignore", "00", true)]
    public void Request_ByConfigurationAndParent_IsRecordedOrCostsNothing(string tracing, string? flags, bool recorded)
    {
        ActivitySource.AddActivityListener(_listener);
        var exchange = Start(tracing, flags);
        Assert.Equal(recorded, exchange.Span is not null);
        Assert.Equal(recorded ? 1 : 0, _started.Count);
        Assert.Equal(recorded || (flags == "01" && !tracing.Contains("ignore", StringComparison.Ordinal)), exchange.Trace.IsSampled);
        Assert.Equal(flags is not null && !tracing.Contains("ignore", StringComparison.Ordinal), exchange.TraceId == Trace);
        if (exchange.Span is not { } span)
            return;
        Assert.Equal(exchange.TraceId, span.TraceId.ToHexString());
        Assert.Equal(exchange.Trace.SpanId, span.SpanId);
        var isChild = exchange.TraceId == Trace;
        Assert.Equal(isChild ? Parent : "0000000000000000", span.ParentSpanId.ToHexString());
        Assert.Equal(isChild ? "a=1" : null, span.TraceStateString);
        Assert.Equal(isChild || flags is null ? 0 : 1, span.Links.Count());
    }

    [Fact]
    public void Trace_ThatBeginsHere_KeepsTheIdThatWasDrawn()
    {
        ActivitySource.AddActivityListener(_listener);
        var exchange = Begin("sample: 100%", null);
        var drawn = exchange.Trace.TraceId;
        RequestSpan.Start(exchange);
        Assert.Equal(drawn, exchange.Span!.TraceId);
    }

    [Fact]
    public void Listener_ThatDoesNotRecord_IsNotSampledDownstream()
    {
        _result = ActivitySamplingResult.PropagationData;
        ActivitySource.AddActivityListener(_listener);
        var exchange = Start("", "01");
        Assert.False(exchange.Trace.IsSampled);
        Assert.EndsWith("-00", exchange.Trace.ToTraceParent(null), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Host_WithASpanOfItsOwn_IsTheParent(bool listens)
    {
        if (listens)
            ActivitySource.AddActivityListener(_listener);
        using var host = new Activity("host").SetIdFormat(ActivityIdFormat.W3C).Start();
        var exchange = Start("sample: 0%", "01");
        Assert.Equal(host.TraceId.ToHexString(), exchange.TraceId);
        Assert.Equal(listens, exchange.Span is not null);
        Assert.Equal(listens ? host.SpanId : default, exchange.Span?.ParentSpanId ?? default);
    }

    [Theory]
    [InlineData(200, null, ActivityStatusCode.Unset, null)]
    [InlineData(404, null, ActivityStatusCode.Unset, null)]
    [InlineData(503, null, ActivityStatusCode.Error, "503")]
    [InlineData(502, nameof(GatewayErrorKind.ConnectionRefused), ActivityStatusCode.Error, "connection-refused")]
    [InlineData(404, nameof(GatewayErrorKind.RouteNotFound), ActivityStatusCode.Unset, "route-not-found")]
    [InlineData(499, nameof(GatewayErrorKind.ClientAborted), ActivityStatusCode.Unset, "client-aborted")]
    public void Span_OfARequest_SaysHowItEnded(int status, string? kind, ActivityStatusCode expected, string? error)
    {
        ActivitySource.AddActivityListener(_listener);
        var exchange = Start("", "01");
        RequestSpan.Describe(
            exchange.Span!,
            exchange,
            status,
            "1.1",
            kind is null ? null : new GatewayError(Enum.Parse<GatewayErrorKind>(kind), "why")
        );
        Assert.Equal("GET /a/{id}", exchange.Span!.DisplayName);
        Assert.Equal(expected, exchange.Span.Status);
        Assert.Equal(error, exchange.Span.GetTagItem("error.type"));
        Assert.Equal(
            (status, "/a/1", "http", "/a/{id}", "r"),
            (
                (int)exchange.Span.GetTagItem("http.response.status_code")!,
                exchange.Span.GetTagItem("url.path"),
                exchange.Span.GetTagItem("url.scheme"),
                exchange.Span.GetTagItem("http.route"),
                exchange.Span.GetTagItem("lintel.route")
            )
        );
        Assert.Equal(
            ("gateway.test", 80, "192.0.2.1"),
            (
                exchange.Span.GetTagItem("server.address"),
                exchange.Span.GetTagItem("server.port"),
                exchange.Span.GetTagItem("client.address")
            )
        );
        Assert.Equal(kind is null ? 0 : 1, exchange.Span.Events.Count());
    }

    private static Exchange Start(string tracing, string? flags)
    {
        var exchange = Begin(tracing, flags);
        RequestSpan.Start(exchange);
        return exchange;
    }

    private static Exchange Begin(string tracing, string? flags)
    {
        var snapshot = GatewayReader.Snapshot(Routes + (tracing.Length > 0 ? $"observability: {{ tracing: {{ {tracing} }} }}" : ""));
        (string, string)[] headers = flags is null ? [] : [("traceparent", $"00-{Trace}-{Parent}-{flags}"), ("tracestate", "a=1")];
        return TestRequest.Matched(snapshot, TestRequest.Create("GET", "/a/1?secret=1", headers: headers));
    }
}
