using Lintel.Config.Grammars;

namespace Lintel.Config;

/// <summary>The access log: one line per request.</summary>
public sealed record AccessLogConfig
{
    /// <summary>
    /// The format of the lines: <c>json</c> (default), <c>text</c> for humans, or <c>{ template: "{client} {method} {target} {status}"
    /// }</c> with field names as placeholders.
    /// </summary>
    public AccessLogFormat Format { get; init; } = AccessLogFormat.Json;

    /// <summary>
    /// The destination: <c>stdout</c> (default), <c>stderr</c>, <c>none</c>, or a file path to append to. A path is relative to the
    /// configuration file; its directory must exist.
    /// </summary>
    public string To { get; init; } = "stdout";

    /// <summary>When to rotate the file; only if <c>to</c> is a file. Default: never.</summary>
    public RotateConfig? Rotate { get; init; }

    /// <summary>
    /// The percentage of requests that are logged, from <c>0%</c> to <c>100%</c> (default), selected by trace id. Requests with status 500
    /// or higher, or with an error of the gateway, are always logged.
    /// </summary>
    public double Sample { get; init; } = 100;

    /// <summary>Request headers whose values are added to JSON lines, at most 32. Default: none.</summary>
    public ValueList<string> Headers { get; init; } = [];

    /// <summary>Additional headers and query parameters whose values are redacted.</summary>
    public RedactConfig Redact { get; init; } = new();

    /// <summary>Whether the log is written to a file.</summary>
    internal bool IsFile => To is not ("stdout" or "stderr" or "none");

    /// <summary>Any header may be logged, including the headers that the gateway sets.</summary>
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

    /// <summary>The same log, which also redacts where policies say that clients send credentials.</summary>
    internal AccessLogConfig RedactedFor(IEnumerable<PolicyConfig> policies)
    {
        var all = policies.ToList();
        var headers = all.SelectMany(p => p.SecretHeaders).Except(Redact.Headers, StringComparer.OrdinalIgnoreCase).ToList();
        var query = all.SelectMany(p => p.SecretParameters).Except(Redact.Query, StringComparer.Ordinal).ToList();
        return headers.Count + query.Count == 0
            ? this
            : this with
            {
                Redact = new RedactConfig { Headers = [.. Redact.Headers, .. headers], Query = [.. Redact.Query, .. query] },
            };
    }

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

    /// <summary>More headers would be a copy of the request, and every queued line would hold it.</summary>
    private const int MaxHeaders = 32;
}

/// <summary>When the file of a log is rotated, and how many rotated files are kept.</summary>
public sealed record RotateConfig
{
    /// <summary>The maximum size of a file, from <c>64KiB</c> to <c>1TiB</c>. Default: no limit.</summary>
    public long? Size { get; init; }

    /// <summary>
    /// The period of a file, from <c>1m</c> to <c>366d</c>; periods are in UTC, so <c>1d</c> starts at midnight. Default: no limit.
    /// </summary>
    public TimeSpan? Every { get; init; }

    /// <summary>The number of rotated files that are kept, from 1 to 1000. Default 10; the oldest are deleted.</summary>
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

/// <summary>Names whose values are redacted in logs, in addition to well-known credentials.</summary>
public sealed record RedactConfig
{
    /// <summary>Additional headers, besides <c>Authorization</c>, <c>Cookie</c>, <c>X-Api-Key</c> and the like.</summary>
    public ValueList<string> Headers { get; init; } = [];

    /// <summary>
    /// Additional query parameters, besides <c>access_token</c>, <c>api_key</c>, <c>password</c> and the like. Case and punctuation are
    /// ignored.
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
