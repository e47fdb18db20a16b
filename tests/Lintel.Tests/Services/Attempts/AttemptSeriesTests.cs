using System.Diagnostics.Metrics;
using Lintel.Config;
using Lintel.Control.Status;
using Lintel.Errors;
using Lintel.Observability.Logs;
using Lintel.Observability.Metrics;
using Lintel.Services;
using Lintel.Services.Attempts;
using Microsoft.Extensions.Logging.Abstractions;

namespace Lintel.Tests.Services.Attempts;

public sealed class AttemptSeriesTests : IDisposable
{
    private static readonly GatewayError Refused = new(GatewayErrorKind.ConnectionRefused);
    private static readonly GatewayError Ended = new(GatewayErrorKind.ConnectionTerminated) { EndedKeptConnection = true };

    private readonly GatewayMetrics _metrics;
    private readonly ErrorLog _errors = new(TimeProvider.System, NullLogger.Instance);
    private readonly ServiceRegistry _registry;
    private readonly List<string?> _counted = [];
    private readonly MeterListener _listener = new();

    public AttemptSeriesTests()
    {
        _metrics = TestMetrics.Create(out var meter);
        _registry = new ServiceRegistry(new Random(1), TestMetrics.Dependencies(_metrics));
        _listener.InstrumentPublished = (i, l) =>
        {
            if (i.Meter == meter && i.Name == "http.client.request.duration")
                l.EnableMeasurementEvents(i);
        };
        _listener.SetMeasurementEventCallback<double>(
            (_, _, tags, _) => _counted.Add((string?)tags.ToArray().FirstOrDefault(t => t.Key == "error.type").Value)
        );
        _listener.Start();
    }

    public void Dispose()
    {
        _listener.Dispose();
        _registry.Dispose();
        _errors.Dispose();
    }

    [Fact]
    public void Failure_BeforeAnythingWasSent_GoesOnWithAnotherInstance_ThreeTimesInAll()
    {
        var series = Series("POST", instances: 5, isWhole: false);
        var tried = new HashSet<Instance>();
        do
        {
            Assert.True(tried.Add(series.Instance));
            Assert.False(series.NeedsFreshConnection);
            Attempt(ref series, Refused);
        } while (series.TryContinue(Refused, null, "r", "trace"));
        Assert.Equal((3, 3), (series.Count, tried.Count));
        Assert.Equal(["connection-refused", "connection-refused", "connection-refused"], _counted);
        Assert.All(tried, i => Assert.Equal(0, i.Active));
        Assert.Equal(2, Assert.Single(_errors.Recent(ErrorStatus.Of).GroupBy(e => e.Error)).Sum(e => e.Count)); // the last one is the request's own
    }

    [Fact]
    public void Failure_OfTheOnlyInstance_IsTheEnd()
    {
        var series = Series("GET", instances: 1);
        Attempt(ref series, Refused);
        Assert.False(series.TryContinue(Refused, null, "r", "trace"));
        Assert.Equal([series.Instance], series.Tried);
    }

    [Theory]
    [InlineData("GET", true, true)]
    [InlineData("PUT", true, true)]
    [InlineData("PUT", false, false)] // its body is gone
    [InlineData("POST", true, false)] // the service may have done it
    [InlineData("PATCH", true, false)]
    public void KeptConnection_ThatEnded_IsReplacedOnce_ForWhatMayBeSentTwice(string method, bool isWhole, bool goesOn)
    {
        var series = Series(method, instances: 3, isWhole);
        var instance = series.Instance;
        Attempt(ref series, Ended);
        Assert.Equal(goesOn, series.TryContinue(Ended, null, "r", "trace"));
        Assert.Equal((instance, goesOn, goesOn), (series.Instance, series.NeedsFreshConnection, series.IsRepeatable));
        if (!goesOn)
            return;
        Attempt(ref series, Ended);
        Assert.False(series.TryContinue(Ended, null, "r", "trace"));
        Assert.Equal(2, _counted.Count);
        Assert.Empty(_errors.Recent(ErrorStatus.Of)); // that a service ends what it has kept is nobody's failure
    }

    [Fact]
    public void KeptConnection_ThatEnded_AndAnInstanceThatIsGone_CountTogether()
    {
        var series = Series("GET", instances: 5);
        Attempt(ref series, Ended);
        Assert.True(series.TryContinue(Ended, null, "r", "trace"));
        Attempt(ref series, Refused);
        Assert.True(series.TryContinue(Refused, null, "r", "trace"));
        Assert.False(series.NeedsFreshConnection);
        Attempt(ref series, Ended);
        Assert.False(series.TryContinue(Ended, null, "r", "trace"));
        Assert.Equal(3, series.Count);
    }

    [Theory]
    [InlineData(nameof(GatewayErrorKind.ConnectionTerminated))] // a new connection: the service has seen it
    [InlineData(nameof(GatewayErrorKind.ResponseTimeout))]
    [InlineData(nameof(GatewayErrorKind.ProtocolError))]
    [InlineData(nameof(GatewayErrorKind.ClientAborted))]
    public void Failure_OfWhatTheServiceMayHaveSeen_IsTheEnd(string kind)
    {
        var error = new GatewayError(Enum.Parse<GatewayErrorKind>(kind));
        var series = Series("GET", instances: 3);
        Attempt(ref series, error);
        Assert.False(series.TryContinue(error, null, "r", "trace"));
    }

    [Fact]
    public void Service_WithoutInstances_HasNone()
    {
        var service = Service(2);
        service.Exchange([]);
        var series = new AttemptSeries(
            service,
            new AttemptRequest("GET", "/", IsWhole: true, IsIdempotent: true),
            new AttemptParts(_metrics, _errors, TimeProvider.System)
        );
        Assert.False(series.TryChoose());
        Assert.Empty(series.Tried);
    }

    [Fact]
    public void Instances_ThatAreAvoided_AreTakenWhereThereAreNoOthers()
    {
        var service = Service(2);
        var parts = new AttemptParts(_metrics, _errors, TimeProvider.System);
        for (var i = 0; i < 20; i++)
        {
            var series = new AttemptSeries(service, new AttemptRequest("GET", "/", IsWhole: true, IsIdempotent: true), parts);
            Assert.True(series.TryChoose([service.Instances.All[0]]));
            Assert.Same(service.Instances.All[1], series.Instance);
            Assert.True(series.TryChoose([.. service.Instances.All]));
        }
    }

    [Fact]
    public void Exchange_OfInstances_KeepsThoseThatStay_WithWhatIsKnownOfThem()
    {
        var service = Service(3);
        var before = service.Instances.All;
        before[1].Enter();
        service.Exchange([.. service.Config.Instances.Skip(1), new InstanceConfig { Address = new Uri("http://192.0.2.9") }]);
        Assert.Equal([before[1], before[2]], service.Instances.All[..2]);
        Assert.Equal((3, 1), (service.Instances.All.Length, service.Instances.All[0].Active));
    }

    private AttemptSeries Series(string method, int instances, bool isWhole = true)
    {
        var series = new AttemptSeries(
            Service(instances),
            new AttemptRequest(method, "/x", isWhole, Idempotency.Allows(method)),
            new AttemptParts(_metrics, _errors, TimeProvider.System)
        );
        Assert.True(series.TryChoose());
        return series;
    }

    private Service Service(int instances) =>
        _registry.Acquire(
            "s",
            new ServiceConfig
            {
                Instances =
                [
                    .. Enumerable.Range(1, instances).Select(i => new InstanceConfig { Address = new Uri($"http://192.0.2.{i}") }),
                ],
            },
            new TimeoutsConfig()
        );

    private static void Attempt(ref AttemptSeries series, GatewayError error)
    {
        series.Begin(default, TimeProvider.System.GetTimestamp());
        Assert.Equal(1, series.Instance.Active);
        series.End(null, error);
    }
}
