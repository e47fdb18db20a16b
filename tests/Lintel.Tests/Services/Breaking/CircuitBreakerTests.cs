using Lintel.Config;
using Lintel.Errors;
using Lintel.Services;
using Lintel.Services.Attempts;
using Lintel.Services.Breaking;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Services.Breaking;

public sealed class CircuitBreakerTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly CircuitBreaker _breaker;

    public CircuitBreakerTests() =>
        _breaker = new CircuitBreaker(
            "s",
            new BreakerConfig { MinimumRequests = 10, OpenFor = TimeSpan.FromSeconds(5) },
            new ServiceParts(_time, new Random(1), TestMetrics.Create(), NullLogger.Instance)
        );

    [Fact]
    public void Failures_BelowTheMinimum_OrTheRatio_LeaveItClosed()
    {
        for (var i = 0; i < 9; i++)
            Attempt(AttemptVerdict.Failure);
        Assert.Equal(BreakerState.Closed, _breaker.State);
        _time.Advance(TimeSpan.FromSeconds(11)); // out of the window
        for (var i = 0; i < 100; i++)
            Attempt(i % 5 < 3 ? AttemptVerdict.Success : AttemptVerdict.Failure); // 40 %
        Assert.Equal(BreakerState.Closed, _breaker.State);
    }

    [Fact]
    public void Failures_AtTheRatio_OpenIt_AndEveryAttemptIsRefused_WithTheTimeLeft()
    {
        Open();
        _time.Advance(TimeSpan.FromSeconds(1.5));
        var refusal = _breaker.Enter(_time.GetTimestamp(), out var isProbe);
        Assert.Equal((GatewayErrorKind.CircuitOpen, false), (refusal!.Kind, isProbe));
        Assert.Equal([KeyValuePair.Create("Retry-After", "4")], refusal.Headers); // 3.5 s
    }

    [Fact]
    public void Probes_ThatAllSucceed_CloseIt_WithAnEmptyWindow()
    {
        Open();
        _time.Advance(TimeSpan.FromSeconds(5));
        for (var i = 0; i < 3; i++)
        {
            Assert.Null(_breaker.Enter(_time.GetTimestamp(), out var isProbe));
            Assert.True(isProbe);
        }

        Assert.Equal(BreakerState.HalfOpen, _breaker.State);
        Assert.NotNull(_breaker.Enter(_time.GetTimestamp(), out _)); // no more than three at a time
        for (var i = 0; i < 3; i++)
            _breaker.Record(_time.GetTimestamp(), AttemptVerdict.Success, isProbe: true);
        Assert.Equal(BreakerState.Closed, _breaker.State);
        Attempt(AttemptVerdict.Failure);
        Assert.Equal(BreakerState.Closed, _breaker.State);
    }

    [Fact]
    public void Probe_ThatFails_OpensItForAsLongAgain()
    {
        Open();
        _time.Advance(TimeSpan.FromSeconds(5));
        Attempt(AttemptVerdict.Failure);
        Assert.Equal(BreakerState.Open, _breaker.State);
        _time.Advance(TimeSpan.FromSeconds(4.9));
        Assert.NotNull(_breaker.Enter(_time.GetTimestamp(), out _));
        _time.Advance(TimeSpan.FromSeconds(0.2));
        Assert.Null(_breaker.Enter(_time.GetTimestamp(), out _));
    }

    [Fact]
    public void Probe_ThatSaysNothing_LetsAnotherOneFollow()
    {
        Open();
        _time.Advance(TimeSpan.FromSeconds(5));
        for (var i = 0; i < 20; i++)
            Attempt(AttemptVerdict.Neutral); // clients that disconnect must not keep it half-open for ever
        for (var i = 0; i < 3; i++)
            Attempt(AttemptVerdict.Success);
        Assert.Equal(BreakerState.Closed, _breaker.State);
    }

    [Fact]
    public void Attempts_OfAnEarlierState_DoNotCount()
    {
        Open();
        _breaker.Record(_time.GetTimestamp(), AttemptVerdict.Failure, isProbe: false);
        _time.Advance(TimeSpan.FromSeconds(5));
        Assert.Null(_breaker.Enter(_time.GetTimestamp(), out _));
        _breaker.Record(_time.GetTimestamp(), AttemptVerdict.Failure, isProbe: false); // began before it opened
        Assert.Equal(BreakerState.HalfOpen, _breaker.State);
    }

    [Fact]
    public async Task ConcurrentAttempts_NeverAdmitMoreProbesThanConfigured()
    {
        for (var round = 0; round < 50; round++)
        {
            if (_breaker.State == BreakerState.Closed)
                Open();
            _time.Advance(TimeSpan.FromSeconds(5));
            var probes = 0;
            await Task.WhenAll(
                Enumerable
                    .Range(0, 8)
                    .Select(_ =>
                        Task.Run(() =>
                        {
                            for (var i = 0; i < 100; i++)
                            {
                                if (_breaker.Enter(_time.GetTimestamp(), out var isProbe) is null && isProbe)
                                    Interlocked.Increment(ref probes);
                            }
                        })
                    )
            );
            Assert.Equal(3, probes);
            _breaker.Record(_time.GetTimestamp(), AttemptVerdict.Failure, isProbe: true);
        }
    }

    private void Open()
    {
        for (var i = 0; i < 5; i++)
            Attempt(AttemptVerdict.Success);
        for (var i = 0; i < 5; i++)
            Attempt(AttemptVerdict.Failure);
        Assert.Equal(BreakerState.Open, _breaker.State);
    }

    private void Attempt(AttemptVerdict verdict)
    {
        Assert.Null(_breaker.Enter(_time.GetTimestamp(), out var isProbe));
        _breaker.Record(_time.GetTimestamp(), verdict, isProbe);
    }
}
