using Lintel.Config;
using Lintel.Hosting;
using Lintel.Observability.Logs;
using Microsoft.Extensions.Logging;

namespace Lintel.Cli.Logging;

/// <summary>
/// Writes what is logged to where the configuration says, and follows its changes. Before there is a configuration: text to stderr.
/// </summary>
/// <remarks>Thread rule: lines come from any thread; the configuration from one reload at a time.</remarks>
internal sealed class ErrorLogProvider : ILoggerProvider
{
    private readonly ErrorOutput _stderr;
    private readonly LogLevels _levels;
    private readonly TimeProvider _time;
    private readonly LostLines _lost;
    private volatile Target _target;
    private ErrorLogConfig _config = new();
    private long _droppedBefore;

    public ErrorLogProvider(ErrorOutput stderr, LogLevels levels, TimeProvider time)
    {
        _stderr = stderr;
        _levels = levels;
        _time = time;
        _target = new Target(stderr, ErrorLogFormat.Text);

        // What a file does not take is told where it can be read.
        var told = new CategoryLogger(typeof(ErrorLogProvider).FullName!, this, () => new Target(stderr, _target.Format));
        _lost = new LostLines("error log", told, time);
    }

    /// <summary>Lines that were not written, of all outputs since the start.</summary>
    public long Dropped
    {
        get
        {
            var output = _target.Output;
            return Interlocked.Read(ref _droppedBefore) + _stderr.Dropped + (output == _stderr ? 0 : output.Dropped);
        }
    }

    /// <summary>Follows a gateway's configuration, from its first one on.</summary>
    public void Follow(Gateway gateway)
    {
        gateway.Applying += PrepareAsync;
        gateway.Reloading += () => _target.Output.Reopen(); // SIGHUP is also how logrotate says that it has moved the file
    }

    public ILogger CreateLogger(string categoryName) => new CategoryLogger(categoryName, this, () => _target);

    /// <summary>Writes what waits, as far as a file takes it within a second.</summary>
    public void Dispose()
    {
        if (_target.Output == _stderr)
            return;
        _target.Output.Finish(TimeSpan.FromSeconds(1));
        Switch(new Target(_stderr, _target.Format));
    }

    private Task PrepareAsync(ConfigChange change, CancellationToken cancellation)
    {
        var config = change.Config.Observability.ErrorLog ?? new ErrorLogConfig();
        if (config == _config)
            return Task.CompletedTask;
        var output = config.To == _config.To && config.Rotate == _config.Rotate ? _target.Output : _stderr;
        if (config.IsFile && output == _stderr)
        {
            try
            {
                var file = new LogFile(config.To, config.Rotate, _time, _lost);
                output = new ErrorOutput(file, _lost.Report);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
            {
                change.Refuse("file", ["observability", "errorLog", "to"], $"the error log cannot be opened: {e.Message}");
                return Task.CompletedTask;
            }

            var opened = output;
            change.OnRollback(() =>
            {
                opened.Close();
                return Task.CompletedTask;
            });
        }

        change.OnCommit(() =>
        {
            _config = config;
            _levels.Take(config.Level);
            Switch(new Target(output, config.Format));
            return Task.CompletedTask;
        });
        return Task.CompletedTask;
    }

    private void Switch(Target next)
    {
        var before = _target;
        _target = next;
        _stderr.Form = next.Format == ErrorLogFormat.Json && next.Output == _stderr ? Framed : null;
        if (before.Output == _stderr || before.Output == next.Output)
            return;
        before.Output.Close();
        Interlocked.Add(ref _droppedBefore, before.Output.Dropped);
    }

    /// <summary>A line of the banner, or of a library that writes to stderr.</summary>
    private string Framed(string line) =>
        new LogLine(_time.GetUtcNow(), LogLevel.Information, "Lintel.Cli", default, line.Trim(), null, []).ToJson();

    private sealed record Target(ErrorOutput Output, ErrorLogFormat Format);

    private sealed class CategoryLogger(string category, ErrorLogProvider provider, Func<Target> target) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        )
        {
            if (!IsEnabled(logLevel))
                return;
            var values = state as IReadOnlyList<KeyValuePair<string, object?>> ?? [];
            var line = new LogLine(provider._time.GetUtcNow(), logLevel, category, eventId, formatter(state, exception), exception, values);
            var (output, format) = target();
            output.Log(format == ErrorLogFormat.Json ? line.ToJson() : line.ToText());
        }
    }
}
