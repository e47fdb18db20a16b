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
        using var deadline = Deadline.Begin(TimeSpan.FromSeconds(3), null, hasBody: false, _time, _time.GetTimestamp());
        Pass(2.9);
        Assert.False(deadline.IsOver);
        Pass(0.2);
        Assert.True(deadline.IsOver);
        Assert.Equal(GatewayErrorKind.ResponseTimeout, deadline.Kind);
    }

    [Fact]
    public void Head_OfARequestWithBody_IsDueFromTheBodysEnd()
    {
        using var deadline = Deadline.Begin(TimeSpan.FromSeconds(3), null, hasBody: true, _time, _time.GetTimestamp());
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
        using var deadline = Deadline.Begin(TimeSpan.FromSeconds(3), null, hasBody: true, _time, _time.GetTimestamp());
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
        using var deadline = Deadline.Begin(TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(2), hasBody, _time, _time.GetTimestamp());
        Pass(1);
        deadline.BodySent();
        deadline.HeadCame();
        Pass(0.9);
        Assert.False(deadline.IsOver);
        Pass(0.2);
        Assert.True(deadline.IsOver);
        Assert.Equal(GatewayErrorKind.DeadlineExceeded, deadline.Kind);
    }

    [Fact]
    public void Call_WithMoreTimeThanTheHead_IsCutByTheHead()
    {
        using var deadline = Deadline.Begin(TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(60), hasBody: true, _time, _time.GetTimestamp());
        deadline.BodySent();
        Pass(3.1);
        Assert.True(deadline.IsOver);
        Assert.Equal(GatewayErrorKind.ResponseTimeout, deadline.Kind);
    }

    [Fact]
    public void Calls_AfterTheEnd_AreHarmless()
    {
        var deadline = Deadline.Begin(TimeSpan.FromSeconds(3), null, hasBody: true, _time, _time.GetTimestamp());
        deadline.Dispose();
        deadline.BodySent();
        deadline.HeadCame();
        Assert.True(deadline.IsBodySent);
    }

    private void Pass(double seconds) => _time.Advance(TimeSpan.FromSeconds(seconds));
}
