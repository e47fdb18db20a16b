using Lintel.Config.Grammars;
using Microsoft.Extensions.Logging;

namespace Lintel.Config;

/// <summary>The form of the error log's lines.</summary>
public enum ErrorLogFormat
{
    /// <summary>A line for people.</summary>
    Text,

    /// <summary>A JSON object a line.</summary>
    Json,
}

/// <summary>What the gateway tells its operator: failures, reloads, defects. A reload changes it.</summary>
public sealed record ErrorLogConfig
{
    /// <summary>The lines' form: <c>text</c> (default) or <c>json</c>.</summary>
    public ErrorLogFormat Format { get; init; }

    /// <summary>
    /// The least level that is written: <c>trace</c>, <c>debug</c>, <c>information</c> (default), <c>warning</c>, <c>error</c> or
    /// <c>critical</c>; <c>info</c> and <c>warn</c> are short for two of them. <c>--log-level</c> of <c>lintel run</c> goes before.
    /// </summary>
    public LogLevel Level { get; init; } = LogLevel.Information;

    /// <summary>
    /// <c>stderr</c> (default), or a file's path, to which lines are appended. A path is relative to the configuration file; its directory
    /// must exist.
    /// </summary>
    public string To { get; init; } = LogTargetGrammar.Stderr;

    /// <summary>When the gateway begins a new file; only where <c>to</c> is a file. Default never.</summary>
    public RotateConfig? Rotate { get; init; }

    /// <summary>Whether lines go to a file.</summary>
    internal bool IsFile => To != LogTargetGrammar.Stderr;

    /// <summary>The levels' names, as they are written in configurations and on the command line.</summary>
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
