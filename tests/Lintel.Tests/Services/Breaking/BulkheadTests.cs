using Lintel.Config;
using Lintel.Errors;
using Lintel.Services.Attempts;
using Lintel.Services.Breaking;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Services.Breaking;

public sealed class BulkheadTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task Attempts_BeyondTheLimit_AreRefused_WithoutAQueue()
    {
        var bulkhead = Create(concurrent: 2, queue: 0);
        Assert.True(bulkhead.TryEnter());
        Assert.True(bulkhead.TryEnter());
        Assert.False(bulkhead.TryEnter());
        Assert.Same(Bulkhead.Full, await bulkhead.WaitAsync(null, default));
        bulkhead.Exit(default);
        Assert.True(bulkhead.TryEnter());
        Assert.Equal(2, bulkhead.Active);
    }

    [Fact]
    public async Task Queue_IsFirstComeFirstServed_AndNobodyPasses()
    {
        var bulkhead = Create(concurrent: 1, queue: 2);
        Assert.True(bulkhead.TryEnter());
        var first = bulkhead.WaitAsync(null, default).AsTask();
        var second = bulkhead.WaitAsync(null, default).AsTask();
        Assert.Same(Bulkhead.Full, await bulkhead.WaitAsync(null, default));
        bulkhead.Exit(default);
        Assert.Null(await first);
        Assert.False(second.IsCompleted);
        Assert.False(bulkhead.TryEnter());
        bulkhead.Exit(default);
        Assert.Null(await second);
        Assert.Equal((1, 0), (bulkhead.Active, bulkhead.Queued));
        bulkhead.Exit(default);
        Assert.Equal(0, bulkhead.Active);
    }

    [Theory]
    [InlineData(null)] // the queue's own time
    [InlineData(0.5)] // what is left of the request
    public async Task Wait_EndsInTime(double? left)
    {
        var bulkhead = Create(concurrent: 1, queue: 2);
        Assert.True(bulkhead.TryEnter());
        var wait = bulkhead.WaitAsync(left is { } l ? TimeSpan.FromSeconds(l) : null, default).AsTask();
        _time.Advance(TimeSpan.FromSeconds((left ?? 1) - 0.1));
        Assert.False(wait.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(0.2));
        Assert.Equal(GatewayErrorKind.ServiceBusy, (await wait)!.Kind);
        Assert.Equal((1, 0), (bulkhead.Active, bulkhead.Queued));
    }

    [Fact]
    public async Task Wait_OfAClientThatDisconnects_FreesItsPlace()
    {
        var bulkhead = Create(concurrent: 1, queue: 1);
        Assert.True(bulkhead.TryEnter());
        using var client = new CancellationTokenSource();
        var wait = bulkhead.WaitAsync(null, client.Token).AsTask();
        await client.CancelAsync();
        Assert.Equal(GatewayErrorKind.ClientAborted, (await wait)!.Kind);
        Assert.Equal(0, bulkhead.Queued);
    }

    [Fact]
    public void AdaptiveLimit_ThatFalls_AdmitsNobodyFromTheQueue_AndOneThatRisesSeveral()
    {
        var bulkhead = new Bulkhead(
            new ServiceLimitsConfig
            {
                Adaptive = true,
                Queue = 200,
                QueueTimeout = TimeSpan.FromMinutes(1),
            },
            _time
        );
        Assert.Equal((ConcurrencyLimit.First, 32), (bulkhead.Limit, ConcurrencyLimit.First));
        while (bulkhead.TryEnter()) { }
        for (var i = 0; i < 200; i++)
            _ = bulkhead.WaitAsync(null, default).AsTask();
        for (var i = 0; i < 50; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(3));
            Answer();
        }

        // After a window, a quarter is admitted while the latency without load is measured.
        Assert.Equal((8, 31, 151), (bulkhead.Limit, bulkhead.Active, bulkhead.Queued));
        while (bulkhead.Active > bulkhead.Limit)
            Answer();
        Assert.Equal((8, 151), (bulkhead.Active, bulkhead.Queued));
        _time.Advance(TimeSpan.FromSeconds(3)); // without answers the measurement is given up
        Answer();
        Assert.Equal((32, 32, 126), (bulkhead.Limit, bulkhead.Active, bulkhead.Queued));

        void Answer() =>
            bulkhead.Exit(new AttemptEnd(AttemptVerdict.Success, 200, null, _time.GetTimestamp(), TimeSpan.FromMilliseconds(10)));
    }

    [Fact]
    public async Task Concurrency_LosesNoPlace_AndNeverExceedsTheLimit()
    {
        var bulkhead = new Bulkhead(
            new ServiceLimitsConfig
            {
                Concurrent = 4,
                Queue = 8,
                QueueTimeout = TimeSpan.FromMilliseconds(1),
            },
            TimeProvider.System
        );
        var (active, most, admitted) = (0, 0, 0);
        await Task.WhenAll(Enumerable.Range(0, 32).Select(i => Task.Run(() => RunAsync(new Random(i)))));
        Assert.InRange(most, 1, 4);
        Assert.True(admitted > 100);
        Assert.Equal((0, 0), (bulkhead.Active, bulkhead.Queued));

        async Task RunAsync(Random random)
        {
            for (var i = 0; i < 200; i++)
            {
                using var client = new CancellationTokenSource();
                if (!bulkhead.TryEnter())
                {
                    var wait = bulkhead.WaitAsync(null, client.Token);
                    if (random.Next(4) == 0)
                        await client.CancelAsync();
                    if (await wait is not null)
                        continue;
                }

                InterlockedMax(Interlocked.Increment(ref active));
                Interlocked.Increment(ref admitted);
                await Task.Yield();
                Interlocked.Decrement(ref active);
                bulkhead.Exit(default);
            }
        }

        void InterlockedMax(int value)
        {
            for (var seen = most; value > seen; seen = Interlocked.CompareExchange(ref most, value, seen)) { }
        }
    }

    private Bulkhead Create(int concurrent, int queue) => new(new ServiceLimitsConfig { Concurrent = concurrent, Queue = queue }, _time);
}
