using System.Text.Json.Nodes;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;

namespace Lintel.Config;

/// <summary>
/// A route: the requests that it matches and its action. Exactly one of <see cref="Forward"/>, <see cref="Compose"/>,
/// <see cref="Redirect"/> and <see cref="Respond"/> is set.
/// </summary>
public sealed record RouteConfig
{
    /// <summary>The requests that the route matches.</summary>
    public required MatchConfig Match { get; init; }

    /// <summary>Forwards the request to a service.</summary>
    public ForwardConfig? Forward { get; init; }

    /// <summary>Composes the response from several calls to services.</summary>
    public ComposeConfig? Compose { get; init; }

    /// <summary>Redirects the client.</summary>
    public RedirectConfig? Redirect { get; init; }

    /// <summary>Returns a fixed response.</summary>
    public RespondConfig? Respond { get; init; }

    /// <summary>Changes of the request before it is forwarded and of the response before it is returned.</summary>
    public TransformConfig Transform { get; init; } = TransformConfig.None;

    /// <summary>
    /// The route's policies: names, or inline policies. They run in the order of their kinds, regardless of the order in the list. Absent:
    /// <c>defaults.policies</c>; empty: none.
    /// </summary>
    public ValueList<PolicyUse>? Policies { get; init; }

    /// <summary>
    /// The protocols to which HTTP/1.1 clients may switch by <c>Upgrade</c>, such as <c>websocket</c>, <c>tcp</c> (Docker) and
    /// <c>SPDY/3.1</c> (kubectl); a name without a version stands for all versions. Default: <c>[websocket]</c>; empty: none. At most 16.
    /// An upgrade to any other protocol is ignored, and the request is served as an ordinary one. Only for routes that forward.
    /// </summary>
    public ValueList<string>? Upgrades { get; init; }

    /// <summary>
    /// Whether a request may be sent to the service twice whatever its method: its service recognizes repetitions. Default <c>false</c>:
    /// only idempotent methods (RFC 9110 section 9.2.2) and requests with an <c>Idempotency-Key</c>. Only for routes that forward.
    /// </summary>
    public bool Idempotent { get; init; }

    /// <summary>
    /// Which requests are shed first while the gateway is overloaded (<c>overload</c>): <c>low</c>, then <c>normal</c>, then <c>high</c>.
    /// Absent: <c>defaults.priority</c>.
    /// </summary>
    public RoutePriority? Priority { get; init; }

    /// <summary>Limits of the route's requests.</summary>
    public RouteLimitsConfig Limits { get; init; } = RouteLimitsConfig.None;

    private const int MaxUpgrades = 16;

    internal static Grammar<RoutePriority> PriorityGrammar { get; } =
        Scalars.Choice([("high", RoutePriority.High), ("normal", RoutePriority.Normal), ("low", RoutePriority.Low)]);

    /// <summary>
    /// A protocol name of RFC 9110 section 7.8, with or without a version. HTTP itself is not allowed: requests in such a tunnel would
    /// bypass the gateway.
    /// </summary>
    private static Grammar<string> UpgradeGrammar { get; } =
        new ScalarGrammar<string>(
            "a protocol to switch to",
            "^[!#$%&'*+.^_`|~0-9A-Za-z-]+(/[!#$%&'*+.^_`|~0-9A-Za-z-]+)?$",
            static (string text, out string value) =>
            {
                value = text;
                var slash = text.IndexOf('/');
                var name = slash < 0 ? text : text[..slash];
                return HeaderGrammar.IsToken(name)
                    && (slash < 0 || HeaderGrammar.IsToken(text.AsSpan(slash + 1)))
                    && name.ToUpperInvariant() is not ("H2C" or "H2" or "HTTP" or "TLS");
            },
            "write a name such as `websocket`, `tcp` or `SPDY/3.1`; `h2c`, `HTTP` and `TLS` are not forwarded, because "
                + "the gateway could not inspect their content"
        );

    internal static Grammar<RouteConfig> CreateGrammar(ListGrammar<PolicyUse> policies) =>
        new RecordGrammar<RouteConfig>(f =>
        {
            f.NotYet("versions", "timeouts", "retry");
            var route = new RouteConfig
            {
                Match = f.Require("match", MatchConfig.Grammar),
                Forward = f.Find("forward", ForwardConfig.Grammar),
                Compose = f.Find("compose", ComposeConfig.Grammar),
                Redirect = f.Find("redirect", RedirectConfig.Grammar),
                Respond = f.Find("respond", RespondConfig.Grammar),
                Transform = f.Get("transform", TransformConfig.Grammar, TransformConfig.None),
                Policies = f.Find("policies", policies),
                Upgrades = f.Find("upgrades", new ListGrammar<string>(UpgradeGrammar)),
                Idempotent = f.Get("idempotent", Scalars.Boolean, false),
                Priority = f.FindValue("priority", PriorityGrammar),
                Limits = f.Get("limits", RouteLimitsConfig.Grammar, RouteLimitsConfig.None),
            };
            if (route.Upgrades is { Count: > MaxUpgrades } upgrades)
                f.Report("out-of-range", "upgrades", $"{upgrades.Count} protocols are listed", $"list at most {MaxUpgrades}");
            if (route.Idempotent && route.Forward is null && !f.HasFailed("forward"))
                f.Report("conflict", "idempotent", "`idempotent` applies to routes that forward", "remove it");
            string[] actions = ["forward", "redirect", "respond", "compose", "versions"];
            var written = actions.Where(f.Has).ToList();
            if (f.IsReading && written.Count == 0)
                f.Report("missing-key", null, "the route has no action", "add `forward`, `compose`, `redirect` or `respond`");
            if (written.Count > 1)
                f.Report(
                    "conflict",
                    written[1],
                    $"a route has exactly one action, and this one has {string.Join(" and ", written.Select(a => $"`{a}`"))}",
                    "keep one of them"
                );
            return route;
        });
}

/// <summary>Forwards the request to a service. Either <see cref="Service"/> or <see cref="Split"/> is set.</summary>
public sealed record ForwardConfig
{
    /// <summary>The service's name.</summary>
    public string? Service { get; init; }

    /// <summary>Services by name with their share of the requests: whole numbers that need not add up to 100.</summary>
    public ValueMap<int> Split { get; init; } = [];

    /// <summary>Whether <see cref="Split"/> always sends a client (by its address) to the same service. Default false.</summary>
    public bool Sticky { get; init; }

    /// <summary>The path sent to the service, with placeholders: <c>/orders/{rest}</c>. Default: the path of the request.</summary>
    public string? Path { get; init; }

    /// <summary>A second service that receives a copy of some requests; its responses are discarded.</summary>
    public MirrorConfig? Mirror { get; init; }

    internal static Grammar<ForwardConfig> Grammar { get; } =
        new ShortFormGrammar<ForwardConfig>(
            static (ScalarNode scalar, KeyPath path, ConfigReport report, out ForwardConfig value) =>
            {
                var slash = scalar.Text.IndexOf('/');
                var service = slash < 0 ? scalar.Text : scalar.Text[..slash];
                value = new ForwardConfig { Service = service, Path = slash < 0 ? null : scalar.Text[slash..] };
                if (service.Length > 0 && !service.Contains(':'))
                    return true;
                value = null!;
                report.Add(
                    "bad-value",
                    scalar,
                    path,
                    $"`{scalar.Written}` does not name a service",
                    "write `SERVICE` or `SERVICE/path`; addresses belong under `services`"
                );
                return false;
            },
            "SERVICE or SERVICE/path/{parameter}",
            new RecordGrammar<ForwardConfig>(static f =>
            {
                var forward = new ForwardConfig
                {
                    Service = f.Find("service", Scalars.Name),
                    Split = f.Map("split", Scalars.Integer(0, 1_000_000), Scalars.Name),
                    Sticky = f.Get("sticky", Scalars.Boolean, false),
                    Path = f.Find("path", Scalars.Text),
                    Mirror = f.Find("mirror", MirrorConfig.Grammar),
                };
                if (f.IsReading && f.Has("service") == f.Has("split"))
                    f.Report(
                        "conflict",
                        f.Has("split") ? "split" : null,
                        "`forward` requires exactly one of `service` and `split`",
                        "set one of them"
                    );
                if (f.Has("split") && !f.HasFailed("split") && forward.Split.Values.Sum(w => (long)w) == 0)
                    f.Report("out-of-range", "split", "all shares are 0", "set the share of at least one service");
                if (f.Has("sticky") && !f.Has("split"))
                    f.Report("conflict", "sticky", "`sticky` requires `split`", "remove it");
                return forward;
            })
        );
}

/// <summary>A second service that receives a copy of some requests; its responses are discarded.</summary>
public sealed record MirrorConfig
{
    /// <summary>The service's name.</summary>
    public required string Service { get; init; }

    /// <summary>The percentage of requests that are copied. Default 100 %.</summary>
    public double Percent { get; init; } = 100;

    /// <summary>In <c>percent: 10</c> the key itself is the unit, so a bare number is valid here, and <c>10%</c> too.</summary>
    private static Grammar<double> PercentOrNumber { get; } =
        new ScalarGrammar<double>(
            "a percentage",
            null,
            static (string text, out double value) =>
                double.TryParse(
                    text.EndsWith('%') ? text[..^1] : text,
                    System.Globalization.NumberStyles.AllowDecimalPoint,
                    System.Globalization.CultureInfo.InvariantCulture,
                    out value
                ) && value is >= 0 and <= 100,
            "write a number from 0 to 100"
        );

    internal static Grammar<MirrorConfig> Grammar { get; } =
        new ShortFormGrammar<MirrorConfig>(
            static (ScalarNode scalar, KeyPath path, ConfigReport report, out MirrorConfig value) =>
            {
                value = new MirrorConfig { Service = scalar.Text };
                return true;
            },
            "The service's name",
            new RecordGrammar<MirrorConfig>(static f => new MirrorConfig
            {
                Service = f.Require("service", Scalars.Name),
                Percent = f.Get("percent", PercentOrNumber, 100),
            })
        );
}

/// <summary>Redirects the client. Exactly one of <see cref="To"/> and <see cref="Scheme"/> is set.</summary>
public sealed record RedirectConfig
{
    /// <summary>
    /// The location, with placeholders. The request's query is appended unless the location has a query, which may be empty
    /// (<c>https://h/path?</c>); <c>{query}</c> at its end appends the request's query to its own.
    /// </summary>
    public string? To { get; init; }

    /// <summary><c>http</c> or <c>https</c>: the same host, path and query with this scheme, at its default port.</summary>
    public string? Scheme { get; init; }

    /// <summary>301, 302, 303, 307 (default: keeps the method, is not cached) or 308.</summary>
    public int Status { get; init; } = 307;

    internal static Grammar<RedirectConfig> Grammar { get; } =
        new ShortFormGrammar<RedirectConfig>(
            static (ScalarNode scalar, KeyPath path, ConfigReport report, out RedirectConfig value) =>
            {
                value = new RedirectConfig { To = scalar.Text };
                return true;
            },
            "The address, with placeholders",
            new RecordGrammar<RedirectConfig>(static f =>
            {
                if (f.IsReading && f.Has("to") == f.Has("scheme"))
                    f.Report(
                        f.Has("to") ? "conflict" : "missing-key",
                        f.Has("to") ? "scheme" : null,
                        "`redirect` requires exactly one of `to` and `scheme`",
                        "set one of them: `scheme: https` keeps host, path and query"
                    );
                return new RedirectConfig
                {
                    To = f.Find("to", Scalars.Text),
                    Scheme = f.Find("scheme", MatchConfig.SchemeGrammar),
                    Status = f.Get("status", Scalars.Choice([("301", 301), ("302", 302), ("303", 303), ("307", 307), ("308", 308)]), 307),
                };
            })
        );
}

/// <summary>Returns a fixed response without a service.</summary>
public sealed record RespondConfig
{
    /// <summary>The status code. Default 200, 200 to 599.</summary>
    public int Status { get; init; } = 200;

    /// <summary>The text of the body. In YAML a map or list is converted to JSON.</summary>
    public string Body { get; init; } = "";

    /// <summary>Additional headers.</summary>
    public ValueMap<string> Headers { get; init; } = [];

    /// <summary>The body's media type. Default <c>text/plain; charset=utf-8</c>, or <c>application/json</c> for a map or list.</summary>
    public string ContentType { get; init; } = "text/plain; charset=utf-8";

    internal static Grammar<RespondConfig> Grammar { get; } =
        new RecordGrammar<RespondConfig>(static f =>
        {
            var body = f.Get("body", new BodyGrammar(), new WrittenBody("", "text/plain; charset=utf-8"));
            return new RespondConfig
            {
                Status = f.Get("status", Scalars.Integer(200, 599), 200),
                Body = body.Text,
                Headers = f.Map("headers", HeaderGrammar.Value, HeaderGrammar.Name),
                ContentType = f.Get("contentType", HeaderGrammar.Value, body.ContentType),
            };
        });

    private readonly record struct WrittenBody(string Text, string ContentType);

    private sealed class BodyGrammar : Grammar<WrittenBody>
    {
        public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out WrittenBody value)
        {
            value = node is ScalarNode scalar
                ? new WrittenBody(scalar.Text, "text/plain; charset=utf-8")
                : new WrittenBody(JsonGrammar.ToJson(node)!.ToJsonString(), "application/json");
            return true;
        }

        public override JsonObject Describe(SchemaDefinitions definitions) => [];
    }
}

/// <summary>Changes of the request before it is forwarded and of the response before it is returned.</summary>
public sealed record TransformConfig
{
    /// <summary>Changes of the request.</summary>
    public RequestTransformConfig Request { get; init; } = new();

    /// <summary>Changes of the response.</summary>
    public ResponseTransformConfig Response { get; init; } = new();

    /// <summary>The shared instance for routes that change nothing.</summary>
    internal static TransformConfig None { get; } = new();

    internal static Grammar<TransformConfig> Grammar { get; } =
        new RecordGrammar<TransformConfig>(static f =>
        {
            f.NotYet("body");
            return new TransformConfig
            {
                Request = f.Get("request", RequestTransformConfig.Grammar, new()),
                Response = f.Get("response", ResponseTransformConfig.Grammar, new()),
            };
        });
}

/// <summary>Changes of the request. Values may hold placeholders.</summary>
public sealed record RequestTransformConfig
{
    /// <summary>The path sent to the service; same as <c>forward.path</c>.</summary>
    public string? Path { get; init; }

    /// <summary>Headers that replace the client's.</summary>
    public ValueMap<string> SetHeaders { get; init; } = [];

    /// <summary>Headers added to the client's.</summary>
    public ValueMap<string> AddHeaders { get; init; } = [];

    /// <summary>Headers that are not forwarded.</summary>
    public ValueList<string> RemoveHeaders { get; init; } = [];

    /// <summary>Query parameters that replace the client's of the same name.</summary>
    public ValueMap<string> SetQuery { get; init; } = [];

    /// <summary>Query parameters that are not forwarded.</summary>
    public ValueList<string> RemoveQuery { get; init; } = [];

    /// <summary>The shared instance for routes that change nothing.</summary>
    internal static RequestTransformConfig None { get; } = new();

    internal static Grammar<RequestTransformConfig> Grammar { get; } =
        new RecordGrammar<RequestTransformConfig>(static f => new RequestTransformConfig
        {
            Path = f.Find("path", Scalars.Text),
            SetHeaders = f.Map("setHeaders", HeaderGrammar.Value, HeaderGrammar.Name),
            AddHeaders = f.Map("addHeaders", HeaderGrammar.Value, HeaderGrammar.Name),
            RemoveHeaders = f.List("removeHeaders", HeaderGrammar.Name),
            SetQuery = f.Map("setQuery", Scalars.Text),
            RemoveQuery = f.List("removeQuery", Scalars.Text),
        });
}

/// <summary>Changes of the response. Values may hold placeholders.</summary>
public sealed record ResponseTransformConfig
{
    /// <summary>Headers that replace the service's.</summary>
    public ValueMap<string> SetHeaders { get; init; } = [];

    /// <summary>Headers added to the service's.</summary>
    public ValueMap<string> AddHeaders { get; init; } = [];

    /// <summary>Headers that are not returned.</summary>
    public ValueList<string> RemoveHeaders { get; init; } = [];

    internal static Grammar<ResponseTransformConfig> Grammar { get; } =
        new RecordGrammar<ResponseTransformConfig>(static f => new ResponseTransformConfig
        {
            SetHeaders = f.Map("setHeaders", HeaderGrammar.Value, HeaderGrammar.Name),
            AddHeaders = f.Map("addHeaders", HeaderGrammar.Value, HeaderGrammar.Name),
            RemoveHeaders = f.List("removeHeaders", HeaderGrammar.Name),
        });
}

/// <summary>Names and values of headers that users may set.</summary>
internal static class HeaderGrammar
{
    private static readonly System.Buffers.SearchValues<char> Token = System.Buffers.SearchValues.Create(
        "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    );

    /// <summary>A token of RFC 9110 section 5.1; headers that the gateway sets are refused.</summary>
    public static Grammar<string> Name { get; } =
        new ScalarGrammar<string>(
            "a header that a configuration may set",
            "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
            static (string text, out string value) =>
            {
                value = text;
                return IsToken(text) && !IsGoverned(text);
            },
            "header names are letters, digits and `-`; message framing, connection, `Host`, `Via` and forwarding headers are set by "
                + "the gateway"
        );

    public static Grammar<string> Value { get; } =
        new ScalarGrammar<string>(
            "a header value",
            null,
            static (string text, out string value) =>
            {
                value = text;
                return !text.AsSpan().ContainsAnyInRange('\0', '\x1f') && !text.Contains('\x7f');
            },
            "a header value cannot contain control characters or line breaks"
        );

    public static bool IsToken(ReadOnlySpan<char> text) => text.Length > 0 && !text.ContainsAnyExcept(Token);

    /// <summary>Whether the header is set by the gateway only.</summary>
    public static bool IsGoverned(string name) =>
        name.ToLowerInvariant()
            is "connection"
                or "transfer-encoding"
                or "content-length"
                or "upgrade"
                or "te"
                or "trailer"
                or "keep-alive"
                or "proxy-connection"
                or "host"
                or "via"
                or "expect"
                or "forwarded"
                or "x-forwarded-for"
                or "x-forwarded-proto"
                or "x-forwarded-host"
                or "proxy-status";
}
