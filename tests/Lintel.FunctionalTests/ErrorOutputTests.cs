using System.Text;
using Lintel.Cli.Logging;

namespace Lintel.FunctionalTests;

[AnyTransport]
public sealed class ErrorOutputTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public void Lines_OfManyThreads_AreWrittenWholeAndInTheirOrder()
    {
        var pipe = new Pipe();
        var output = new ErrorOutput(pipe);
        pipe.Open();
        Parallel.For(0, 4, t =>
        {
            for (var i = 0; i < 200; i++)
                output.WriteLine($"{t} {i}");
        });
        output.Finish(Patience);
        var lines = pipe.Lines;
        Assert.Equal(800, lines.Length);
        for (var t = 0; t < 4; t++)
            Assert.Equal(
                Enumerable.Range(0, 200).Select(i => $"{t} {i}"),
                lines.Where(l => l.StartsWith($"{t} ", StringComparison.Ordinal))
            );
        Assert.Equal(0, output.Dropped);
    }

    /// <summary>A pipe that is not read: writers continue immediately, excess lines are counted, and the end does not wait.</summary>
    [Fact]
    public void Lines_ThatNobodyReads_AreDroppedAndToldOfLater()
    {
        var pipe = new Pipe();
        var output = new ErrorOutput(pipe);
        var line = new string('x', 1000);
        for (var i = 0; i < 5000; i++)
            output.WriteLine(line);
        Assert.InRange(output.Dropped, 2000, 5000);
        output.Finish(TimeSpan.Zero);

        pipe.Open();
        output.Finish(Patience);
        output.WriteLine("again");
        output.Finish(Patience);
        var told = pipe.Lines.Where(l => l.Contains("lines were lost here", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(told); // one line, or several where the writer of the pipe came between
        Assert.Equal(output.Dropped, told.Sum(t => long.Parse(t.Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture)));
        Assert.Equal(5000, output.Dropped + pipe.Lines.Count(l => l == line));
        Assert.Equal("again", pipe.Lines[^1]);
    }

    [Fact]
    public void Lines_ToABrokenPipe_AreCounted()
    {
        var pipe = new Pipe { IsBroken = true };
        pipe.Open();
        var output = new ErrorOutput(pipe);
        output.WriteLine("one");
        output.Finish(Patience);
        Assert.Equal(1, output.Dropped);
    }

    /// <summary>A stream that takes nothing before it is opened.</summary>
    private sealed class Pipe : MemoryStream
    {
        private readonly ManualResetEventSlim _isOpen = new();

        public bool IsBroken { get; init; }

        public string[] Lines
        {
            get
            {
                lock (_isOpen)
                    return Encoding.UTF8.GetString(ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            }
        }

        public void Open() => _isOpen.Set();

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            _isOpen.Wait();
            if (IsBroken)
                throw new IOException("broken");
            lock (_isOpen)
                base.Write(buffer);
        }
    }
}
