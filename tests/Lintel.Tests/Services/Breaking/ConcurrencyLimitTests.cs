using Lintel.Config;
using Lintel.Errors;
using Lintel.Services.Attempts;
using Lintel.Services.Breaking;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Services.Breaking;

/// <summary>The adaptive limit in front of a simulated service with a queue, in the time of a fake clock.</summary>
public sealed class ConcurrencyLimitTests
{
    [Theory]
    [InlineData(10, 20, true)]
    [InlineData(10, 20, false)]
    [InlineData(50, 50, true)]
    [InlineData(50, 50, false)]
    [InlineData(20, 200, true)]
    [InlineData(4, 100, true)]
    public void Overload_OfTenTimesTheCapacity_KeepsThroughputAndLatency(int capacity, int milliseconds, bool isRandom)
    {
        var service = new SimulatedService(capacity, milliseconds / 1000.0, isRandom);
        service.Run(seconds: 30, load: 10);
        var result = service.Run(seconds: 60, load: 10);
        Assert.InRange(result.Throughput, 0.9, 1.1);
        Assert.InRange(result.Latency, 1, 2);
        Assert.InRange(service.Limit, capacity, 3 * capacity);
        Assert.True(result.Refused > 0.85);
    }

    /// <summary>The queue of a service that is overloaded must not pass for its usual latency, however long it lasts.</summary>
    [Fact]
    public void Overload_ThatLasts_DoesNotRaiseTheLimit()
    {
        var service = new SimulatedService(20, 0.05, isRandom: false);
        service.Run(seconds: 30, load: 10);
        var limit = service.Limit;
        for (var minute = 0; minute < 5; minute++)
            Assert.InRange(service.Run(seconds: 60, load: 10).Latency, 1, 2);
        Assert.InRange(service.Limit, limit / 2, 2 * limit);
    }

    [Fact]
    public void Capacity_ThatHalvesAndReturns_IsFollowed()
    {
        var service = new SimulatedService(40, 0.05, isRandom: true);
        service.Run(seconds: 20, load: 10);
        service.Capacity = 20;
        service.Run(seconds: 10, load: 10);
        var halved = service.Run(seconds: 20, load: 10);
        Assert.InRange(halved.Throughput, 0.45, 0.55);
        Assert.InRange(halved.Latency, 1, 2);
        Assert.InRange(service.Limit, 10, 40);
        service.Capacity = 40;
        service.Run(seconds: 10, load: 10);
        Assert.InRange(service.Run(seconds: 20, load: 10).Throughput, 0.9, 1.1);
    }

    [Theory]
    [InlineData(0.05)]
    [InlineData(0.5)]
    [InlineData(0.8)]
    public void Load_BelowTheCapacity_IsNotRefused(double load)
    {
        var service = new SimulatedService(40, 0.05, isRandom: true);
        service.Run(seconds: 10, load);
        var result = service.Run(seconds: 120, load);
        Assert.InRange(result.Refused, 0, 0.001);
        Assert.InRange(service.Limit, ConcurrencyLimit.First, 1000);
    }

    [Fact]
    public void IdleTimesAndBursts_LeaveTheLimit()
    {
        var service = new SimulatedService(40, 0.05, isRandom: true);
        service.Run(seconds: 20, load: 10);
        var before = service.Limit;
        service.Run(seconds: 300, load: 0);
        Assert.InRange(service.Limit, before * 0.8, before * 1.2); // the last answers came after the load
        service.Run(seconds: 300, load: 0.01);
        Assert.InRange(service.Limit, before / 2, 2 * before);
        for (var burst = 0; burst < 20; burst++)
        {
            var result = service.Run(seconds: 1, load: 5);
            Assert.InRange(result.Throughput, 0.7, 1.3);
            service.Run(seconds: 9, load: 0.1);
            Assert.InRange(service.Limit, before / 3, 4 * before);
        }
    }

    [Fact]
    public void LargeService_FindsItsLimitWithinSeconds()
    {
        var service = new SimulatedService(1000, 0.1, isRandom: true);
        service.Run(seconds: 10, load: 0.5);
        Assert.InRange(service.Run(seconds: 5, load: 0.5).Refused, 0, 0.001);
        Assert.InRange(service.Limit, 500, 1000);
    }

    /// <summary>Streams hold their places: a measurement that waits for them ends, and gives the places back.</summary>
    [Fact]
    public void Measurement_WithAttemptsThatDoNotEnd_IsGivenUp()
    {
        var time = new FakeTimeProvider();
        var limit = new ConcurrencyLimit(1000, time);
        for (var i = 0; i < 50; i++)
            limit.Ended(End(time), active: 32);
        limit.Entered(32);
        limit.Refused();
        time.Advance(TimeSpan.FromMilliseconds(100));
        limit.Ended(End(time), active: 32);
        Assert.Equal(8, limit.Current); // a quarter
        time.Advance(TimeSpan.FromSeconds(2));
        limit.Refused();
        Assert.Equal(32, limit.Current);
    }

    [Theory]
    [InlineData(nameof(GatewayErrorKind.ConnectionTimeout), 5000, 0)] // never reached the service
    [InlineData(nameof(GatewayErrorKind.ConnectionTerminated), 1, 0)] // faster than an answer
    [InlineData(nameof(GatewayErrorKind.ClientAborted), 5000, 0)]
    [InlineData(nameof(GatewayErrorKind.ResponseTimeout), 5000, 1)]
    public void Failure_CountsIfItTookItsTimeInTheService(string kind, int milliseconds, int lowered)
    {
        var time = new FakeTimeProvider();
        var limit = new ConcurrencyLimit(1000, time);
        for (var window = 0; window < 3; window++)
        {
            limit.Entered(32);
            for (var i = 0; i <= 50; i++)
            {
                limit.Ended(End(time), active: 20);
                time.Advance(TimeSpan.FromMilliseconds(2));
            }
        }

        var before = limit.Current;
        for (var i = 0; i <= 200; i++)
        {
            limit.Entered(before);
            var error = new GatewayError(Enum.Parse<GatewayErrorKind>(kind));
            var end = new AttemptEnd(
                AttemptVerdicts.Of(null, error),
                null,
                error,
                time.GetTimestamp(),
                TimeSpan.FromMilliseconds(milliseconds)
            );
            limit.Ended(end, active: before);
            time.Advance(TimeSpan.FromMilliseconds(2));
        }

        Assert.Equal(lowered, Math.Sign(before - limit.Current));
    }

    [Fact]
    public void Latency_OfAStream_IsThatOfItsHead()
    {
        var time = new FakeTimeProvider();
        var limit = new ConcurrencyLimit(1000, time);
        for (var i = 0; i <= 60; i++)
        {
            limit.Ended(End(time, TimeSpan.FromHours(1)) with { Latency = TimeSpan.FromMilliseconds(10) }, active: 10);
            time.Advance(TimeSpan.FromMilliseconds(2));
        }

        Assert.InRange(limit.NoLoad!.Value.TotalMilliseconds, 9.7, 10.3);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(100)]
    [InlineData(7_777)]
    [InlineData(123_456_789)]
    public void Median_OfAnyLatency_IsExactToThreePercent(long ticks)
    {
        var median = new LatencyMedian();
        for (var i = 1; i <= 9; i++)
            median.Add(new TimeSpan(ticks * i));
        Assert.InRange(median.Take() * TimeSpan.TicksPerSecond, 0.97 * 5 * ticks, 1.032 * 5 * ticks);
        Assert.Equal(0, median.Count);
        median.Add(TimeSpan.Zero);
        median.Add(TimeSpan.MaxValue);
        median.Add(TimeSpan.MaxValue);
        Assert.True(median.Take() > 86_400);
    }

    private static AttemptEnd End(FakeTimeProvider time, TimeSpan? duration = null) =>
        new(AttemptVerdict.Success, 200, null, time.GetTimestamp(), duration ?? TimeSpan.FromMilliseconds(10));

    /// <param name="Throughput">Answers as a share of the capacity at first.</param>
    /// <param name="Latency">The mean latency of the answers, in that without load.</param>
    /// <param name="Refused">Refused requests as a share of all.</param>
    private readonly record struct Result(double Throughput, double Latency, double Refused);

    /// <summary>A service that works on some requests at a time and queues the others (M/M/C, or M/D/C), behind a bulkhead.</summary>
    private sealed class SimulatedService(int capacity, double mean, bool isRandom)
    {
        private readonly FakeTimeProvider _time = new();
        private readonly Random _random = new(1);
        private readonly PriorityQueue<double, double> _working = new(); // began, by the time of the end
        private readonly Queue<double> _waiting = new();
        private readonly double _full = capacity / mean;
        private Bulkhead? _bulkhead;
        private double _now;

        public int Capacity { get; set; } = capacity;

        public int Limit => Guard.Limit;

        private Bulkhead Guard => _bulkhead ??= new Bulkhead(new ServiceLimitsConfig { Adaptive = true }, _time);

        /// <param name="seconds">How long.</param>
        /// <param name="load">Requests as a multiple of the capacity at first.</param>
        public Result Run(double seconds, double load)
        {
            var (end, all, refused, answered, latency) = (_now + seconds, 0, 0, 0, 0.0);
            var next = _now + Next(load);
            while (true)
            {
                var isEnd = _working.TryPeek(out _, out var done) && done <= Math.Min(next, end);
                if (!isEnd && next > end)
                    break;
                MoveTo(isEnd ? done : next);
                if (isEnd)
                {
                    var took = _now - _working.Dequeue();
                    answered++;
                    latency += took;
                    Guard.Exit(new AttemptEnd(AttemptVerdict.Success, 200, null, _time.GetTimestamp(), TimeSpan.FromSeconds(took)));
                }
                else
                {
                    all++;
                    if (Guard.TryEnter())
                        _waiting.Enqueue(_now);
                    else
                        refused++;
                    next = _now + Next(load);
                }

                while (_working.Count < Capacity && _waiting.TryDequeue(out var began))
                    _working.Enqueue(began, _now + Duration());
            }

            MoveTo(end);
            return new Result(answered / (_full * seconds), latency / answered / mean, refused / (double)Math.Max(1, all));
        }

        private void MoveTo(double now)
        {
            _now = now;
            _time.Advance(TimeSpan.FromSeconds(now) - (_time.GetUtcNow() - _time.Start));
        }

        private double Next(double load) => load == 0 ? double.MaxValue : Exponential() / (load * _full);

        private double Duration() => isRandom ? Exponential() * mean : mean;

        private double Exponential() => -Math.Log(1 - _random.NextDouble());
    }
}
