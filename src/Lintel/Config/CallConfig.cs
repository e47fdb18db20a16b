using Lintel.Config.Grammars;
using Lintel.Config.Reading;

namespace Lintel.Config;

/// <summary>One call of a composition.</summary>
public sealed record CallConfig
{
    /// <summary>
    /// The request to a service. Placeholders may refer to the client's request, to responses of other calls (<c>{user.segmentId}</c>) and,
    /// with <see cref="ForEach"/>, to <c>{item}</c> or <c>{items}</c>.
    /// </summary>
    public required CallRequestConfig Request { get; init; }

    /// <summary>
    /// Whether the response can be composed without this call. With <see cref="ForEach"/>, also without any single item. Default false: its
    /// failure fails the composition.
    /// </summary>
    public bool Optional { get; init; }

    /// <summary>The timeout of the call, including retries; 1 ms to 1 h. Default: the rest of the composition's deadline.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>
    /// The values that replace the response of an optional call that failed; the first available one is used. Default: null.
    /// </summary>
    public ValueList<FallbackConfig> Fallback { get; init; } = [];

    /// <summary>Statuses of this call, 300 to 599, that become the composed response, with the service's body.</summary>
    public ValueList<int> Passthrough { get; init; } = [];

    /// <summary>
    /// The number of redirects that are followed, 0 to 10, within the same service only. Default 0: a redirect is a failure of the call.
    /// </summary>
    public int Redirects { get; init; }

    /// <summary>A JMESPath condition over responses of other calls; if it is not met, the call is skipped and its value is null.</summary>
    public string? If { get; init; }

    /// <summary>Calls that must succeed first, even if nothing refers to them.</summary>
    public ValueList<string> After { get; init; } = [];

    /// <summary>
    /// A JMESPath expression that yields a list: one request for each distinct item, or for each <see cref="Batch"/> of them. The value of
    /// the call is the list of the responses.
    /// </summary>
    public string? ForEach { get; init; }

    /// <summary>The number of items per request, as <c>{items}</c>; 1 to 1 000. Default: one request per item.</summary>
    public int? Batch { get; init; }

    /// <summary>Places each response into the element of another call's list that it belongs to.</summary>
    public JoinConfig? Join { get; init; }

    /// <summary>
    /// A JMESPath expression over a service's response that yields the value of the call, such as <c>data</c> of <c>{ "data": […] }</c>;
    /// with <see cref="ForEach"/>, over each response. Default: the whole response. A fallback's value is used as written.
    /// </summary>
    public string? Select { get; init; }

    /// <summary>The maximum number of concurrent requests of <see cref="ForEach"/>, 1 to 100. Default 8.</summary>
    public int Concurrency { get; init; } = 8;

    /// <summary>The maximum number of items of <see cref="ForEach"/>, 1 to 10 000. Default 100; beyond it the call fails.</summary>
    public int MaxItems { get; init; } = 100;

    /// <summary>
    /// The request body: <c>request</c> for the client's body, otherwise a JMESPath expression, or maps and lists of expressions; sent as
    /// JSON.
    /// </summary>
    public ShapeConfig? Body { get; init; }

    /// <summary>
    /// Headers of the request in addition to the forwarded ones; values may contain placeholders of the client's request.
    /// </summary>
    public ValueMap<string> Headers { get; init; } = [];

    /// <summary>
    /// The request that compensates this call if the composition fails, with <see cref="ForEach"/> one for each of its requests; only for
    /// calls that change something.
    /// </summary>
    public CompensationConfig? Compensate { get; init; }

    /// <summary>Hedging: a second request to another instance if the first one is slow; safe methods only.</summary>
    public HedgeConfig? Hedge { get; init; }

    /// <summary>Whether clients that send the same request at the same time share one request; safe methods only. Default false.</summary>
    public bool Collapse { get; init; }

    /// <summary>The format of the service's response. Default: by its media type.</summary>
    public AnswerFormat Format { get; init; }

    /// <summary>
    /// The property of the call's value in the default response; <c>.</c> spreads the properties of an object next to those of the other
    /// calls. Default: the name of the call.
    /// </summary>
    public string? As { get; init; }

    internal static Grammar<CallConfig> Grammar { get; } =
        new ShortFormGrammar<CallConfig>(
            static (ScalarNode scalar, KeyPath path, ConfigReport report, out CallConfig value) =>
            {
                var read = CallRequestConfig.Grammar.TryRead(scalar, path, report, out var request);
                value = read ? new CallConfig { Request = request } : null!;
                return read;
            },
            CallRequestConfig.Form,
            new RecordGrammar<CallConfig>(static f =>
            {
                var call = new CallConfig
                {
                    Request = f.Require("request", CallRequestConfig.Grammar),
                    Optional = f.Get("optional", Scalars.Boolean, false),
                    Timeout = f.FindValue("timeout", Scalars.Duration(TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1))),
                    Fallback = f.List("fallback", FallbackConfig.Grammar, allowSingle: true),
                    Passthrough = f.List("passthrough", Scalars.Integer(300, 599), allowSingle: true),
                    Redirects = f.Get("redirects", Scalars.Integer(0, 10), 0),
                    If = f.Find("if", Scalars.Text),
                    After = f.List("after", ComposeConfig.CallName, allowSingle: true),
                    ForEach = f.Find("forEach", Scalars.Text),
                    Batch = f.FindValue("batch", Scalars.Integer(1, 1000)),
                    Select = f.Find("select", Scalars.Text),
                    Join = f.Find("join", JoinConfig.Grammar),
                    Concurrency = f.Get("concurrency", Scalars.Integer(1, 100), 8),
                    MaxItems = f.Get("maxItems", Scalars.Integer(1, 10_000), 100),
                    Body = f.Find("body", ShapeConfig.Grammar),
                    Headers = f.Map("headers", HeaderGrammar.Value, HeaderGrammar.Name),
                    Compensate = f.Find("compensate", CompensationConfig.Grammar),
                    Hedge = f.Find("hedge", HedgeConfig.Grammar),
                    Collapse = f.Get("collapse", Scalars.Boolean, false),
                    Format = f.Get(
                        "format",
                        Scalars.Choice([
                            ("auto", AnswerFormat.Auto),
                            ("json", AnswerFormat.Json),
                            ("ndjson", AnswerFormat.Ndjson),
                            ("xml", AnswerFormat.Xml),
                            ("text", AnswerFormat.Text),
                        ]),
                        AnswerFormat.Auto
                    ),
                    As = f.Find("as", Scalars.Text),
                };
                CheckKeys(f, call);
                return call;
            })
        );

    private static void CheckKeys(RecordFields f, CallConfig call)
    {
        if (!f.IsReading)
            return;
        foreach (var key in (string[])["batch", "join", "concurrency", "maxItems"])
        {
            if (f.Has(key) && !f.Has("forEach"))
                f.Report("conflict", key, $"`{key}` requires `forEach`", "add `forEach`, or remove it");
        }

        if (f.Has("fallback") && !f.HasFailed("optional") && !call.Optional)
            f.Report(
                "conflict",
                "fallback",
                "a required call cannot have a fallback: its failure fails the composition",
                "add `optional: true`"
            );
        if (f.Has("passthrough") && f.Has("forEach"))
            f.Report(
                "conflict",
                "passthrough",
                "a `forEach` has several responses, and none of them can become the composed response",
                "remove it; `optional: true` leaves out items that fail"
            );
        if (f.Has("join") && f.Has("as"))
            f.Report(
                "conflict",
                "as",
                "the value of a joined call is placed into the list of another call",
                "remove `as`; `join.as` names the property"
            );
        if (call.Request is { IsSafe: false })
        {
            foreach (var key in (string[])["hedge", "collapse"])
            {
                if (f.Has(key))
                    f.Report("conflict", key, $"`{key}` would repeat or share a request with side effects", "use it with GET or HEAD only");
            }

            if (call.Fallback.Any(s => s.Stale))
                f.Report(
                    "conflict",
                    "fallback",
                    "a stale response to a request with side effects has no meaning",
                    "use `stale` with GET or HEAD only"
                );
        }
        else if (call.Request is not null && f.Has("compensate"))
        {
            f.Report("conflict", "compensate", "a request with a safe method needs no compensation", "remove it");
        }
    }
}

/// <summary>The format of a service's response.</summary>
public enum AnswerFormat
{
    /// <summary>By its media type: JSON, NDJSON, XML, other text.</summary>
    Auto,

    /// <summary>JSON; an empty response is null.</summary>
    Json,

    /// <summary>JSON values, one per line: a list.</summary>
    Ndjson,

    /// <summary>
    /// XML, as an object: elements are properties, repeated elements are lists, attributes start with <c>@</c>, text next to either is
    /// <c>#text</c>.
    /// </summary>
    Xml,

    /// <summary>Text, as a string.</summary>
    Text,
}

/// <summary>The request of a call to a service.</summary>
public sealed record CallRequestConfig
{
    internal const string Form = "[METHOD] SERVICE/path/{parameter}?name={value}";

    internal static readonly string[] Methods = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];

    /// <summary>The method. Default GET.</summary>
    public string Method { get; init; } = "GET";

    /// <summary>The service's name.</summary>
    public required string Service { get; init; }

    /// <summary>Path and query, with placeholders.</summary>
    public required string Target { get; init; }

    /// <summary>Whether the method is safe (RFC 9110 section 9.2.1).</summary>
    internal bool IsSafe => Errors.Idempotency.IsSafe(Method);

    internal static Grammar<CallRequestConfig> Grammar { get; } =
        new ScalarGrammar<CallRequestConfig>(
            "a request",
            null,
            static (string text, out CallRequestConfig value) =>
            {
                value = null!;
                var words = text.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
                if (words.Length is not (1 or 2) || (words.Length == 2 && !Methods.Contains(words[0])))
                    return false;
                var address = words[^1];
                if (words.Length == 1 && Methods.Contains(address))
                    return false;
                var end = address.AsSpan().IndexOfAny('/', '?');
                var service = end < 0 ? address : address[..end];
                if (service.Length == 0 || service.AsSpan().ContainsAny(":{}"))
                    return false;
                value = new CallRequestConfig
                {
                    Method = words.Length == 2 ? words[0] : "GET",
                    Service = service,
                    Target =
                        end < 0 ? "/"
                        : address[end] == '?' ? "/" + address[end..]
                        : address[end..],
                };
                return true;
            },
            $"write `{Form}`, such as `users/users/{{id}}` or `POST orders/orders`; the methods are {string.Join(", ", Methods)}, "
                + $"and addresses belong under `services`"
        );
}

/// <summary>A value that replaces the response of an optional call that failed.</summary>
public sealed record FallbackConfig
{
    /// <summary>The last good response to the same request, if there is one and it may be stored.</summary>
    public bool Stale { get; init; }

    /// <summary>A value, as JSON text.</summary>
    public string? Value { get; init; }

    internal static Grammar<FallbackConfig> Grammar { get; } =
        new ShortFormGrammar<FallbackConfig>(
            static (ScalarNode scalar, KeyPath path, ConfigReport report, out FallbackConfig value) =>
            {
                value = new FallbackConfig { Stale = true };
                if (scalar.Text == "stale")
                    return true;
                report.Add("bad-value", scalar, path, $"`{scalar.Written}` is not a fallback", "write `stale`, or `{ value: … }`");
                return false;
            },
            "stale",
            new RecordGrammar<FallbackConfig>(static f => new FallbackConfig { Value = f.Require("value", JsonGrammar.Any) })
        );
}

/// <summary>
/// Places each response of a <c>forEach</c> into the element of a list that it belongs to. If there is no such list, or a response has no
/// key, the call fails.
/// </summary>
public sealed record JoinConfig
{
    /// <summary>
    /// The call whose value is or contains the list: <c>page.items</c> is the list in the property <c>items</c> of the value of the call
    /// <c>page</c>.
    /// </summary>
    public required string Into { get; init; }

    /// <summary>
    /// The join condition <c>KEY = PARENTKEY</c>: a JMESPath expression over a response and one over an element; a parent's key may be a
    /// list of keys.
    /// </summary>
    public required string On { get; init; }

    /// <summary>The property of the element.</summary>
    public required string As { get; init; }

    /// <summary>
    /// Whether several responses may belong to one element: the property is then a list. Default false: the property is the one response or
    /// null, and a second response is a failure of the call.
    /// </summary>
    public bool Many { get; init; }

    /// <summary>A call name and the path of the list in its value.</summary>
    private static Grammar<string> Place { get; } =
        new ScalarGrammar<string>(
            "a call name and the path of the list in its value",
            @"^[A-Za-z][A-Za-z0-9_]{0,63}(\.[^.\s\[\]{}()*?|&'""`@,:]+)*$",
            static (string text, out string value) =>
            {
                value = text;
                return IsPlace(text);
            },
            "write `orders`, or `page.items` for the list in the property `items` of the value of the call `page`"
        );

    /// <summary>Characters that would make a place an expression.</summary>
    private static readonly System.Buffers.SearchValues<char> NoPlace = System.Buffers.SearchValues.Create(" \t\r\n[]{}()*?|&'\"`@,:");

    internal static Grammar<JoinConfig> Grammar { get; } =
        new RecordGrammar<JoinConfig>(static f => new JoinConfig
        {
            Into = f.Require("into", Place),
            On = f.Require("on", Scalars.Text),
            As = f.Require("as", Scalars.Text),
            Many = f.Get("many", Scalars.Boolean, false),
        });

    internal static bool IsPlace(string text)
    {
        var parts = text.Split('.');
        return ComposeConfig.IsCallName(parts[0]) && parts.Skip(1).All(p => p.Length > 0 && !p.AsSpan().ContainsAny(NoPlace));
    }
}

/// <summary>The request that compensates a request which has, or may have, taken effect when the composition fails.</summary>
public sealed record CompensationConfig
{
    /// <summary>
    /// The request. Under the name of its call it can refer to the response to the request that it compensates, and with <c>forEach</c>
    /// also to <c>{item}</c> or <c>{items}</c>.
    /// </summary>
    public required CallRequestConfig Request { get; init; }

    /// <summary>The request body, as for a call.</summary>
    public ShapeConfig? Body { get; init; }

    /// <summary>
    /// The timeout of the compensation, and how long after a failure the response to a request that may have to be compensated is awaited;
    /// 1 ms to 1 h. Default 10 s: the client waits for it.
    /// </summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);

    internal static Grammar<CompensationConfig> Grammar { get; } =
        new ShortFormGrammar<CompensationConfig>(
            static (ScalarNode scalar, KeyPath path, ConfigReport report, out CompensationConfig value) =>
            {
                var read = CallRequestConfig.Grammar.TryRead(scalar, path, report, out var request);
                value = read ? new CompensationConfig { Request = request } : null!;
                return read;
            },
            CallRequestConfig.Form,
            new RecordGrammar<CompensationConfig>(static f => new CompensationConfig
            {
                Request = f.Require("request", CallRequestConfig.Grammar),
                Body = f.Find("body", ShapeConfig.Grammar),
                Timeout = f.Get("timeout", Scalars.Duration(TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1)), TimeSpan.FromSeconds(10)),
            })
        );
}
