using Lintel.Hosting;
using Lintel.Transport.Loop;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Hosting;

public sealed class LoopStallsTests
{
    [Theory]
    [InlineData(60, true, StallCause.Callback, LogLevel.Warning, "blocked for 60 ms by one callback")]
    [InlineData(2000, false, StallCause.Callback, LogLevel.Error, "has been blocked for 2000 ms")]
    [InlineData(10_000, false, StallCause.Callback, LogLevel.Critical, "has been blocked for 10 s by one callback")]
    [InlineData(90, true, StallCause.WarmUp, LogLevel.Information, "while code was JIT-compiled")]
    [InlineData(10_002, true, StallCause.NoProcessor, LogLevel.Warning, "the process was stopped")]
    [InlineData(12_000, false, StallCause.NoProcessor, LogLevel.Warning, "the process was stopped")]
    public void Stall_IsToldForWhatItIs(int milliseconds, bool isOver, StallCause cause, LogLevel level, string text)
    {
        var line = new LastLine();
        var metrics = TestMetrics.Create(out _);
        new LoopStalls(metrics, new FakeTimeProvider(), line).Report(
            new LoopStall(0, TimeSpan.FromMilliseconds(milliseconds), null, isOver, cause)
        );
        Assert.Equal(level, line.Level);
        Assert.Contains(text, line.Text, StringComparison.Ordinal);
    }

    private sealed class LastLine : ILogger<LoopStalls>
    {
        public LogLevel Level { get; private set; }

        public string Text { get; private set; } = "";

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        ) => (Level, Text) = (logLevel, formatter(state, exception));
    }
}
