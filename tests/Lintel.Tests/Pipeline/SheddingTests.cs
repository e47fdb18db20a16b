using System.Diagnostics.Metrics;
using Lintel.Config;
using Lintel.Pipeline;

namespace Lintel.Tests.Pipeline;

public sealed class SheddingTests : IDisposable
{
    private readonly Spine _spine = new(
        """
        routes:
          low: { match: /low, priority: low, respond: { body: served } }
          normal: { match: /normal, respond: { body: served } }
          high: { match: /high, priority: high, respond: { body: served } }
        """
    );

    public void Dispose() => _spine.Dispose();

    [Theory]
    [InlineData(0, 0, 0, 0)]
    [InlineData(0.5, 0.5, 0, 0)]
    [InlineData(1, 1, 0, 0)]
    [InlineData(1.3, 1, 0.3, 0)]
    [InlineData(1.9, 1, 0.9, 0)]
    [InlineData(2.5, 1, 0.95, 0.5)]
    [InlineData(3, 1, 0.95, 0.9)]
    public async Task Requests_OfEachPriority_AreShedInOrder(double level, double low, double normal, double high)
    {
        _spine.Shedding.Set(level, ScarceResource.LoopDelay);
        Assert.Equal(low, await ShareAsync("/low"), 0.06);
        Assert.Equal(normal, await ShareAsync("/normal"), 0.06);
        Assert.Equal(high, await ShareAsync("/high"), 0.06);
        Assert.Equal(low, Shedding.Share(level, RoutePriority.Low), 9);
        Assert.Equal(normal, Shedding.Share(level, RoutePriority.Normal), 9);
        Assert.Equal(high, Shedding.Share(level, RoutePriority.High), 9);

        // 1000 draws have a standard deviation of 0.016
        async Task<double> ShareAsync(string target)
        {
            var shed = 0;
            for (var i = 0; i < 1000; i++)
                shed += (await _spine.SendAsync("GET", target)).StatusCode == 503 ? 1 : 0;
            return shed / 1000.0;
        }
    }

    [Theory]
    [InlineData((int)ScarceResource.Memory, "the gateway is short of memory")]
    [InlineData((int)ScarceResource.LoopDelay, "requests wait too long for the gateway's threads")]
    [InlineData((int)ScarceResource.Cpu, "the gateway is short of CPU time")]
    public async Task Answer_OfAShedRequest_NamesTheReasonAndWhenToComeBack(int reason, string detail)
    {
        _spine.Shedding.Set(1, (ScarceResource)reason);
        var response = await _spine.SendAsync("GET", "/low");
        Assert.Equal(503, response.StatusCode);
        Assert.Equal("1", response.Headers.RetryAfter);
        Assert.Equal("lintel; error=proxy_internal_error", response.Headers["Proxy-Status"].ToString()[..34]);
        response.Body.Position = 0;
        var body = await new StreamReader(response.Body).ReadToEndAsync(TestContext.Current.CancellationToken);
        Assert.Contains("urn:problem-type:lintel:overloaded", body, StringComparison.Ordinal);
        Assert.Contains(detail, body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Body_OfAShedRequest_IsNotRead()
    {
        _spine.Shedding.Set(1, ScarceResource.Memory);
        var context = TestRequest.Create("POST", "/low");
        context.Request.Body = new Unreadable();
        Assert.Equal(503, (await _spine.SendAsync(context)).StatusCode);
    }

    [Fact]
    public async Task Requests_ThatAreShed_AreCountedByResourceAndPriority()
    {
        var counted = new Dictionary<string, long>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, l) =>
            {
                if (instrument.Meter == _spine.Meter && instrument.Name == "lintel.requests.shed")
                    l.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>(
            (_, value, tags, _) =>
            {
                var labels = string.Join(' ', tags.ToArray().Select(t => $"{t.Key}={t.Value}"));
                counted[labels] = counted.GetValueOrDefault(labels) + value;
            }
        );
        listener.Start();
        _spine.Shedding.Set(2, ScarceResource.Cpu);
        foreach (var target in (string[])["/low", "/low", "/normal", "/high"])
            await _spine.SendAsync("GET", target);
        Assert.Equal(
            new Dictionary<string, long>
            {
                ["lintel.resource=cpu lintel.priority=low"] = 2,
                ["lintel.resource=cpu lintel.priority=normal"] = 1,
            },
            counted
        );
    }

    [Fact]
    public async Task Preflight_WhileRequestsAreShed_IsAnswered()
    {
        using var spine = new Spine(
            "routes: { a: { match: GET /a, priority: low, policies: [{ cors: { origins: [\"https://a.example\"] } }], respond: { body: x } } }"
        );
        spine.Shedding.Set(1, ScarceResource.Memory);
        var preflight = await spine.SendAsync("OPTIONS", "/a", ("Origin", "https://a.example"), ("Access-Control-Request-Method", "GET"));
        Assert.Equal(204, preflight.StatusCode);
        var shed = await spine.SendAsync("GET", "/a", ("Origin", "https://a.example"));
        Assert.Equal(503, shed.StatusCode);
        Assert.Equal("https://a.example", shed.Headers.AccessControlAllowOrigin); // the page can read why
    }

    [Fact]
    public async Task Priority_OfDefaults_IsThatOfRoutesWithoutTheirOwn()
    {
        using var spine = new Spine(
            """
            defaults: { priority: low }
            routes:
              a: { match: /a, respond: { body: x } }
              b: { match: /b, priority: normal, respond: { body: x } }
            """
        );
        spine.Shedding.Set(1, ScarceResource.Memory);
        Assert.Equal(503, (await spine.SendAsync("GET", "/a")).StatusCode);
        Assert.Equal(200, (await spine.SendAsync("GET", "/b")).StatusCode);
    }

    private sealed class Unreadable : MemoryStream
    {
        public override bool CanRead => throw new InvalidOperationException("the body is read");

        public override int Read(Span<byte> buffer) => throw new InvalidOperationException("the body is read");

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            throw new InvalidOperationException("the body is read");
    }
}
