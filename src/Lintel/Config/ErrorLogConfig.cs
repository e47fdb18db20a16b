using Lintel.Config.Grammars;
using Microsoft.Extensions.Logging;

namespace Lintel.Config;

/// <summary>The format of the error log.</summary>
public enum ErrorLogFormat
{
    /// <summary>Text lines for humans.</summary>
    Text,

    /// <summary>One JSON object per line.</summary>
    Json,
}

/// <summary>The error log: failures, reloads, bugs. It can be changed by a reload.</summary>
public sealed record ErrorLogConfig
{
    /// <summary>The format of the lines: <c>text</c> (default) or <c>json</c>.</summary>
    public ErrorLogFormat Format { get; init; }

    /// <summary>
    /// The minimum level: <c>trace</c>, <c>debug</c>, <c>information</c> (default), <c>warning</c>, <c>error</c> or <c>critical</c>;
    /// <c>info</c> and <c>warn</c> are short forms. <c>--log-level</c> of <c>lintel run</c> takes precedence.
    /// </summary>
    public LogLevel Level { get; init; } = LogLevel.Information;

    /// <summary>
    /// The destination: <c>stderr</c> (default), or a file path to append to. A path is relative to the configuration file; its directory
    /// must exist.
    /// </summary>
    public string To { get; init; } = LogTargetGrammar.Stderr;

    /// <summary>When to rotate the file; only if <c>to</c> is a file. Default: never.</summary>
    public RotateConfig? Rotate { get; init; }

    /// <summary>Whether the log is written to a file.</summary>
    internal bool IsFile => To != LogTargetGrammar.Stderr;

    /// <summary>The names of the levels, as written in configurations and on the command line.</summary>
    internal static (string Word, LogLevel Value)[] Levels =>
        [
            ("trace", LogLevel.Trace),
            ("debug", LogLevel.Debug),
            ("information", LogLevel.Information),
            ("info", LogLevel.Information),
            ("warning", LogLevel.Warning),
            ("warn", LogLevel.Warning),
            ("error", LogLevel.Error),
            ("critical", LogLevel.Critical),
        ];

    internal static Grammar<ErrorLogConfig> Grammar { get; } =
        new RecordGrammar<ErrorLogConfig>(static f =>
        {
            var config = new ErrorLogConfig
            {
                Format = f.Get(
                    "format",
                    Scalars.Choice([("json", ErrorLogFormat.Json), ("text", ErrorLogFormat.Text)]),
                    ErrorLogFormat.Text
                ),
                Level = f.Get("level", Scalars.Choice(Levels), LogLevel.Information),
                To = f.Get("to", new LogTargetGrammar(LogTargetGrammar.Stderr), LogTargetGrammar.Stderr),
                Rotate = f.Find("rotate", RotateConfig.Grammar),
            };
            LogTargetGrammar.CheckRotate(f, config.Rotate, config.IsFile);
            return config;
        });
}
