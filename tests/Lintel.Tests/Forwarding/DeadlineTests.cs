using Lintel.Errors;
using Lintel.Forwarding;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Forwarding;

public sealed class DeadlineTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void Head_OfARequestWithoutBody_IsDueFromTheBeginning()
    {
        using var deadline = Begin(TimeSpan.FromSeconds(3), null, hasBody: false);
        Pass(2.9);
        Assert.False(deadline.IsOver);
        Pass(0.2);
        Assert.True(deadline.IsOver);
        Assert.Equal(GatewayErrorKind.ResponseTimeout, deadline.Expired);
    }

    [Fact]
    public void Head_OfARequestWithBody_IsDueFromTheBodysEnd()
    {
        using var deadline = Begin(TimeSpan.FromSeconds(3), null, hasBody: true);
        Pass(100);
        Assert.False(deadline.IsOver);
        Assert.False(deadline.IsBodySent);
        deadline.BodySent();
        Pass(3.1);
        Assert.True(deadline.IsOver);
    }

    [Fact]
    public void Head_ThatCame_EndsTheWait_EvenBeforeTheBodyWasSent()
    {
        using var deadline = Begin(TimeSpan.FromSeconds(3), null, hasBody: true);
        deadline.HeadCame();
        deadline.BodySent();
        Pass(100);
        Assert.False(deadline.IsOver);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Call_HasItsOwnTime_WhateverElseHappens(bool hasBody)
    {
        using var deadline = Begin(TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(2), hasBody);
        Pass(1);
        deadline.BodySent();
        deadline.HeadCame();
        Pass(0.9);
        Assert.False(deadline.IsOver);
        Pass(0.2);
        Assert.True(deadline.IsOver);
        Assert.Equal(GatewayErrorKind.DeadlineExceeded, deadline.Expired);
    }

    [Fact]
    public void Call_WithMoreTimeThanTheHead_IsCutByTheHead()
    {
        using var deadline = Begin(TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(60), hasBody: true);
        deadline.BodySent();
        Pass(3.1);
        Assert.True(deadline.IsOver);
        Assert.Equal(GatewayErrorKind.ResponseTimeout, deadline.Expired);
    }

    [Fact]
    public void LimitOfAnAttempt_EndsIt_AndNotTheRequest()
    {
        using var deadline = Begin(TimeSpan.FromSeconds(3), null, hasBody: false);
        deadline.BeginTry(TimeSpan.FromSeconds(1), _time.GetTimestamp());
        Assert.Equal(TimeSpan.FromSeconds(1), deadline.Left);
        Pass(1.1);
        Assert.Equal((false, GatewayErrorKind.ResponseTimeout), (deadline.IsOver, deadline.Expired));
        deadline.BeginTry(TimeSpan.FromSeconds(1), _time.GetTimestamp());
        Assert.Null(deadline.Expired);
        deadline.Expire(); // the forwarder's timer
        Assert.Equal((false, GatewayErrorKind.ResponseTimeout), (deadline.IsOver, deadline.Expired));
        Pass(1.5);
        deadline.BeginTry(TimeSpan.FromSeconds(1), _time.GetTimestamp());
        Assert.True(deadline.Left < TimeSpan.FromSeconds(0.5)); // what is left of the request
        deadline.Expire();
        Assert.True(deadline.IsOver);
    }

    [Fact]
    public void LimitOfAnAttempt_CancelsATokenOfItsOwn()
    {
        using var deadline = Begin(TimeSpan.FromSeconds(3), null, hasBody: true);
        deadline.BeginTry(TimeSpan.FromSeconds(1), _time.GetTimestamp());
        var first = deadline.Token;
        Pass(2);
        Assert.False(first.IsCancellationRequested); // the body is still being sent
        deadline.BodySent();
        Pass(1.1);
        Assert.Equal((true, false), (first.IsCancellationRequested, deadline.IsOver));
        deadline.BeginTry(TimeSpan.FromSeconds(1), _time.GetTimestamp());
        var second = deadline.Token;
        Assert.False(second.IsCancellationRequested);
        deadline.BodySent(); // again: the body is replayed
        deadline.HeadCame();
        Pass(100);
        Assert.Equal((false, false), (second.IsCancellationRequested, deadline.IsOver));
    }

    [Fact]
    public void Head_AfterTheTokenWasCanceled_IsTooLate_AndAnotherAttemptHasItsOwnTime()
    {
        using var deadline = Begin(TimeSpan.FromSeconds(3), null, hasBody: false);
        deadline.BeginTry(TimeSpan.FromSeconds(1), _time.GetTimestamp());
        var token = deadline.Token;
        Pass(1);
        Assert.True(token.IsCancellationRequested);
        Assert.False(deadline.HeadCame());
        Assert.Equal((false, GatewayErrorKind.ResponseTimeout), (deadline.IsOver, deadline.Expired));
    }

    [Fact]
    public void Head_ThatCameBeforeTheTimer_IsInTime_AndItsTokenIsNeverCanceled()
    {
        var time = new LateTimers();
        using var deadline = Deadline.Begin(TimeSpan.FromSeconds(3), null, hasBody: false, time, time.GetTimestamp());
        deadline.BeginTry(TimeSpan.FromSeconds(1), time.GetTimestamp());
        var token = deadline.Token;
        Assert.True(deadline.HeadCame());
        time.Advance(TimeSpan.FromSeconds(5));
        time.Fire(); // it was on its way when the head came
        Assert.Equal((false, false), (token.IsCancellationRequested, deadline.IsOver));
        Assert.Null(deadline.Expired);
    }

    [Fact]
    public void Timer_ThatFiresEarly_IsSetAgain()
    {
        var time = new LateTimers();
        using var deadline = Deadline.Begin(TimeSpan.FromSeconds(3), null, hasBody: false, time, time.GetTimestamp());
        var token = deadline.Token;
        time.Advance(TimeSpan.FromSeconds(3) - TimeSpan.FromTicks(1));
        time.Fire();
        Assert.Equal((false, TimeSpan.FromMilliseconds(1)), (token.IsCancellationRequested, time.Due));
        time.Advance(TimeSpan.FromTicks(1));
        time.Fire();
        Assert.Equal((true, true), (token.IsCancellationRequested, deadline.IsOver));
    }

    [Fact]
    public void Calls_AfterTheEnd_AreHarmless()
    {
        var deadline = Begin(TimeSpan.FromSeconds(3), null, hasBody: true);
        deadline.Dispose();
        deadline.BodySent();
        deadline.HeadCame();
        Assert.True(deadline.IsBodySent);
    }

    [Fact]
    public void Deadline_AfterOneThatWasOver_BeginsAnew()
    {
        var first = Begin(TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(2), hasBody: false);
        first.HeadCame();
        first.Expire();
        first.Dispose();
        using var second = Begin(TimeSpan.FromSeconds(5), null, hasBody: false);
        Assert.Same(first, second);
        Assert.False(second.IsOver);
        Assert.Equal(TimeSpan.FromSeconds(5), second.Left);
        Assert.Null(second.Expired);
        second.HeadCame();
        Pass(100);
        Assert.False(second.IsOver);
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void Deadline_ThatOthersMayKnow_IsNotUsedAgain(bool hasBody, bool hasToken)
    {
        var first = Begin(TimeSpan.FromSeconds(3), null, hasBody);
        if (hasToken)
            Assert.False(first.Token.IsCancellationRequested);
        first.Dispose();
        using var second = Begin(TimeSpan.FromSeconds(3), null, hasBody: false);
        Assert.NotSame(first, second);
    }

    [Fact]
    public void Latency_OfAnAttempt_IsFromItsStartToTheHead_AndTakenOnce()
    {
        using var deadline = Begin(TimeSpan.FromSeconds(30), null, hasBody: false);
        deadline.Measures = true;
        Pass(5); // an attempt before
        var began = _time.GetTimestamp();
        Assert.Null(deadline.TakeLatency(began));
        Pass(2);
        deadline.HeadCame();
        Pass(7); // the body
        Assert.Equal(TimeSpan.FromSeconds(2), deadline.TakeLatency(began));
        Assert.Null(deadline.TakeLatency(began));
    }

    [Theory]
    [InlineData(true, 3)]
    [InlineData(false, 13)] // the service answered before the end of the body
    public void Latency_OfARequestWithBody_IsFromTheBodysEnd(bool isSentFirst, double expected)
    {
        using var deadline = Begin(TimeSpan.FromSeconds(30), null, hasBody: true);
        deadline.Measures = true;
        var began = _time.GetTimestamp();
        Pass(10);
        if (isSentFirst)
            deadline.BodySent();
        Pass(3);
        deadline.HeadCame();
        Pass(1);
        if (!isSentFirst)
            deadline.BodySent();
        Assert.Equal(TimeSpan.FromSeconds(expected), deadline.TakeLatency(began));
    }

    private Deadline Begin(TimeSpan head, TimeSpan? call, bool hasBody) => Deadline.Begin(head, call, hasBody, _time, _time.GetTimestamp());

    private void Pass(double seconds) => _time.Advance(TimeSpan.FromSeconds(seconds));

    /// <summary>A clock whose timer fires when the test says so.</summary>
    private sealed class LateTimers : TimeProvider, ITimer
    {
        private TimeSpan _now;
        private TimerCallback? _callback;
        private object? _state;

        public TimeSpan Due { get; private set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _now.Ticks;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            (_callback, _state, Due) = (callback, state, dueTime);
            return this;
        }

        public void Advance(TimeSpan time) => _now += time;

        public void Fire() => _callback!(_state);

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            Due = dueTime;
            return true;
        }

        public void Dispose() { }

        public ValueTask DisposeAsync() => default;
    }
}
