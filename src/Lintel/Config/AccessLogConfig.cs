using Lintel.Config.Grammars;

namespace Lintel.Config;

/// <summary>One line for each request.</summary>
public sealed record AccessLogConfig
{
    /// <summary>
    /// The lines' format: <c>json</c> (default), <c>text</c> for people, or <c>{ template: "{client} {method} {target} {status}" }</c> with
    /// the fields' names as placeholders.
    /// </summary>
    public AccessLogFormat Format { get; init; } = AccessLogFormat.Json;

    /// <summary>
    /// <c>stdout</c> (default), <c>stderr</c>, <c>none</c>, or a file's path, to which lines are appended. A path is relative to the
    /// configuration file; its directory must exist.
    /// </summary>
    public string To { get; init; } = "stdout";

    /// <summary>When the gateway begins a new file; only where <c>to</c> is a file. Default never.</summary>
    public RotateConfig? Rotate { get; init; }

    /// <summary>
    /// The share of requests that get a line, from <c>0%</c> to <c>100%</c> (default), chosen by trace id. Requests with status 500 or
    /// more, or with an error of the gateway's own, always get theirs.
    /// </summary>
    public double Sample { get; init; } = 100;

    /// <summary>Request headers whose values are added to JSON lines. Default none; at most 32.</summary>
    public ValueList<string> Headers { get; init; } = [];

    /// <summary>Headers and query parameters whose values are secrets, beside those that always are.</summary>
    public RedactConfig Redact { get; init; } = new();

    /// <summary>Whether lines go to a file.</summary>
    internal bool IsFile => To is not ("stdout" or "stderr" or "none");

    /// <summary>Any header may be logged, also those that the gateway governs.</summary>
    internal static Grammar<string> HeaderName { get; } =
        new ScalarGrammar<string>(
            "a header name",
            "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
            static (string text, out string value) =>
            {
                value = text;
                return HeaderGrammar.IsToken(text);
            },
            "header names are letters, digits and `-`"
        );

    internal static Grammar<AccessLogConfig> Grammar { get; } =
        new RecordGrammar<AccessLogConfig>(static f =>
        {
            var config = new AccessLogConfig
            {
                Format = f.Get("format", AccessLogFormat.Grammar, AccessLogFormat.Json),
                To = f.Get(
                    "to",
                    new LogTargetGrammar(LogTargetGrammar.Stdout, LogTargetGrammar.Stderr, LogTargetGrammar.None),
                    LogTargetGrammar.Stdout
                ),
                Rotate = f.Find("rotate", RotateConfig.Grammar),
                Sample = f.Get("sample", Scalars.Percent, 100),
                Headers = f.List("headers", HeaderName),
                Redact = f.Get("redact", RedactConfig.Grammar, new()),
            };

            // `to: none` in an overlay turns the log off without taking the rest apart.
            LogTargetGrammar.CheckRotate(f, config.Rotate, config.IsFile || config.To == LogTargetGrammar.None);
            if (config.Headers.Count > MaxHeaders)
                f.Report("out-of-range", "headers", $"{config.Headers.Count} headers are listed", $"list at most {MaxHeaders}");
            return config;
        });

    /// <summary>More than this is a copy of the request, and every waiting line would hold it.</summary>
    private const int MaxHeaders = 32;
}

/// <summary>When a log's file is put aside and a new one begun, and how many are kept.</summary>
public sealed record RotateConfig
{
    /// <summary>A file grows to this size at most, from <c>64KiB</c> to <c>1TiB</c>. Default no limit.</summary>
    public long? Size { get; init; }

    /// <summary>
    /// A file holds lines of one period at most, from <c>1m</c> to <c>366d</c>; periods are counted in UTC, so that <c>1d</c> begins at
    /// midnight. Default no limit.
    /// </summary>
    public TimeSpan? Every { get; init; }

    /// <summary>Files that are kept beside the current one, from 1 to 1000. Default 10; the oldest are deleted.</summary>
    public int Keep { get; init; } = 10;

    internal static Grammar<RotateConfig> Grammar { get; } =
        new RecordGrammar<RotateConfig>(static f =>
        {
            var config = new RotateConfig
            {
                Size = f.FindValue("size", Scalars.Size(64 << 10, 1L << 40)),
                Every = f.FindValue("every", Scalars.Duration(TimeSpan.FromMinutes(1), TimeSpan.FromDays(366))),
                Keep = f.Get("keep", Scalars.Integer(1, 1000), 10),
            };
            if (f.IsReading && !f.Has("size") && !f.Has("every"))
                f.Report("missing-key", null, "both `size` and `every` are missing", "set at least one of them, such as `size: 100MiB`");
            return config;
        });
}

/// <summary>Names whose values never stand in a log, beside those that always are: credentials.</summary>
public sealed record RedactConfig
{
    /// <summary>Further headers, beside <c>Authorization</c>, <c>Cookie</c>, <c>X-Api-Key</c> and the like.</summary>
    public ValueList<string> Headers { get; init; } = [];

    /// <summary>
    /// Further query parameters, beside <c>access_token</c>, <c>api_key</c>, <c>password</c> and the like. Case and punctuation do not
    /// count.
    /// </summary>
    public ValueList<string> Query { get; init; } = [];

    private static Grammar<string> QueryName { get; } =
        new ScalarGrammar<string>(
            "a query parameter name",
            null,
            static (string text, out string value) =>
            {
                value = text;
                return text.Any(char.IsLetterOrDigit);
            },
            "write the decoded name, with at least one letter or digit"
        );

    internal static Grammar<RedactConfig> Grammar { get; } =
        new RecordGrammar<RedactConfig>(static f => new RedactConfig
        {
            Headers = f.List("headers", AccessLogConfig.HeaderName),
            Query = f.List("query", QueryName),
        });
}
