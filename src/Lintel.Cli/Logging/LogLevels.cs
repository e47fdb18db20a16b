using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace Lintel.Cli.Logging;

/// <summary>
/// From which level on the process's loggers write. Told to the logger factory as its options' change, so that a logger that is off costs
/// what it always did.
/// </summary>
/// <remarks>Thread rule: set by one reload at a time, read by any thread.</remarks>
internal sealed class LogLevels : IConfigureOptions<LoggerFilterOptions>, IOptionsChangeTokenSource<LoggerFilterOptions>, IDisposable
{
    private readonly LogLevel? _fixed;
    private volatile CancellationTokenSource _changed = new();
    private LogLevel _level;

    /// <param name="level">The command line's, which no configuration changes; <see langword="null"/> where it names none.</param>
    public LogLevels(LogLevel? level)
    {
        _fixed = level;
        _level = level ?? LogLevel.Information;
    }

    /// <inheritdoc/>
    public string Name => Options.DefaultName;

    /// <summary>The least level that is written.</summary>
    public LogLevel Level => _level;

    /// <summary>Takes a configuration's level.</summary>
    public void Take(LogLevel level)
    {
        if (_fixed is not null || level == _level)
            return;
        _level = level;
        using var before = Interlocked.Exchange(ref _changed, new CancellationTokenSource());
        before.Cancel();
    }

    /// <inheritdoc/>
    public IChangeToken GetChangeToken() => new CancellationChangeToken(_changed.Token);

    /// <summary>Libraries' own lines begin at warnings: below they are about their insides, and hold what clients sent.</summary>
    public void Configure(LoggerFilterOptions options)
    {
        options.MinLevel = _level;
        options.AddFilter("Microsoft", _level > LogLevel.Warning ? _level : LogLevel.Warning);
        options.AddFilter("Microsoft.Extensions.Hosting", LogLevel.None); // a failed start is told by the program, without its stack
    }

    public void Dispose() => _changed.Dispose();
}
