using System.Diagnostics.Metrics;
using Lintel.Config;
using Lintel.Errors;
using Lintel.Observability.Logs;
using Lintel.Observability.Metrics;
using Lintel.Pipeline;
using Lintel.Routing;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Lintel.Tests.Pipeline;

/// <summary>For any exception: one line, one count, no request in flight, and the snapshot is released.</summary>
public sealed class RoutePipelineTests : IAsyncLifetime
{
    private readonly string _file = Path.GetTempFileName();
    private readonly SnapshotHolder _snapshots = new();
    private readonly AccessLogSlot _log = new(TimeProvider.System, NullLogger.Instance);
    private readonly GatewayMetrics _metrics;
    private readonly Meter _meter;
    private int _retired;

    public RoutePipelineTests() => _metrics = TestMetrics.Create(out _meter);

    public ValueTask InitializeAsync()
    {
        _log.Replace(_log.Open(new AccessLogConfig { To = _file }));
        return default;
    }

    public ValueTask DisposeAsync()
    {
        File.Delete(_file);
        return default;
    }

    [Fact]
    public async Task Request_BeforeTheFirstConfiguration_HasItsLineAndCount()
    {
        var context = await RunAsync(TestRequest.Create("GET", "/x"), target: null);
        Assert.Equal(503, context.Response.StatusCode);
        await AssertAccountedAsync(503, "unavailable", hasSnapshot: false);
    }

    [Fact]
    public async Task Target_ThatThrows_IsAnInternalError()
    {
        await RunAsync(TestRequest.Create("GET", "/x"), new Acting(_ => throw new InvalidOperationException("a defect")));
        await AssertAccountedAsync(500, "internal");
    }

    [Fact]
    public async Task Answer_ThatCannotBeWritten_IsAbortedAndAccountedFor()
    {
        var context = TestRequest.Create("GET", "/x");
        var aborted = new Lifetime();
        context.Features.Set<IHttpResponseBodyFeature>(new BrokenBody());
        context.Features.Set<IHttpRequestLifetimeFeature>(aborted);
        await RunAsync(context, new Acting(_ => throw new InvalidOperationException("a defect")));
        Assert.True(aborted.IsAborted);
        await AssertAccountedAsync(500, "internal");
    }

    [Fact]
    public async Task Answer_ShorterThanItsLength_IsAnError()
    {
        await RunAsync(TestRequest.Create("GET", "/x"), new Acting(e => e.Response.ContentLength = 5));
        await AssertAccountedAsync(500, "internal");
    }

    [Theory]
    [InlineData("GET", 204)]
    [InlineData("GET", 205)]
    [InlineData("HEAD", 200)]
    [InlineData("GET", 304)]
    public async Task Answer_WithoutContentByItsStatusOrMethod_IsNoError(string method, int status)
    {
        var context = await RunAsync(
            TestRequest.Create(method, "/x"),
            new Acting(e => (e.Response.StatusCode, e.Response.ContentLength) = (status, 5))
        );
        Assert.Equal(
            status switch
            {
                204 => null,
                205 => 0,
                _ => 5L,
            },
            context.Response.ContentLength
        );
        await AssertAccountedAsync(status, null);
    }

    [Fact]
    public async Task Listener_OfMetricsThatThrows_CostsNoLine()
    {
        using var listener = new MeterListener
        {
            InstrumentPublished = (i, l) =>
            {
                if (i.Meter == _meter && i.Name == "http.server.request.duration")
                    l.EnableMeasurementEvents(i);
            },
        };
        listener.SetMeasurementEventCallback<double>((_, _, _, _) => throw new InvalidOperationException("a listener"));
        listener.Start();
        await RunAsync(TestRequest.Create("GET", "/x"), new Acting(_ => { }));
        await AssertAccountedAsync(200, null);
    }

    [Fact]
    public async Task Logger_ThatThrows_CostsNoLine()
    {
        await RunAsync(
            TestRequest.Create("GET", "/x"),
            new Acting(_ => throw new InvalidOperationException("a defect")),
            new ThrowingLogger()
        );
        await AssertAccountedAsync(500, "internal");
    }

    private async Task<HttpContext> RunAsync(HttpContext context, Target? target, ILogger? logger = null)
    {
        if (target is not null)
        {
            var route = new Route("r", "/{**rest}", PathTraits.None, null, target);
            var template = PathTemplate.Parse("/{**rest}", out _, out _)!;
            var table = RouteTableBuilder.Build([new RouteEntry<Route>("r", route, [], [template], ["rest"], [], [])], []);
            _snapshots.Swap(new Snapshot(table, new GatewayIdentity("lintel", "lintel"), new TrustedProxies([]), () => _retired++));
        }

        using var errors = new ErrorLog(TimeProvider.System, logger ?? NullLogger.Instance);
        var pipeline = new RoutePipeline(
            _snapshots,
            new RequestAccount(_log, errors, _metrics, TimeProvider.System),
            new Shedding(_metrics, new Random(1)),
            TimeProvider.System
        );
        await pipeline.RunAsync(context.AsClient(), default);
        return context;
    }

    private async Task AssertAccountedAsync(int status, string? error, bool hasSnapshot = true)
    {
        await _log.CloseAsync();
        var line = System
            .Text.Json.JsonDocument.Parse(Assert.Single(await File.ReadAllLinesAsync(_file, TestContext.Current.CancellationToken)))
            .RootElement;
        Assert.Equal(status, line.GetProperty("status").GetInt32());
        Assert.Equal(error, line.TryGetProperty("error", out var slug) ? slug.GetString() : null);
        var active = new List<long>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (i, l) =>
            {
                if (i.Meter == _meter && i.Name == "http.server.active_requests")
                    l.EnableMeasurementEvents(i);
            },
        };
        listener.SetMeasurementEventCallback<long>((_, value, _, _) => active.Add(value));
        listener.Start();
        listener.RecordObservableInstruments();
        Assert.Equal([0], active);
        if (!hasSnapshot)
            return;
        _snapshots.Swap(
            new Snapshot(RouteTableBuilder.Build<Route>([], []), new GatewayIdentity("lintel", "lintel"), new TrustedProxies([]), () => { })
        );
        Assert.Equal(1, _retired); // nothing holds it any more
    }

    private sealed class Acting(Action<Exchange> act) : Target
    {
        public override ValueTask<GatewayError?> RunAsync(Exchange exchange)
        {
            act(exchange);
            return default;
        }
    }

    private sealed class Lifetime : IHttpRequestLifetimeFeature
    {
        public bool IsAborted { get; private set; }

        public CancellationToken RequestAborted { get; set; }

        public void Abort() => IsAborted = true;
    }

    private sealed class BrokenBody : IHttpResponseBodyFeature
    {
        public Stream Stream => throw new InvalidOperationException("no stream");

        public System.IO.Pipelines.PipeWriter Writer => throw new InvalidOperationException("no writer");

        public Task CompleteAsync() => Task.CompletedTask;

        public void DisableBuffering() { }

        public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) =>
            Task.CompletedTask;

        public Task StartAsync(CancellationToken cancellationToken = default) => throw new InvalidOperationException("no start");
    }

    private sealed class ThrowingLogger : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        ) => throw new InvalidOperationException("a full disk");
    }
}
