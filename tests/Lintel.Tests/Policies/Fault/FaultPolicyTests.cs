using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text.Json.Nodes;
using Lintel.Pipeline;
using Lintel.Policies;
using Lintel.Policies.Fault;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Policies.Fault;

public sealed class FaultPolicyTests
{
    private readonly FakeTimeProvider _time = new();

    [Theory]
    [InlineData(503)]
    [InlineData(404)]
    [InlineData(599)]
    public async Task Abort_OfARequest_IsAProblemWithTheConfiguredStatus(int status)
    {
        using var gateway = Start($"{{ abort: {status} }}");
        var answer = await gateway.GetAsync("/x");
        Assert.Equal(status, answer.Status);
        var problem = JsonNode.Parse(answer.Body)!;
        Assert.Equal(("urn:problem-type:lintel:fault-injected", status), ((string?)problem["type"], (int)problem["status"]!));
        Assert.EndsWith("; error=proxy_internal_response", answer["Proxy-Status"], StringComparison.Ordinal);
        Assert.Equal(["fault-injected"], gateway.Failures);
    }

    [Theory]
    [InlineData(503, "14")]
    [InlineData(429, "8")]
    [InlineData(500, "13")]
    public async Task Abort_OfAGrpcCall_IsTheEquivalentStatus(int status, string grpc)
    {
        using var gateway = Start($"{{ abort: {status} }}");
        var answer = await gateway.SendAsync("POST", "/x", null, ("Content-Type", "application/grpc-web"));
        Assert.Equal((200, grpc), (answer.Status, answer["grpc-status"]));
    }

    [Fact]
    public async Task Delay_OfARequest_EndsWithItsTime_AndNotBefore()
    {
        using var gateway = Start("{ delay: 300ms }");
        var request = gateway.GetAsync("/x");
        _time.Advance(TimeSpan.FromMilliseconds(299));
        Assert.False(request.IsCompleted);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal((200, "in"), ((await request).Status, (await request).Body));
        Assert.Empty(gateway.Failures);
    }

    [Fact]
    public async Task DelayAndAbort_Together_RefuseAfterTheDelay()
    {
        using var gateway = Start("{ delay: 300ms, abort: 504 }");
        var request = gateway.GetAsync("/x");
        Assert.False(request.IsCompleted);
        _time.Advance(TimeSpan.FromMilliseconds(300));
        Assert.Equal(504, (await request).Status);
    }

    [Fact]
    public async Task Delay_OfAClientThatLeaves_EndsAtOnce_WithoutAbort()
    {
        using var gateway = Start("{ delay: 1h, abort: 503 }");
        using var client = new CancellationTokenSource();
        var request = gateway.GetAsync("/x", client.Token);
        Assert.False(request.IsCompleted);
        await client.CancelAsync();
        await request;
        Assert.Equal(["client-aborted"], gateway.Failures);
    }

    [Theory]
    [InlineData("/x", 200, "X-Drill", "0", "group", "b")]
    [InlineData("/x?drill=1", 503, "X-Drill", "1", "Cookie", "group=b")]
    [InlineData("/x?drill=1", 503, "X-Drill", "on", "Cookie", "a=1; group=b")]
    [InlineData("/x?drill=2", 200, "X-Drill", "1", "Cookie", "group=b")]
    [InlineData("/x?drill=1", 200, "X-Drill", "1", "Cookie", "group=c")]
    public async Task Conditions_ThatAreNotAllMet_LeaveTheRequestAlone(
        string target,
        int status,
        string header,
        string value,
        string other,
        string otherValue
    )
    {
        using var gateway = Start(
            """
            { abort: 503, when: { headers: { X-Drill: { oneOf: ["1", "on"] } }, query: { drill: "1" }, cookies: { group: { prefix: b } } } }
            """
        );
        Assert.Equal(status, (await gateway.GetAsync(target, (header, value), (other, otherValue))).Status);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(5, 47)]
    [InlineData(50, 502)]
    [InlineData(100, 1000)]
    public async Task Percent_OfAThousandRequests_IsTheShareThatIsAffected(double percent, int expected)
    {
        var policy = new FaultPolicy(
            new FaultConfig { Percent = percent, Abort = 503 },
            new PolicyParts(_time, new Random(1), TestMetrics.Create())
        );
        using var affected = new SemaphoreSlim(0);
        for (var i = 0; i < 1000; i++)
        {
            if (await policy.AdmitAsync(Request()) is not null)
                affected.Release();
        }

        Assert.InRange(affected.CurrentCount, expected - 30, expected + 30);
        Assert.Equal(percent is 0 or 100, affected.CurrentCount is 0 or 1000);
    }

    [Fact]
    public async Task Faults_ThatAreInjected_AreCountedByRouteAndKind()
    {
        var metrics = TestMetrics.Create(out var meter);
        var seen = new List<string>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (ReferenceEquals(instrument.Meter, meter))
                l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>(
            (i, value, tags, _) =>
                seen.Add(
                    string.Create(CultureInfo.InvariantCulture, $"{i.Name} {value} {string.Join(' ', tags.ToArray().Select(t => t.Value))}")
                )
        );
        listener.Start();
        var policy = new FaultPolicy(
            new FaultConfig { Delay = TimeSpan.FromMilliseconds(1), Abort = 503 },
            new PolicyParts(_time, new Random(1), metrics)
        );
        var request = policy.AdmitAsync(Request());
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.NotNull(await request);
        Assert.Equal(["lintel.faults 1 r delay", "lintel.faults 1 r abort"], seen);
    }

    /// <summary>A request that is refused anyway says nothing of a drill.</summary>
    [Fact]
    public async Task Policy_BesideOthersThatRefuse_IsTheLastOne()
    {
        using var gateway = new MemoryGateway(
            "routes: { r: { match: /x, respond: { body: in }, policies: [{ fault: { abort: 503 } }, { access: { deny: 192.0.2.0/24 } }] } }"
        );
        Assert.Equal(403, (await gateway.GetAsync("/x")).Status);
    }

    public static TheoryData<FaultConfig, string> Mistakes =>
        new()
        {
            { new FaultConfig(), "neither" },
            {
                new FaultConfig { Delay = TimeSpan.Zero },
                "Delay"
            },
            {
                new FaultConfig { Delay = TimeSpan.FromHours(2) },
                "Delay"
            },
            {
                new FaultConfig { Abort = 200 },
                "Abort"
            },
            {
                new FaultConfig { Abort = 503, Percent = 101 },
                "Percent"
            },
            {
                new FaultConfig { Abort = 503, Percent = double.NaN },
                "Percent"
            },
        };

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void Config_MadeInCode_IsCheckedLikeAFile(FaultConfig config, string named)
    {
        ArgumentNullException.ThrowIfNull(config);
        Assert.Contains(named, config.Problem!.Value.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Config_InItsBounds_HasNoProblem() =>
        Assert.Null(
            new FaultConfig
            {
                Delay = TimeSpan.FromHours(1),
                Abort = 599,
                Percent = 0,
            }.Problem
        );

    private MemoryGateway Start(string fault) =>
        new(
            $$"""
            policies: { bad-day: { fault: {{fault.Trim()}} } }
            routes: { r: { match: "/x", respond: { body: in }, policies: [bad-day] } }
            """,
            time: _time
        );

    private static Exchange Request()
    {
        var snapshot = GatewayReader.Snapshot("routes: { r: { match: /x, respond: {} } }");
        return TestRequest.Matched(snapshot, TestRequest.Create("GET", "/x"));
    }
}
