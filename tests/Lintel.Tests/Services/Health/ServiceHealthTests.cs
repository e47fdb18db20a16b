using System.Collections.Concurrent;
using System.Net;
using Lintel.Config;
using Lintel.Errors;
using Lintel.Services;
using Lintel.Services.Attempts;
using Lintel.Services.Health;
using Lintel.TestKit;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Services.Health;

public sealed class ServiceHealthTests : IDisposable
{
    private static readonly GatewayError Refused = new(GatewayErrorKind.ConnectionRefused);
    private static readonly GatewayError Left = new(GatewayErrorKind.ClientAborted);

    private readonly FakeTimeProvider _time = new();
    private readonly Answers _answers = new();
    private readonly ServiceRegistry _registry;

    public ServiceHealthTests() => _registry = new ServiceRegistry(new Random(1), TestMetrics.Dependencies(time: _time));

    public void Dispose() => _registry.Dispose();

    [Fact]
    public void Failures_InARow_EjectTheInstance_AndItsTimeBringsItBack()
    {
        var service = Create(
            3,
            new()
            {
                Passive = new() { ConsecutiveFailures = 3, EjectFor = TimeSpan.FromSeconds(10) },
            }
        );
        var bad = service.Instances.All[1];
        Fail(service, bad, 2);
        service.Health!.Attempted(bad, End(200, null));
        Fail(service, bad, 2);
        Assert.Equal(3, Picked(service).Count); // a good answer in between
        service.Health.Attempted(bad, End(503, null));
        Assert.Equal(Unavailability.Ejected, bad.Health.Unavailability);
        Assert.Equal("3 failures in a row, the last one 503", bad.Health.Reason);
        Assert.DoesNotContain(bad, Picked(service));

        _time.Advance(TimeSpan.FromSeconds(9.9));
        Assert.DoesNotContain(bad, Picked(service));
        _time.Advance(TimeSpan.FromSeconds(0.2));
        Assert.Contains(bad, Picked(service));
        Assert.Null(bad.Health.Reason);
    }

    [Fact]
    public void Ejections_OfOneInstance_BecomeLonger_UpToTheLongest_AndShorterAgainWhileItIsWell()
    {
        var passive = new PassiveHealthConfig
        {
            ConsecutiveFailures = 1,
            EjectFor = TimeSpan.FromSeconds(10),
            MaxEjectFor = TimeSpan.FromSeconds(25),
        };
        var service = Create(2, new() { Passive = passive });
        var bad = service.Instances.All[0];
        foreach (var seconds in new[] { 10, 20, 25, 25 })
        {
            Fail(service, bad, 1);
            _time.Advance(TimeSpan.FromSeconds(seconds - 0.1));
            Assert.False(bad.Health.IsAvailable, $"{seconds} s");
            _time.Advance(TimeSpan.FromSeconds(0.2));
            Assert.True(bad.Health.IsAvailable, $"{seconds} s");
        }

        _time.Advance(TimeSpan.FromMinutes(10));
        Fail(service, bad, 1);
        _time.Advance(TimeSpan.FromSeconds(10.1));
        Assert.True(bad.Health.IsAvailable);
    }

    [Fact]
    public void Ejections_OfMoreThanTheLargestShare_AreNotMade()
    {
        var service = Create(
            4,
            new()
            {
                Passive = new() { ConsecutiveFailures = 1, MaxEjected = 50 },
            }
        );
        foreach (var instance in service.Instances.All)
            Fail(service, instance, 1);
        Assert.Equal(2, service.Instances.All.Count(i => i.Health.IsAvailable));
        Assert.Equal(2, Picked(service).Count);
    }

    [Fact]
    public void Failures_OfTheClient_SayNothingOfTheInstance()
    {
        var service = Create(2, new() { Passive = new() { ConsecutiveFailures = 2 } });
        var instance = service.Instances.All[0];
        for (var i = 0; i < 10; i++)
            service.Health!.Attempted(instance, End(null, Left));
        service.Health!.Attempted(instance, End(404, null));
        Assert.Equal(0, instance.Health.FailuresInRow);
        service.Health.Attempted(instance, End(null, Refused));
        service.Health.Attempted(instance, End(null, Left)); // neither good nor bad
        service.Health.Attempted(instance, End(null, Refused));
        Assert.Equal(Unavailability.Ejected, instance.Health.Unavailability);
    }

    [Fact]
    public void ShareOfSuccess_BelowTheLimit_EjectsTheInstance_OnceEnoughIsKnown()
    {
        var rate = new SuccessRateConfig
        {
            Below = 70,
            Minimum = 20,
            Window = TimeSpan.FromSeconds(10),
        };
        var service = Create(
            3,
            new()
            {
                Passive = new() { ConsecutiveFailures = 1000, SuccessRate = rate },
            }
        );
        var bad = service.Instances.All[2];
        Mixed(19);
        Assert.True(bad.Health.IsAvailable);
        _time.Advance(TimeSpan.FromSeconds(11)); // what is past is past
        Mixed(19);
        Assert.True(bad.Health.IsAvailable);
        Mixed(2);
        Assert.False(bad.Health.IsAvailable);
        Assert.StartsWith("4", bad.Health.Reason, StringComparison.Ordinal);
        Assert.EndsWith("% of 20 attempts succeeded", bad.Health.Reason, StringComparison.Ordinal);

        void Mixed(int count)
        {
            for (var i = 0; i < count; i++)
                service.Health!.Attempted(bad, End(i % 2 == 0 ? 500 : 200, null));
        }
    }

    [Fact]
    public void Instances_OfWhichTooFewAreAvailable_AreAllUsed()
    {
        var service = Create(
            4,
            new()
            {
                Passive = new() { ConsecutiveFailures = 1, MaxEjected = 100 },
            },
            panic: 50
        );
        Fail(service, service.Instances.All[0], 1);
        Fail(service, service.Instances.All[1], 1);
        Assert.False(service.Instances.IsPanicking);
        Assert.Equal(2, Picked(service).Count);
        Fail(service, service.Instances.All[2], 1);
        Assert.True(service.Instances.IsPanicking);
        Assert.Equal(4, Picked(service).Count);
        _time.Advance(TimeSpan.FromSeconds(31));
        Assert.False(service.Instances.IsPanicking);
    }

    [Fact]
    public void Instances_OfWhichNoneIsAvailable_WithoutPanic_AreNone()
    {
        var service = Create(
            1,
            new()
            {
                Passive = new() { ConsecutiveFailures = 1, MaxEjected = 100 },
            },
            panic: 0
        );
        Fail(service, service.Instances.All[0], 1);
        Assert.Null(service.Instances.Pick(default));
    }

    [Fact]
    public async Task Checks_ThatFail_TakeTheInstanceOut_AndThoseThatPassBringItBack()
    {
        var isWell = false;
        _answers.On("healthz", r => Answers.Of(r.RequestUri!.Host == "i1" && !isWell ? 503 : 200));
        var service = Create(
            2,
            new()
            {
                Active = new()
                {
                    Path = "/healthz?deep",
                    UnhealthyAfter = 3,
                    HealthyAfter = 2,
                    Jitter = 0,
                },
            }
        );
        var sick = service.Instances.All[1];
        await CheckedAsync(1, advance: false);
        Assert.True(sick.Health.IsAvailable);
        await CheckedAsync(2);
        Assert.True(sick.Health.IsAvailable);
        await CheckedAsync(3);
        Assert.Equal((Unavailability.Unhealthy, "status 503"), (sick.Health.Unavailability, sick.Health.Reason));
        Assert.DoesNotContain(sick, Picked(service));
        isWell = true;
        await CheckedAsync(4);
        Assert.False(sick.Health.IsAvailable);
        await CheckedAsync(5);
        Assert.True(sick.Health.IsAvailable);
        Assert.All(_answers.Seen, r => Assert.Equal("GET /healthz?deep", r));

        async Task CheckedAsync(int rounds, bool advance = true)
        {
            if (advance)
                _time.Advance(TimeSpan.FromSeconds(5));
            await Until.TrueAsync(() => _answers.Count("healthz") == 2 * rounds);
        }
    }

    [Fact]
    public async Task Check_ThatPasses_EndsAnEjection()
    {
        _answers.On("healthz", _ => Answers.Of(200));
        var health = new HealthConfig
        {
            Active = new() { Path = "/healthz", Jitter = 0 },
            Passive = new() { ConsecutiveFailures = 1 },
        };
        var service = Create(2, health);
        await Until.TrueAsync(() => _answers.Count("healthz") == 2);
        var instance = service.Instances.All[0];
        Fail(service, instance, 1);
        Assert.False(instance.Health.IsAvailable);
        _time.Advance(TimeSpan.FromSeconds(5));
        await Until.TrueAsync(() => instance.Health.IsAvailable);
    }

    [Theory]
    [InlineData(200, "", "all ok", null)]
    [InlineData(204, "", "", null)]
    [InlineData(301, "", "", "status 301")]
    [InlineData(200, "ok", "all ok", null)]
    [InlineData(200, "ok", "degraded", "the body does not contain `ok`")]
    public async Task Check_IsJudgedByStatusAndBody(int status, string expected, string body, string? problem)
    {
        _answers.On("h", _ => new HttpResponseMessage((HttpStatusCode)status) { Content = new StringContent(body) });
        var active = new ActiveHealthConfig
        {
            Path = "/h",
            UnhealthyAfter = 1,
            Expect = new() { Body = expected.Length == 0 ? null : expected },
        };
        var service = Create(1, new() { Active = active });
        await Until.TrueAsync(() => _answers.Count("h") == 1 && (problem is null || !service.Instances.All[0].Health.IsAvailable));
        Assert.Equal(problem, service.Instances.All[0].Health.Reason);
    }

    [Fact]
    public async Task Check_WithoutAnAnswer_FailsAfterItsTimeout()
    {
        var waiting = _answers.Wait("h");
        var service = Create(
            1,
            new()
            {
                Active = new()
                {
                    Path = "/h",
                    UnhealthyAfter = 1,
                    Timeout = TimeSpan.FromSeconds(2),
                },
            }
        );
        Assert.Equal(1, _answers.Count("h"));
        _time.Advance(TimeSpan.FromSeconds(2.1));
        await Until.TrueAsync(() => service.Instances.All[0].Health.Reason == "no answer within 2s");
        await waiting;
    }

    [Fact]
    public async Task Reload_KeepsWhatIsKnown_AndOnlyTheNewGenerationChecks()
    {
        _answers.On("h", _ => Answers.Of(500));
        var config = Config(
            2,
            new()
            {
                Active = new()
                {
                    Path = "/h",
                    UnhealthyAfter = 1,
                    Jitter = 0,
                },
            },
            0
        );
        var before = _registry.Acquire("s", config, new TimeoutsConfig());
        before.Health!.Start();
        await Until.TrueAsync(() => before.Instances.All.All(i => !i.Health.IsAvailable));
        var after = _registry.Acquire("s", config with { Balancing = new() { Kind = BalancingKind.Random } }, new TimeoutsConfig());
        after.Health!.Start();
        Assert.NotSame(before, after);
        Assert.Equal(before.Instances.All, after.Instances.All);
        Assert.Null(after.Instances.Pick(default));
        await Until.TrueAsync(() => _answers.Count("h") == 4); // the new generation asks at once
        _time.Advance(TimeSpan.FromSeconds(5));
        await Until.TrueAsync(() => _answers.Count("h") == 6);
        _registry.Release(after); // the reload was refused
        _answers.On("h", _ => Answers.Of(200));
        _time.Advance(TimeSpan.FromSeconds(5));
        await Until.TrueAsync(() => _answers.Count("h") == 8);
        _time.Advance(TimeSpan.FromSeconds(5));
        await Until.TrueAsync(() => before.Instances.Pick(default) is not null);
    }

    private AttemptEnd End(int? status, GatewayError? error) =>
        new(AttemptVerdicts.Of(status, error), status, error, _time.GetTimestamp(), TimeSpan.Zero);

    private void Fail(Service service, Instance instance, int times)
    {
        for (var i = 0; i < times; i++)
            service.Health!.Attempted(instance, End(null, Refused));
    }

    private static HashSet<Instance> Picked(Service service) => [.. Enumerable.Range(0, 200).Select(_ => service.Instances.Pick(default)!)];

    [Fact]
    public async Task Checks_BeginWhenTheConfigurationGoesLive_AndNotBefore()
    {
        var config = Config(
            1,
            new()
            {
                Active = new() { Path = "/healthz", Jitter = 0 },
            },
            panic: 0
        );
        var service = _registry.Acquire("s", config, new TimeoutsConfig());
        _time.Advance(TimeSpan.FromSeconds(30));
        Assert.Empty(_answers.Seen);
        service.Health!.Start();
        service.Health.Start();
        _time.Advance(TimeSpan.FromMilliseconds(1));
        await Until.TrueAsync(() => _answers.Seen.Count == 1);
    }

    /// <summary>A reload that is only validated must not bring an unhealthy instance back; one without checks has to.</summary>
    [Fact]
    public void Reload_WithoutTheChecksOrEjection_TrustsTheInstancesOnceItIsLive()
    {
        var service = Create(3, new() { Passive = new() { ConsecutiveFailures = 1 } });
        var (ejected, unhealthy) = (service.Instances.All[0], service.Instances.All[1]);
        service.Health!.Attempted(ejected, End(503, null));
        unhealthy.Health.IsUnhealthy = true;

        var next = _registry.Acquire("s", Config(3, new(), 0) with { Health = null }, new TimeoutsConfig());
        Assert.Equal((Unavailability.Ejected, Unavailability.Unhealthy), (ejected.Health.Unavailability, unhealthy.Health.Unavailability));
        next.Start();
        Assert.Equal((true, true), (ejected.Health.IsAvailable, unhealthy.Health.IsAvailable));
        Assert.Equal(3, Picked(next).Count);
    }

    private Service Create(int instances, HealthConfig health, double panic = 0)
    {
        var service = _registry.Acquire("s", Config(instances, health, panic), new TimeoutsConfig());
        service.Health!.Start();
        return service;
    }

    private ServiceConfig Config(int instances, HealthConfig health, double panic) =>
        new()
        {
            Instances = [.. Enumerable.Range(0, instances).Select(i => new InstanceConfig { Address = new Uri($"http://i{i}") })],
            Health = health,
            Panic = panic,
            Handler = () => _answers,
        };

    /// <summary>Instances that answer what the test says, by the first segment of the path.</summary>
    private sealed class Answers : HttpMessageHandler
    {
        private readonly ConcurrentDictionary<string, Func<HttpRequestMessage, CancellationToken, Task<HttpResponseMessage>>> _answers =
            new();
        private readonly ConcurrentQueue<string> _seen = new();

        public ConcurrentQueue<string> Seen => _seen;

        public static HttpResponseMessage Of(int status) => new((HttpStatusCode)status) { Content = new StringContent("{}") };

        public void On(string segment, Func<HttpRequestMessage, HttpResponseMessage> answer) =>
            _answers[segment] = (request, _) => Task.FromResult(answer(request));

        /// <summary>Never answers.</summary>
        /// <returns>Ends when the request is given up.</returns>
        public Task Wait(string segment)
        {
            var aborted = new TaskCompletionSource<HttpResponseMessage>();
            _answers[segment] = (_, cancellation) =>
            {
                cancellation.Register(() => aborted.TrySetCanceled(cancellation));
                return aborted.Task;
            };
            return aborted.Task.ContinueWith(t => Assert.True(t.IsCanceled), TaskScheduler.Default);
        }

        public int Count(string segment) => _seen.Count(s => s.Contains(" /" + segment, StringComparison.Ordinal));

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            _seen.Enqueue($"{request.Method} {request.RequestUri!.PathAndQuery}");
            return _answers[request.RequestUri.AbsolutePath[1..]](request, cancellationToken);
        }
    }
}
