using System.Buffers;
using System.Diagnostics;
using System.IO.Pipelines;
using Lintel.Transport.Loop;

namespace Lintel.Transport.Tests.Loop;

public sealed class TurnInputTests
{
    private static readonly byte[] Frame = [0, 0, 1, 1, 5, 0, 0, 0, 1, 0x82];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Reader_ThatAlwaysFindsMore_LetsOthersHaveTheirTurn(bool isFramed)
    {
        using var wire = new Wire();
        var input = new TurnInput(await FilledAsync(500), wire.Loop, isFramed);
        var (seen, isOthersDone) = (0, false);
        var read = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        Assert.True(
            wire.Loop.Post(
                new Work(async () =>
                {
                    wire.Loop.Post(
                        new Work(() =>
                        {
                            isOthersDone = true;
                            read.TrySetResult(seen);
                        })
                    );
                    while (!isOthersDone && await input.ReadAsync() is { Buffer.Length: > 0 } result)
                    {
                        seen++;
                        SpinFor(TimeSpan.FromMicroseconds(100)); // a request's work
                        input.AdvanceTo(result.Buffer.GetPosition(Frame.Length));
                    }

                    read.TrySetResult(-1);
                })
            )
        );
        Assert.InRange(await read.Task.WaitAsync(Wire.Patience), 1, 100); // a millisecond and the free reads are 18 of them
    }

    [Fact]
    public async Task Frames_OfHttp2_AreShownAKilobyteAtATime()
    {
        using var wire = new Wire();
        var input = new TurnInput(await FilledAsync(2000), wire.Loop, isFramed: true);
        var taken = 0;
        for (var reads = 0; reads < 10; reads++)
        {
            var result = await input.ReadAsync(TestContext.Current.CancellationToken);
            Assert.InRange(result.Buffer.Length, Frame.Length, 1024);
            Assert.False(result.IsCompleted);
            var whole = result.Buffer.Length / Frame.Length * Frame.Length;
            taken += (int)whole;
            input.AdvanceTo(result.Buffer.GetPosition(whole), result.Buffer.End);
        }

        Assert.Equal(10 * 1020, taken); // 102 frames of ten bytes each time
    }

    [Fact]
    public async Task Frame_LongerThanAKilobyte_IsShownWhole()
    {
        using var wire = new Wire();
        var pipe = new Pipe();
        byte[] frame = [0, 0x10, 0, 0, 0, 0, 0, 0, 1, .. new byte[4096]];
        await pipe.Writer.WriteAsync((byte[])[.. frame, .. frame], TestContext.Current.CancellationToken);
        await pipe.Writer.CompleteAsync();
        var input = new TurnInput(pipe.Reader, wire.Loop, isFramed: true);
        var first = await input.ReadAsync(TestContext.Current.CancellationToken);
        Assert.Equal((frame.Length, false), (first.Buffer.Length, first.IsCompleted));
        input.AdvanceTo(first.Buffer.End);
        var second = await input.ReadAsync(TestContext.Current.CancellationToken);
        Assert.Equal((frame.Length, true), (second.Buffer.Length, second.IsCompleted));
    }

    private static async Task<PipeReader> FilledAsync(int frames)
    {
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0));
        for (var i = 0; i < frames; i++)
            pipe.Writer.Write(Frame);
        await pipe.Writer.FlushAsync();
        return pipe.Reader;
    }

    private static void SpinFor(TimeSpan time)
    {
        var started = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(started) < time)
            Thread.SpinWait(10);
    }

    private sealed class Work(Action run) : ILoopWork
    {
        public void Run() => run();
    }
}
