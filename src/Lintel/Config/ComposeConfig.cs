using Lintel.Config.Grammars;

namespace Lintel.Config;

/// <summary>One call in, several calls to services out, one answer back (API composition).</summary>
/// <remarks>
/// What a call refers to decides when it runs: calls that refer to nothing start at once, the others as soon as what they refer to is
/// there.
/// </remarks>
public sealed record ComposeConfig
{
    /// <summary>
    /// How long the whole answer may take, 1 ms to 1 h. A shorter one that the client names (<c>grpc-timeout</c>, <c>Request-Timeout</c> in
    /// seconds) holds instead. Default: <c>defaults.timeouts.request</c>, which is 30 s.
    /// </summary>
    public TimeSpan? Deadline { get; init; }

    /// <summary>
    /// The calls by name, at least one. The name is how expressions refer to a call's answer, and by default its property in the answer.
    /// </summary>
    public required ValueMap<CallConfig> Calls { get; init; }

    /// <summary>The answer. Default: an object with one property for each call, in declared order.</summary>
    public ComposedAnswerConfig Respond { get; init; } = new();

    /// <summary>
    /// Other answers from the same calls, by the name of the client that gets them (backends for frontends). The first one whose client it
    /// is wins; what a variant does not say is as in <see cref="Respond"/>.
    /// </summary>
    public ValueMap<ComposedAnswerConfig> Variants { get; init; } = [];

    /// <summary>
    /// Sends each call's part as soon as it is there: as NDJSON, or as server-sent events to clients that ask for <c>text/event-stream</c>.
    /// Default false.
    /// </summary>
    public bool Stream { get; init; }

    /// <summary>
    /// The client's headers that calls get. Default <c>Authorization</c> and <c>Accept-Language</c>; the trace context and the forwarding
    /// headers always pass.
    /// </summary>
    public ValueList<string> ForwardHeaders { get; init; } = ["Authorization", "Accept-Language"];

    /// <summary>What happens where two calls write one place. Absent: such a composition is refused when it is loaded.</summary>
    public ConflictRule? Conflict { get; init; }

    /// <summary>How much a composed answer may take.</summary>
    public ComposeLimitsConfig Limits { get; init; } = new();

    /// <summary>A call's name stands unquoted in expressions, and as a token in the <c>Composition</c> header.</summary>
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

    /// <summary>What expressions know beside the calls.</summary>
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

/// <summary>What happens where two calls write one place.</summary>
public enum ConflictRule
{
    /// <summary>The call that is declared first wins.</summary>
    First,

    /// <summary>The call that is declared last wins.</summary>
    Last,

    /// <summary>Objects are merged, property by property; of anything else the last one wins.</summary>
    Deep,

    /// <summary>As <see cref="Deep"/>, and lists are put one behind the other.</summary>
    Concat,
}

/// <summary>The answer of a composition.</summary>
public sealed record ComposedAnswerConfig
{
    /// <summary>
    /// The body: a JMESPath expression over the calls' answers by name, or maps and lists of such expressions. Default: an object with one
    /// property for each call.
    /// </summary>
    public ShapeConfig? Body { get; init; }

    /// <summary>Headers with JMESPath expressions; one that gives null sets nothing.</summary>
    public ValueMap<string> Headers { get; init; } = [];

    /// <summary>The status of an answer that has all its required parts. Default 200, 200 to 299.</summary>
    public int? Status { get; init; }

    /// <summary>
    /// Whether the body's property <c>_errors</c> tells of optional parts that failed, as RFC 9457 objects with a JSON Pointer each.
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

/// <summary>How much a composed answer may take. Beyond it a call fails with a typed error; memory does not grow.</summary>
public sealed record ComposeLimitsConfig
{
    /// <summary>Bytes of one call's answer. Default 16 MiB, 1 KiB to 1 GiB.</summary>
    public long Call { get; init; } = 16 << 20;

    /// <summary>
    /// Bytes of all answers together. Default 64 MiB, 1 KiB to 4 GiB. What one composed answer holds at a time is at most about four times
    /// this: the answers, in arrays that grow by doubling, what these grew out of, which stays in the pool for a while, and where they are
    /// put together, the composed answer. Parts that go through as they are are not copied. (Measured 2026-11-25, the test service and
    /// client in the same process included: 3 × 10 MiB held 70 to 110 MiB, a fan-out of 100 × 300 kB 82 to 86 MiB.)
    /// </summary>
    public long Total { get; init; } = 64 << 20;

    /// <summary>
    /// How long the client may take to receive the answer, or a part of a streamed one, once it is there: what it is made of is held until
    /// then. Beyond, the client is cut off. Default 1 min (16 MiB at 2.2 Mbit/s), 1 s to 1 h.
    /// </summary>
    public TimeSpan Send { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Requests to services for one answer, those of <c>forEach</c> included. Default 500, 1 to 10 000.</summary>
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
