using System.Diagnostics.Metrics;
using Lintel.Errors;
using Lintel.Observability.Metrics;
using Lintel.Transport.Memory;

namespace Lintel.Tests.Observability.Metrics;

public sealed class GatewayMetricsTests
{
    private static readonly TimeSpan Ms = TimeSpan.FromMilliseconds(1);

    [Fact]
    public void Request_WithAMethodOfTheClientsOwn_SharesALabel()
    {
        var seen = Record(m =>
        {
            m.RequestEnded(new RequestOutcome("BREW", "http", "1.1", 200, "/a/{id}", null, null) { RouteName = "a" }, 3 * Ms, 2 * Ms);
            m.AttemptEnded(new AttemptOutcome("get", "s", "h", 80, 200, null), Ms);
        });
        Assert.Equal(
            [
                "http.server.request.duration 0.003 http.request.method=_OTHER http.response.status_code=200 http.route=/a/{id} "
                    + "lintel.route=a network.protocol.version=1.1 url.scheme=http",
                "lintel.gateway.duration 0.001 http.route=/a/{id} lintel.route=a",
                "http.client.request.duration 0.001 http.request.method=_OTHER http.response.status_code=200 lintel.service=s "
                    + "server.address=h server.port=80",
            ],
            seen
        );
    }

    [Fact]
    public void ActiveRequests_AreThoseThatHaveNotEnded_BySchemeAndKnownMethod()
    {
        var metrics = TestMetrics.Create(out var meter);
        Assert.Empty(Active());
        var first = metrics.RequestStarted("GET", "https");
        metrics.RequestStarted("GET", "https");
        var unknown = metrics.RequestStarted("BREW", "http");
        Assert.Equal(
            [
                "http.server.active_requests 2 http.request.method=GET url.scheme=https",
                "http.server.active_requests 1 http.request.method=_OTHER url.scheme=http",
            ],
            Active()
        );
        metrics.RequestCompleted(unknown);
        metrics.RequestCompleted(first);
        Assert.Equal(
            [
                "http.server.active_requests 1 http.request.method=GET url.scheme=https",
                "http.server.active_requests 0 http.request.method=_OTHER url.scheme=http",
            ],
            Active()
        );

        IEnumerable<string> Active() => Collect(meter).Where(s => s.StartsWith("http.server.active_requests", StringComparison.Ordinal));
    }

    [Fact]
    public void Memory_ThatIsHeldAndRefused_IsToldByUse()
    {
        var metrics = TestMetrics.Create(out var meter);
        var memory = new MemoryBudget(100);
        metrics.ObserveMemory(memory);
        Assert.True(memory.TryTake(BufferUse.RequestBody, 70));
        Assert.False(memory.TryTake(BufferUse.Mirror, 40));
        var seen = Collect(meter).Where(s => s.StartsWith("lintel.memory.", StringComparison.Ordinal)).ToList();
        Assert.Contains("lintel.memory.limit 100 ", seen);
        Assert.Contains("lintel.memory.used 70 use=request-body", seen);
        Assert.Contains("lintel.memory.used 0 use=mirror", seen);
        Assert.Contains("lintel.memory.refused 1 use=mirror", seen);
    }

    [Fact]
    public void Labels_ThatAreRemembered_AreThoseOfTheOutcome()
    {
        var memo = new LabelMemo<RequestOutcome>();
        var outcome = new RequestOutcome("GET", "http", "1.1", 200, "/a", "s", null);
        RequestOutcome[] outcomes =
        [
            outcome,
            outcome with
            {
                Status = 201,
            },
            outcome,
            outcome with
            {
                Status = 404,
            },
            outcome with
            {
                Method = "POST",
            },
            outcome with
            {
                Status = 999,
            },
            outcome,
        ];
        Assert.Equal(
            Record(m => Array.ForEach(outcomes, o => m.RequestEnded(o, Ms, Ms))),
            Record(m => Array.ForEach(outcomes, o => m.RequestEnded(o, Ms, Ms, memo)))
        );
    }

    [Fact]
    public void GatewayDuration_OfAttemptsThatOverlapTheRequest_IsNeverNegative()
    {
        var seen = Record(m => m.RequestEnded(new RequestOutcome("GET", "http", "2", 200, null, null, null), Ms, 2 * Ms));
        Assert.Contains("lintel.gateway.duration 0 ", seen);
    }

    [Fact]
    public void Errors_AreCountedByKindSourceAndService()
    {
        var seen = Record(m =>
        {
            m.RequestEnded(
                new RequestOutcome("GET", "http", "1.1", 502, "/", "s", ErrorTable.Get(GatewayErrorKind.ConnectionRefused)),
                Ms,
                Ms
            );
            m.RequestEnded(
                new RequestOutcome("GET", "http", "1.1", 404, null, null, ErrorTable.Get(GatewayErrorKind.RouteNotFound)),
                Ms,
                default
            );
            m.RequestEnded(new RequestOutcome("GET", "http", "1.1", 503, "/", "s", null), Ms, Ms); // the service's own
        });
        Assert.Equal(
            [
                "lintel.errors 1 error.type=connection-refused lintel.error.source=upstream lintel.service=s",
                "lintel.errors 1 error.type=route-not-found lintel.error.source=client",
            ],
            seen.Where(s => s.StartsWith("lintel.errors", StringComparison.Ordinal))
        );
        Assert.Contains(seen, s => s.StartsWith("http.server.request.duration 0.001 error.type=503 ", StringComparison.Ordinal));
    }

    [Fact]
    public void Attempt_ThatFailed_HasItsKindAndNoStatus()
    {
        var seen = Record(m =>
        {
            m.AttemptEnded(new AttemptOutcome("GET", "s", "h", 80, null, "connection-refused"), Ms);
            m.AttemptEnded(new AttemptOutcome("GET", "s", "h", 80, 404, null), Ms);
            m.ConnectEnded("s", "h", 80, "dns-error", Ms);
        });
        Assert.Equal(
            [
                "http.client.request.duration 0.001 error.type=connection-refused http.request.method=GET lintel.service=s "
                    + "server.address=h server.port=80",
                "http.client.request.duration 0.001 error.type=404 http.request.method=GET http.response.status_code=404 "
                    + "lintel.service=s server.address=h server.port=80",
                "lintel.service.connect.duration 0.001 error.type=dns-error lintel.service=s server.address=h server.port=80",
            ],
            seen
        );
    }

    [Fact]
    public void Gauges_OfInstancesThatAreGone_AreGone()
    {
        List<InstanceUse> instances = [new("s", "a", 1, 2, 3, true, false), new("s", "b", 1, 0, 0, true, true)];
        var metrics = TestMetrics.Create(out var meter);
        metrics.Observe(() => instances, () => []);
        Assert.Equal(4, Collect(meter).Count(s => s.StartsWith("http.client.", StringComparison.Ordinal)));
        instances.RemoveAt(1);
        Assert.Equal(
            [
                "http.client.active_requests 2 lintel.service=s server.address=a server.port=1",
                "http.client.open_connections 3 lintel.service=s server.address=a server.port=1",
            ],
            Collect(meter).Where(s => s.StartsWith("http.client.", StringComparison.Ordinal))
        );
    }

    [Fact]
    public void Config_RefusedAfterApplied_KeepsTheTimeOfTheLastThatWas()
    {
        var metrics = TestMetrics.Create(out var meter);
        Assert.Empty(Config(meter));
        metrics.Reloaded(true, DateTimeOffset.FromUnixTimeSeconds(1000));
        metrics.Reloaded(false, DateTimeOffset.FromUnixTimeSeconds(2000));
        Assert.Equal(["lintel.config.applied.time 1000 ", "lintel.config.last_reload.successful 0 "], Config(meter));

        static IEnumerable<string> Config(Meter meter) =>
            Collect(meter).Where(s => s.StartsWith("lintel.config.", StringComparison.Ordinal));
    }

    private static List<string> Record(Action<GatewayMetrics> use)
    {
        var metrics = TestMetrics.Create(out var meter);
        using var listener = Listen(meter, out var seen);
        use(metrics);
        return seen;
    }

    private static List<string> Collect(Meter meter)
    {
        using var listener = Listen(meter, out var seen);
        listener.RecordObservableInstruments();
        return seen;
    }

    private static MeterListener Listen(Meter meter, out List<string> seen)
    {
        var lines = seen = [];
        var listener = new MeterListener
        {
            InstrumentPublished = (instrument, l) =>
            {
                if (ReferenceEquals(instrument.Meter, meter))
                    l.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<double>((i, value, tags, _) => Keep(lines, i, value, tags));
        listener.SetMeasurementEventCallback<long>((i, value, tags, _) => Keep(lines, i, value, tags));
        listener.SetMeasurementEventCallback<int>((i, value, tags, _) => Keep(lines, i, value, tags));
        listener.Start();
        return listener;
    }

    private static void Keep(List<string> lines, Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
        lines.Add(
            FormattableString.Invariant($"{instrument.Name} {value} ")
                + string.Join(' ', tags.ToArray().OrderBy(t => t.Key, StringComparer.Ordinal).Select(t => $"{t.Key}={t.Value}"))
        );
}
