using System.Collections.Concurrent;
using System.Text;
using Lintel.Config;
using Lintel.Observability.Logs;
using Microsoft.Extensions.Logging.Abstractions;

namespace Lintel.Tests.Observability.Logs;

public sealed class AccessLogTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Close_WithLinesWaiting_WritesAllOfThemInOrder()
    {
        var sink = new Sink();
        var lost = AccessLines.Lost();
        var log = Started(sink, lost);
        for (var i = 0; i < 1000; i++)
            Assert.True(log.TryWrite(AccessLines.Record with { Status = i }));
        await log.CloseAsync().WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Equal(Enumerable.Range(0, 1000).Select(i => $"{i}"), sink.Lines);
        Assert.True(sink.IsClosed);
        Assert.Equal(0, lost.Count);
        Assert.False(log.TryWrite(AccessLines.Record));
        Assert.Equal(0, lost.Count);
    }

    [Fact]
    public async Task Write_WhileTheSinkIsBlocked_DropsAndCountsWhatDoesNotFit()
    {
        var sink = new Sink();
        sink.Block();
        var lost = AccessLines.Lost();
        var log = Started(sink, lost);
        Assert.True(log.TryWrite(AccessLines.Record));
        await sink.Blocked.WaitAsync(Patience, TestContext.Current.CancellationToken);

        for (var i = 0; i < AccessLog.QueueLength + 100; i++)
            Assert.True(log.TryWrite(AccessLines.Record)); // at once, whatever the sink does
        Assert.Equal(100, lost.Count);

        sink.Release();
        await log.CloseAsync().WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Equal(AccessLog.QueueLength + 1, sink.Lines.Count);
        Assert.Equal(100, lost.Count);
    }

    [Fact]
    public async Task Write_OfLongAddressesWhileTheSinkIsBlocked_KeepsMemoryBounded()
    {
        var sink = new Sink();
        sink.Block();
        var lost = AccessLines.Lost();
        var log = Started(sink, lost);
        Assert.True(log.TryWrite(AccessLines.Record));
        await sink.Blocked.WaitAsync(Patience, TestContext.Current.CancellationToken);

        var big = AccessLines.Record with { Path = new string('a', 1 << 20) };
        for (var i = 0; i < 20; i++)
            log.TryWrite(big);
        Assert.Equal(20 - ((AccessLog.QueueWeight / (1 << 20)) - 1), lost.Count);

        sink.Release();
        await log.CloseAsync().WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Equal(20 + 1 - lost.Count, sink.Lines.Count);
    }

    [Fact]
    public async Task Write_AfterTheSinkFailed_CountsThoseLinesAndGoesOn()
    {
        var sink = new Sink { Fails = true };
        var lost = AccessLines.Lost();
        var log = Started(sink, lost);
        log.TryWrite(AccessLines.Record);
        SpinWait.SpinUntil(() => lost.Count == 1, Patience);
        Assert.Equal(1, lost.Count);
        sink.Fails = false;
        log.TryWrite(AccessLines.Record);
        await log.CloseAsync().WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Single(sink.Lines);
        Assert.Equal(1, lost.Count);
    }

    [Fact]
    public async Task Replace_OfALogWithLinesWaiting_KeepsOrderAndCount()
    {
        using var folder = new TemporaryFolder();
        var slot = new AccessLogSlot(TimeProvider.System, NullLogger.Instance);
        for (var log = 0; log < 20; log++)
        {
            slot.Replace(slot.Open(AccessLines.Template("{status}") with { To = folder["access.log"] }));
            for (var i = 0; i < 100; i++)
                Assert.True(slot.Current.TryWrite(AccessLines.Record with { Status = (log * 100) + i }));
        }

        await slot.CloseAsync();
        Assert.Equal(
            Enumerable.Range(0, 2000).Select(i => $"{i}"),
            await File.ReadAllLinesAsync(folder["access.log"], TestContext.Current.CancellationToken)
        );
        Assert.Equal(0, slot.Lost);
        Assert.False(slot.Current.IsEnabled);
    }

    [Fact]
    public void Sample_OfTenPercent_KeepsATenthAndAllErrors()
    {
        var log = new AccessLog(new AccessLogConfig { Sample = 10 }, new Sink(), AccessLines.Lost());
        var random = new Random(1);
        var ids = Enumerable.Range(0, 20_000).Select(_ => random.GetHexString(32, lowercase: true)).ToList();
        Assert.InRange(ids.Count(id => log.Keeps(200, isError: false, id)), 1800, 2200);
        Assert.All(ids, id => Assert.True(log.Keeps(500, isError: false, id) && log.Keeps(404, isError: true, id)));

        // Ids that are no random numbers are shared out as well.
        Assert.InRange(Enumerable.Range(0, 20_000).Count(i => log.Keeps(200, isError: false, $"{i:x32}")), 1800, 2200);
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(100, true)]
    public void Sample_OfNothingOrEverything_IsExact(double percent, bool kept)
    {
        var log = new AccessLog(new AccessLogConfig { Sample = percent }, new Sink(), AccessLines.Lost());
        Assert.All(Enumerable.Range(0, 1000), i => Assert.Equal(kept, log.Keeps(200, isError: false, $"{i:x32}")));
    }

    [Fact]
    public void Sample_OfATrace_IsTheSameOnEveryNodeAndGrowsWithTheShare()
    {
        // A number that was computed once: another version or machine must not decide otherwise.
        var kept = Enumerable
            .Range(0, 101)
            .First(p =>
                new AccessLog(new AccessLogConfig { Sample = p }, new Sink(), AccessLines.Lost()).Keeps(
                    200,
                    isError: false,
                    AccessLines.Record.TraceId
                )
            );
        Assert.Equal(KnownShare, kept);
    }

    private const int KnownShare = 23;

    private static AccessLog Started(Sink sink, LostLines lost)
    {
        var log = new AccessLog(AccessLines.Template("{status}"), sink, lost);
        log.Start(Task.CompletedTask);
        return log;
    }

    /// <summary>A sink that the test can block and break.</summary>
    private sealed class Sink : LogSink
    {
        private readonly TaskCompletionSource _blocked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly ManualResetEventSlim _open = new(initialState: true);

        public ConcurrentQueue<string> Lines { get; } = new();

        public bool Fails { get; set; }

        public bool IsClosed { get; private set; }

        /// <summary>Completes when the writer waits at the closed gate.</summary>
        public Task Blocked => _blocked.Task;

        public void Block() => _open.Reset();

        public void Release() => _open.Set();

        public override void Write(ReadOnlySpan<byte> lines)
        {
            if (!_open.IsSet)
                _blocked.TrySetResult();
            _open.Wait();
            if (Fails)
                throw new IOException("No space left on device");
            foreach (var line in Encoding.UTF8.GetString(lines).TrimEnd('\n').Split('\n'))
                Lines.Enqueue(line);
        }

        public override void Dispose()
        {
            IsClosed = true;
            _open.Dispose();
        }
    }
}
