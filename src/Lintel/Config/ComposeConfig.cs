using Lintel.Config.Grammars;

namespace Lintel.Config;

/// <summary>API composition: one client request, several calls to services, one response.</summary>
/// <remarks>
/// The order of the calls follows from their references: calls without references start immediately, the others as soon as the values that
/// they refer to are available.
/// </remarks>
public sealed record ComposeConfig
{
    /// <summary>
    /// The deadline of the whole response, 1 ms to 1 h. A shorter deadline of the client (<c>grpc-timeout</c>, <c>Request-Timeout</c> in
    /// seconds) takes precedence. Default: <c>defaults.timeouts.request</c>, which is 30 s.
    /// </summary>
    public TimeSpan? Deadline { get; init; }

    /// <summary>
    /// The calls by name, at least one. Expressions refer to a call's response by the name, and by default it is the property in the
    /// response.
    /// </summary>
    public required ValueMap<CallConfig> Calls { get; init; }

    /// <summary>The composed response. Default: an object with one property for each call, in declared order.</summary>
    public ComposedAnswerConfig Respond { get; init; } = new();

    /// <summary>
    /// Other responses from the same calls, by the name of the client (backends for frontends). The first matching client wins; keys that a
    /// variant omits are taken from <see cref="Respond"/>.
    /// </summary>
    public ValueMap<ComposedAnswerConfig> Variants { get; init; } = [];

    /// <summary>
    /// Whether the part of each call is sent as soon as it is available: as NDJSON, or as server-sent events to clients that accept
    /// <c>text/event-stream</c>. Default false.
    /// </summary>
    public bool Stream { get; init; }

    /// <summary>
    /// The client's headers that are forwarded to calls. Default <c>Authorization</c> and <c>Accept-Language</c>; the trace context and the
    /// forwarding headers are always sent.
    /// </summary>
    public ValueList<string> ForwardHeaders { get; init; } = ["Authorization", "Accept-Language"];

    /// <summary>How to resolve two calls that write the same property. Absent: such a composition is refused at load time.</summary>
    public ConflictRule? Conflict { get; init; }

    /// <summary>Limits of a composed response.</summary>
    public ComposeLimitsConfig Limits { get; init; } = new();

    /// <summary>A call name is used unquoted in expressions, and as a token in the <c>Composition</c> header.</summary>
    internal static Grammar<string> CallName { get; } =
        new ScalarGrammar<string>(
            "a call name",
            "^[A-Za-z][A-Za-z0-9_]{0,63}$",
            static (string text, out string value) =>
            {
                value = text;
                return IsCallName(text);
            },
            "letters, digits and `_`, starting with a letter, at most 64; `item`, `items` and `request` are reserved in expressions"
        );

    internal static bool IsCallName(string text) =>
        text.Length is > 0 and <= 64
        && char.IsAsciiLetter(text[0])
        && text.All(c => char.IsAsciiLetterOrDigit(c) || c == '_')
        && !IsReserved(text);

    /// <summary>Names that are reserved in expressions.</summary>
    internal static bool IsReserved(string name) => name is "item" or "items" or "request";

    internal static Grammar<ComposeConfig> Grammar { get; } =
        new RecordGrammar<ComposeConfig>(static f =>
        {
            var compose = new ComposeConfig
            {
                Deadline = f.FindValue("deadline", Scalars.Duration(TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1))),
                Calls = f.Require("calls", new MapGrammar<CallConfig>(CallConfig.Grammar, CallName)),
                Respond = f.Get("respond", ComposedAnswerConfig.Grammar, new()),
                Variants = f.Map("variants", ComposedAnswerConfig.Grammar, Scalars.Name),
                Stream = f.Get("stream", Scalars.Boolean, false),
                ForwardHeaders = f.Get("forwardHeaders", new ListGrammar<string>(HeaderGrammar.Name), ["Authorization", "Accept-Language"]),
                Conflict = f.FindValue(
                    "conflict",
                    Scalars.Choice([
                        ("first", ConflictRule.First),
                        ("last", ConflictRule.Last),
                        ("deep", ConflictRule.Deep),
                        ("concat", ConflictRule.Concat),
                    ])
                ),
                Limits = f.Get("limits", ComposeLimitsConfig.Grammar, new()),
            };
            if (f.IsReading && f.Has("calls") && !f.HasFailed("calls") && compose.Calls.Count == 0)
                f.Report("missing-key", "calls", "the composition has no calls", "add a call: `user: users/users/{id}`");
            if (
                compose.Stream
                && (compose.Respond.Body is not null || compose.Respond.Headers.Count > 0 || compose.Respond.Status is not null)
            )
                f.Report(
                    "conflict",
                    "stream",
                    "`stream` sends the part of each call unchanged, and `respond` shapes the response as a whole",
                    "keep one of them; only `respond.errors` can be combined with `stream`"
                );
            if (compose.Stream && compose.Variants.Count > 0)
                f.Report(
                    "conflict",
                    "variants",
                    "`stream` sends the part of each call unchanged, and `variants` shape the response as a whole",
                    "keep one of them"
                );
            return compose;
        });
}

/// <summary>How to resolve two calls that write the same property.</summary>
public enum ConflictRule
{
    /// <summary>The call that is declared first wins.</summary>
    First,

    /// <summary>The call that is declared last wins.</summary>
    Last,

    /// <summary>Objects are merged property by property; for other values the last one wins.</summary>
    Deep,

    /// <summary>As <see cref="Deep"/>, and lists are concatenated.</summary>
    Concat,
}

/// <summary>The response of a composition.</summary>
public sealed record ComposedAnswerConfig
{
    /// <summary>
    /// The body: a JMESPath expression over the responses of the calls by name, or maps and lists of such expressions. Default: an object
    /// with one property for each call.
    /// </summary>
    public ShapeConfig? Body { get; init; }

    /// <summary>Headers as JMESPath expressions; an expression that yields null sets no header.</summary>
    public ValueMap<string> Headers { get; init; } = [];

    /// <summary>The status of a response that has all its required parts, 200 to 299. Default 200.</summary>
    public int? Status { get; init; }

    /// <summary>
    /// Whether the property <c>_errors</c> of the body lists optional parts that failed, as RFC 9457 objects with a JSON Pointer each.
    /// Default false.
    /// </summary>
    public bool? Errors { get; init; }

    internal static Grammar<ComposedAnswerConfig> Grammar { get; } =
        new RecordGrammar<ComposedAnswerConfig>(static f => new ComposedAnswerConfig
        {
            Body = f.Find("body", ShapeConfig.Grammar),
            Headers = f.Map("headers", Scalars.Text, HeaderGrammar.Name),
            Status = f.FindValue("status", Scalars.Integer(200, 299)),
            Errors = f.FindValue("errors", Scalars.Boolean),
        });
}

/// <summary>Limits of a composed response. Beyond them a call fails with a typed error; memory use does not grow.</summary>
public sealed record ComposeLimitsConfig
{
    /// <summary>The maximum size of one call's response. Default 16 MiB, 1 KiB to 1 GiB.</summary>
    public long Call { get; init; } = 16 << 20;

    /// <summary>
    /// The maximum size of all responses together. Default 64 MiB, 1 KiB to 4 GiB. A composition holds at most about four times this size
    /// at a time: the responses, in arrays that grow by doubling, the arrays they grew out of, which stay in the pool for a while, and the
    /// composed response where parts are merged. Parts that are passed through are not copied. (Measured 2026-11-25, including the test
    /// service and client in the same process: 3 × 10 MiB held 70 to 110 MiB, a fan-out of 100 × 300 kB 82 to 86 MiB.)
    /// </summary>
    public long Total { get; init; } = 64 << 20;

    /// <summary>
    /// The time for the client to receive the response, or a part of a streamed response, which is held until then. Beyond it the
    /// connection is aborted. Default 1 min (16 MiB at 2.2 Mbit/s), 1 s to 1 h.
    /// </summary>
    public TimeSpan Send { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// The maximum number of requests to services for one composed response, including those of <c>forEach</c>. Default 500, 1 to 10 000.
    /// </summary>
    public int Requests { get; init; } = 500;

    internal static Grammar<ComposeLimitsConfig> Grammar { get; } =
        new RecordGrammar<ComposeLimitsConfig>(static f => new ComposeLimitsConfig
        {
            Call = f.Get("call", Scalars.Size(1 << 10, 1 << 30), 16 << 20),
            Total = f.Get("total", Scalars.Size(1 << 10, 4L << 30), 64 << 20),
            Requests = f.Get("requests", Scalars.Integer(1, 10_000), 500),
            Send = f.Get("send", Scalars.Duration(TimeSpan.FromSeconds(1), TimeSpan.FromHours(1)), TimeSpan.FromMinutes(1)),
        });
}
