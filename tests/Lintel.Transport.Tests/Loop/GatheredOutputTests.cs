using System.IO.Pipelines;
using System.Text;
using Lintel.Transport.Loop;
using Microsoft.Extensions.Logging.Abstractions;

namespace Lintel.Transport.Tests.Loop;

public sealed class GatheredOutputTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly LoopGroup _loops = new(1, NullLogger<LoopGroup>.Instance);
    private readonly Recorder _recorder = new();

    public void Dispose() => _loops.Dispose();

    [Fact]
    public async Task FlushesOfOneTurn_GoOutTogether()
    {
        var output = new GatheredOutput(_loops.Loops[0], PipeWriter.Create(_recorder));
        await OnLoopAsync(() =>
        {
            foreach (var text in (string[])["one ", "two ", "three"])
                Assert.True(output.Writer.WriteAsync(Encoding.ASCII.GetBytes(text)).AsTask().IsCompletedSuccessfully);
            Assert.Empty(_recorder.Writes); // not before the turn ends
        });
        await output.DisposeAsync().AsTask().WaitAsync(Patience);
        Assert.Equal(["one two three"], _recorder.Writes);
    }

    [Fact]
    public async Task WrittenFromAnyThread_ArrivesInOrder_BeyondTheQueuesSize()
    {
        var output = new GatheredOutput(_loops.Loops[0], PipeWriter.Create(_recorder));
        var expected = new StringBuilder();
        for (var i = 0; i < 20_000; i++)
        {
            expected.Append(i).Append('\n');
            Assert.False((await output.Writer.WriteAsync(Encoding.ASCII.GetBytes(i + "\n"))).IsCompleted);
        }

        await output.DisposeAsync().AsTask().WaitAsync(Patience);
        Assert.Equal(expected.ToString(), string.Concat(_recorder.Writes));
    }

    [Fact]
    public async Task BrokenConnection_TheWriterIsTold_AndNobodyWaits()
    {
        _recorder.IsBroken = true;
        var output = new GatheredOutput(_loops.Loops[0], PipeWriter.Create(_recorder));
        while (!(await output.Writer.WriteAsync(new byte[1000]).AsTask().WaitAsync(Patience)).IsCompleted) { }

        await output.DisposeAsync().AsTask().WaitAsync(Patience);
        Assert.Empty(_recorder.Writes);
    }

    [Fact]
    public async Task LoopHasEnded_WhatIsWrittenStillGoesOut()
    {
        var output = new GatheredOutput(_loops.Loops[0], PipeWriter.Create(_recorder));
        _loops.Dispose();
        await output.Writer.WriteAsync("late"u8.ToArray());
        await output.DisposeAsync().AsTask().WaitAsync(Patience);
        Assert.Equal(["late"], _recorder.Writes);
    }

    private Task OnLoopAsync(Action action)
    {
        var work = new AwaitedWork(action);
        Assert.True(_loops.Loops[0].Post(work));
        return work.Done.Task.WaitAsync(Patience);
    }

    private sealed class AwaitedWork(Action action) : ILoopWork
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Run()
        {
            try
            {
                action();
                Done.SetResult();
            }
            catch (Exception e)
            {
                Done.SetException(e);
            }
        }
    }

    private sealed class Recorder : MemoryStream
    {
        public List<string> Writes { get; } = [];

        public bool IsBroken { get; set; }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (IsBroken)
                return ValueTask.FromException(new IOException("broken"));
            Writes.Add(Encoding.ASCII.GetString(buffer.Span));
            return default;
        }
    }
}
