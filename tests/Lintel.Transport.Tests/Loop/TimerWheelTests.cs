using Lintel.Transport.Loop;

namespace Lintel.Transport.Tests.Loop;

public sealed class TimerWheelTests
{
    private readonly TimerWheel _wheel = new(1_000_000, static t => t.Fire());

    [Theory]
    [InlineData(1)]
    [InlineData(10)]
    [InlineData(995)]
    [InlineData(10_240)]
    [InlineData(300_000)]
    public void Timer_Fires_NeverEarlyAndHardlyLate(int after)
    {
        var timer = new Counter();
        _wheel.Set(timer, 1_000_000 + after);
        var now = 1_000_000L;
        while (timer.Fired == 0 && now < 1_400_000)
        {
            now += Math.Max(1, Math.Min(_wheel.Sleep(now), 1000));
            _wheel.Advance(now);
        }

        Assert.InRange(now, 1_000_000 + after, 1_000_000 + after + (2 * TimerWheel.Tick));
        Assert.Equal(0, _wheel.Count);
        Assert.Equal(-1, _wheel.Sleep(now));
    }

    [Fact]
    public void Timer_MovedLater_FiresThenAlone()
    {
        var timer = new Counter();
        Assert.True(_wheel.Set(timer, 1_000_100));
        Assert.False(_wheel.Set(timer, 1_000_500)); // stays where it is filed
        _wheel.Advance(1_000_300);
        Assert.Equal(0, timer.Fired);
        _wheel.Advance(1_000_520);
        Assert.Equal(1, timer.Fired);
    }

    [Fact]
    public void Timer_MovedEarlier_FiresThen()
    {
        var timer = new Counter();
        _wheel.Set(timer, 1_005_000);
        Assert.True(_wheel.Set(timer, 1_000_100));
        _wheel.Advance(1_000_120);
        Assert.Equal(1, timer.Fired);
        _wheel.Advance(1_006_000);
        Assert.Equal(1, timer.Fired);
    }

    [Fact]
    public void Timer_Removed_NeverFires()
    {
        var (gone, stays) = (new Counter(), new Counter());
        _wheel.Set(gone, 1_000_100);
        _wheel.Set(stays, 1_000_100);
        _wheel.Remove(gone);
        _wheel.Advance(1_000_200);
        Assert.Equal((0, 1), (gone.Fired, stays.Fired));
    }

    [Fact]
    public void Sleep_OfManyRevolutions_LosesNoTimer()
    {
        var timers = Enumerable.Range(1, 500).Select(i => (Timer: new Counter(), Due: 1_000_000 + (i * 97L))).ToList();
        timers.ForEach(t => _wheel.Set(t.Timer, t.Due));
        _wheel.Advance(1_030_000);
        Assert.All(timers, t => Assert.Equal(t.Due <= 1_030_000 ? 1 : 0, t.Timer.Fired));
        _wheel.Advance(9_000_000);
        Assert.All(timers, t => Assert.Equal(1, t.Timer.Fired));
    }

    [Fact]
    public void Timer_ThatSetsItselfAgain_GoesOn()
    {
        var timer = new Counter();
        timer.Action = () => _wheel.Set(timer, 1_000_000 + (100 * (timer.Fired + 1)));
        _wheel.Set(timer, 1_000_100);
        for (var now = 1_000_000L; now <= 1_001_050; now += 10)
            _wheel.Advance(now);
        Assert.InRange(timer.Fired, 9, 10);
    }

    /// <summary>
    /// While the loop processes timers another thread moves, stops or removes them. The last operation takes effect, whichever was first.
    /// </summary>
    [Fact]
    public async Task Timers_MovedOrStoppedWhileTheLoopLooks_DoWhatWasSaidLast()
    {
        const int Rounds = 20;
        var random = new Random(4);
        var timers = Enumerable.Range(0, 20_000).Select(i => (Timer: new Counter(), Kind: i * 7 % 4)).ToArray();
        var now = 1_000_000L;
        for (var round = 0; round < Rounds; round++, now += 1000)
        {
            foreach (var (timer, _) in timers)
            {
                timer.Reset();
                _wheel.Set(timer, now + 10);
                if (random.Next(2) == 0)
                    _wheel.Set(timer, now + 25); // it is still filed where it was
            }

            // The wheel visits the most recently added timer first: both threads visit them in the same order, and meet.
            using var begin = new Barrier(2);
            var behind = random.Next(timers.Length);
            var begun = now;
            var changing = Task.Run(() =>
            {
                begin.SignalAndWait();
                for (var i = timers.Length - 1; i >= 0; i--)
                    Change(timers[(i + behind) % timers.Length], begun);
            });
            begin.SignalAndWait();
            _wheel.Advance(now + 20);
            await changing;
            var before = Array.ConvertAll(timers, t => t.Timer.Fired);
            _wheel.Advance(now + 500);
            for (var i = 0; i < timers.Length; i++)
            {
                var (timer, kind) = timers[i];
                if (kind == 0)
                    Assert.Equal(1, timer.Fired - before[i]); // later than the first look, in every case
                else if (kind == 1)
                    Assert.InRange(timer.Fired, 1, 2); // for the first time, if that was quicker, and for the second
                else
                    Assert.Equal(before[i], timer.Fired);
                Assert.Equal(LoopTimer.Never, timer.Due);
            }

            Assert.Equal(0, _wheel.Count);
        }
    }

    private void Change((Counter Timer, int Kind) change, long begun)
    {
        switch (change.Kind)
        {
            case 0:
                _wheel.Set(change.Timer, begun + 40);
                break;
            case 1:
                _wheel.Set(change.Timer, begun + 1);
                break;
            case 2:
                EventLoop.Stop(change.Timer);
                break;
            default:
                _wheel.Remove(change.Timer);
                break;
        }
    }

    private sealed class Counter : LoopTimer
    {
        public int Fired { get; private set; }

        public Action? Action { get; set; }

        public void Reset() => Fired = 0;

        protected internal override void Fire()
        {
            Fired++;
            Action?.Invoke();
        }
    }
}
