using Lintel.Config.Grammars;
using Lintel.Config.Reading;

namespace Lintel.Config;

/// <summary>A form of paths that is refused unless a route allows it, because services interpret it differently.</summary>
public enum PathAllowance
{
    /// <summary><c>%2F</c> and <c>%5C</c> inside a segment: some services treat them as separators.</summary>
    EncodedSlashes,

    /// <summary><c>;</c> inside a segment: Java services remove it and the text that follows.</summary>
    Semicolons,

    /// <summary>Empty segments, <c>//</c>: kept, whereas other routes merge them.</summary>
    EmptySegments,

    /// <summary>
    /// Percent-encoding that is not UTF-8, such as <c>%E4</c>: forwarded unchanged. Overlong forms of ASCII are still refused.
    /// </summary>
    RawBytes,
}

/// <summary>The requests that a route matches: all conditions must be met.</summary>
public sealed record MatchConfig
{
    /// <summary>
    /// Host names without port, exact or with a first label <c>*</c> that stands for one or more labels. Empty: any host.
    /// </summary>
    public ValueList<string> Hosts { get; init; } = [];

    /// <summary>Path templates in ASP.NET Core syntax; at least one.</summary>
    public required ValueList<string> Paths { get; init; }

    /// <summary>Methods in upper case. Empty: any. <c>GET</c> also matches <c>HEAD</c> unless another route lists it.</summary>
    public ValueList<string> Methods { get; init; } = [];

    /// <summary>
    /// The names of the listeners that may receive the request. Empty: any. Inside another host, which has its own listeners, a route with
    /// listeners matches no request.
    /// </summary>
    public ValueList<string> Listeners { get; init; } = [];

    /// <summary>
    /// <c>http</c> or <c>https</c>: the scheme of the connection, or the one reported by a trusted proxy. Default: either.
    /// </summary>
    public string? Scheme { get; init; }

    /// <summary>Conditions on headers by name.</summary>
    public ValueMap<ConditionConfig> Headers { get; init; } = [];

    /// <summary>Conditions on query parameters by name.</summary>
    public ValueMap<ConditionConfig> Query { get; init; } = [];

    /// <summary>
    /// Conditions on cookies by name. Cookie names are case-sensitive; of several cookies with one name the first is used.
    /// </summary>
    public ValueMap<ConditionConfig> Cookies { get; init; } = [];

    /// <summary>The name of the client that must match.</summary>
    public string? Client { get; init; }

    /// <summary>Forms of paths that are otherwise refused.</summary>
    public ValueList<PathAllowance> Allow { get; init; } = [];

    internal static Grammar<string> TokenGrammar { get; } =
        new ScalarGrammar<string>("a header or cookie name", null, static (string text, out string value) =>
        {
            value = text;
            return HeaderGrammar.IsToken(text);
        });

    internal static Grammar<string> MethodGrammar { get; } =
        new ScalarGrammar<string>(
            "a method",
            "^[A-Z][A-Z-]*$",
            static (string text, out string value) =>
            {
                value = text;
                return IsMethod(text);
            },
            "methods are written in upper case, such as `GET`"
        );

    internal static Grammar<string> HostGrammar { get; } =
        new ScalarGrammar<string>(
            "a host name",
            null,
            static (string text, out string value) =>
            {
                var isWildcard = text.StartsWith("*.", StringComparison.Ordinal);
                var name = HostNames.ToAscii(isWildcard ? text[2..] : text);
                value = (isWildcard ? "*." : "") + name;
                return name.Length is > 0 and <= 253
                    && (
                        name[0] == '['
                            ? System.Net.IPAddress.TryParse(name, out _) && name.EndsWith(']')
                            : name.Split('.')
                                .All(label =>
                                    label.Length is > 0 and <= 63 && label.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_')
                                )
                    );
            },
            "write a name without scheme and port, such as `api.example.com` or `*.example.net`"
        );

    /// <summary>The scheme of a request.</summary>
    internal static Grammar<string> SchemeGrammar { get; } =
        new ScalarGrammar<string>(
            "`http` or `https`",
            "^https?$",
            static (string text, out string value) =>
            {
                value = text;
                return text is "http" or "https";
            },
            "write `http` or `https`"
        );

    internal static Grammar<MatchConfig> Grammar { get; } =
        new ShortFormGrammar<MatchConfig>(
            ReadShort,
            "[METHOD[,METHOD…]] /path/{parameter}",
            new RecordGrammar<MatchConfig>(static f =>
            {
                var single = f.Find("path", Scalars.Text);
                var several = f.FilledList("paths", Scalars.Text, "list a path, or remove the key");
                if (f.IsReading && single is null && several.Count == 0 && !f.HasFailed("path") && !f.HasFailed("paths"))
                    f.Report("missing-key", null, "the path is missing", "add `path`; `/{**rest}` matches every path");
                return new MatchConfig
                {
                    Hosts = f.FilledList("hosts", HostGrammar, "list a host, or remove the key to match any host", allowSingle: true),
                    Paths = single is null ? several : [single, .. several],
                    Methods = f.FilledList(
                        "methods",
                        MethodGrammar,
                        "list a method, or remove the key to match any method",
                        allowSingle: true
                    ),
                    Listeners = f.FilledList(
                        "listeners",
                        Scalars.Name,
                        "list a listener, or remove the key to match any listener",
                        allowSingle: true
                    ),
                    Scheme = f.Find("scheme", SchemeGrammar),
                    Headers = f.FilledMap("headers", ConditionConfig.Grammar, ConditionConfig.NoneHint, TokenGrammar),
                    Query = f.FilledMap("query", ConditionConfig.Grammar, ConditionConfig.NoneHint),
                    Cookies = f.FilledMap("cookies", ConditionConfig.Grammar, ConditionConfig.NoneHint, TokenGrammar),
                    Client = f.Find("client", Scalars.Name),
                    Allow = f.List(
                        "allow",
                        Scalars.Choice([
                            ("encodedSlashes", PathAllowance.EncodedSlashes),
                            ("semicolons", PathAllowance.Semicolons),
                            ("emptySegments", PathAllowance.EmptySegments),
                            ("rawBytes", PathAllowance.RawBytes),
                        ])
                    ),
                };
            })
        );

    private static bool IsMethod(string text) =>
        text.Length is > 0 and <= 32 && char.IsAsciiLetterUpper(text[0]) && text.All(c => char.IsAsciiLetterUpper(c) || c == '-');

    private static bool ReadShort(ScalarNode scalar, KeyPath path, ConfigReport report, out MatchConfig value)
    {
        var text = scalar.Text.Trim();
        var slash = text.IndexOf('/');
        var words = slash < 0 ? "" : text[..slash].Trim();
        var methods = words.Length == 0 ? [] : words.Split(',', StringSplitOptions.TrimEntries);
        value = null!;
        if (slash < 0)
        {
            report.Add(
                "bad-value",
                scalar,
                path,
                $"`{scalar.Written}` contains no path",
                "write `[METHODS] /path`, such as `GET /api/users/{id}`"
            );
            return false;
        }

        if (methods.FirstOrDefault(m => !IsMethod(m)) is { } wrong)
        {
            report.Add("bad-value", scalar, path, $"`{wrong}` is not a method", "write `[METHODS] /path`, such as `GET,POST /api/orders`");
            return false;
        }

        value = new MatchConfig { Paths = [text[slash..]], Methods = [.. methods] };
        return true;
    }
}

/// <summary>A condition on the value of a header, query parameter or cookie. Exactly one property is set.</summary>
public sealed record ConditionConfig
{
    /// <summary>The value equals this text.</summary>
    public string? Exact { get; init; }

    /// <summary>The value starts with this text.</summary>
    public string? Prefix { get; init; }

    /// <summary>
    /// The value matches this .NET regular expression, evaluated in time linear in its length (<c>NonBacktracking</c>: no lookarounds, no
    /// backreferences).
    /// </summary>
    public string? Regex { get; init; }

    /// <summary>The value equals one of these texts.</summary>
    public ValueList<string>? OneOf { get; init; }

    /// <summary>Whether there is a value.</summary>
    public bool? Present { get; init; }

    /// <summary>The condition that must not be met; also true if there is no value.</summary>
    public ConditionConfig? Not { get; init; }

    internal static Grammar<ConditionConfig> Grammar { get; } = new LateGrammar();

    /// <summary>The hint for empty conditions.</summary>
    internal const string NoneHint = "add a condition, such as `NAME: value`, or remove the key";

    /// <summary>The text of a prefix or a search: an empty one would match every value.</summary>
    private static Grammar<string> PartGrammar { get; } =
        new ScalarGrammar<string>(
            "text of at least one character",
            null,
            static (string text, out string value) =>
            {
                value = text;
                return text.Length > 0;
            },
            "to match any value write `present: true`"
        );

    private static Grammar<ConditionConfig> Full { get; } =
        new ShortFormGrammar<ConditionConfig>(
            static (ScalarNode scalar, KeyPath path, ConfigReport report, out ConditionConfig value) =>
            {
                value = new ConditionConfig { Exact = scalar.Text };
                return true;
            },
            "The exact value",
            new RecordGrammar<ConditionConfig>(static f =>
            {
                var condition = new ConditionConfig
                {
                    Exact = f.Find("exact", Scalars.Text),
                    Prefix = f.Find("prefix", PartGrammar),
                    Regex = f.Find("regex", PartGrammar),
                    OneOf = f.Find("oneOf", new ListGrammar<string>(Scalars.Text, minimum: 1)),
                    Present = f.FindValue("present", Scalars.Boolean),
                    Not = f.Find("not", Grammar),
                };
                string[] keys = ["exact", "prefix", "regex", "oneOf", "present", "not"];
                if (f.IsReading && keys.Count(f.Has) != 1)
                    f.Report(
                        "conflict",
                        null,
                        "a condition has exactly one of `exact`, `prefix`, `regex`, `oneOf`, `present`, `not`",
                        "write the value itself to match it exactly"
                    );
                return condition;
            })
        );

    /// <summary><c>not</c> nests: the grammar refers to itself.</summary>
    private sealed class LateGrammar : Grammar<ConditionConfig>
    {
        public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out ConditionConfig value) =>
            Full.TryRead(node, path, report, out value);

        public override System.Text.Json.Nodes.JsonObject Describe(SchemaDefinitions definitions) => Full.Describe(definitions);
    }
}
