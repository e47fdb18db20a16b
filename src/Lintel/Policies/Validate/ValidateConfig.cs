using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;
using Lintel.Policies.Validate.Schemas;

namespace Lintel.Policies.Validate;

/// <summary>Refuses requests whose content, query or headers are not as their schemas say.</summary>
/// <remarks>
/// What is wrong is told in the problem's <c>errors</c>, each with a JSON Pointer or the name of the parameter or header. What passes is
/// sent on unchanged, byte for byte. The policy runs after authentication and authorization: strangers cannot make the gateway read bodies.
/// </remarks>
public sealed record ValidateConfig : PolicyConfig
{
    internal const string Key = "validate";

    private const string NothingProblem = "the policy validates nothing";

    private const string NothingHint = "set `contentTypes`, `body`, `query`, `headers` or `required`";

    /// <summary>
    /// The media types that requests with content may have: <c>application/json</c>, or <c>image/*</c>; all others, and content without
    /// a type, are refused with 415. Default: any, and with <see cref="Body"/> <c>application/json</c> and all types that end with
    /// <c>+json</c>.
    /// </summary>
    public ValueList<string> ContentTypes { get; init; } = [];

    /// <summary>
    /// A file with a JSON Schema (2020-12, or draft 7 if its <c>$schema</c> says so) for the content of requests. The content must be
    /// JSON in UTF-8 without a content coding, no object may have a member twice, and POST, PUT and PATCH must have some. It is kept in
    /// memory until it has been sent (<c>limits.memory</c>). <c>$ref</c> leads to places in the file and in files beside or below it.
    /// Default: content is not looked at.
    /// </summary>
    public string? Body { get; init; }

    /// <summary>
    /// The longest content that <see cref="Body"/> validates, from 1 KiB to 1 GiB; longer ones are refused with 413. Default 1 MiB.
    /// </summary>
    public long MaxBody { get; init; } = DefaultMaxBody;

    /// <summary>
    /// How long receiving the content may take with <see cref="Body"/>, from 1 s to 10 min; then the answer is 408. Default 30 s.
    /// </summary>
    public TimeSpan Timeout { get; init; } = DefaultTimeout;

    /// <summary>
    /// Schemas of query parameters by name: <c>{ page: { type: integer, minimum: 1 } }</c>. A value is a number or boolean if the schema
    /// has that type, and text otherwise; a parameter may be repeated if the type is <c>array</c>. Others are not looked at. Default: none.
    /// </summary>
    public ValueMap<string> Query { get; init; } = [];

    /// <summary>
    /// Schemas of headers by name, as for <see cref="Query"/>; the items of an <c>array</c> are separated by commas. Default: none.
    /// </summary>
    public ValueMap<string> Headers { get; init; } = [];

    /// <summary>Parameters and headers that requests must have: <c>query:page</c>, <c>header:X-Tenant</c>. Default: none.</summary>
    public ValueList<string> Required { get; init; } = [];

    /// <summary>The most violations that a problem lists.</summary>
    internal const int MaxFaults = 20;

    private const long DefaultMaxBody = 1024 * 1024;

    private static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(30);

    private static Grammar<string> RequiredGrammar { get; } =
        new ScalarGrammar<string>(
            "the name of a query parameter or header",
            "^(query|header):.+$",
            static (string text, out string value) =>
            {
                value = text;
                return IsRequired(text);
            },
            "write `query:page` or `header:X-Tenant`"
        );

    private static Grammar<string> TypeGrammar { get; } =
        new ScalarGrammar<string>(
            "a media type",
            "^[^/ ]+/[^/ ]+$",
            static (string text, out string value) =>
            {
                value = text.ToLowerInvariant();
                return MediaRange.IsValid(text);
            },
            "write `application/json` or `image/*`, without parameters"
        );

    internal static Grammar<ValidateConfig> Grammar { get; } =
        new RecordGrammar<ValidateConfig>(static f =>
        {
            var validate = new ValidateConfig
            {
                ContentTypes = f.FilledList("contentTypes", TypeGrammar, "list a media type, or remove the key", allowSingle: true),
                Body = f.Find("body", SchemaFileGrammar.Instance),
                MaxBody = f.Get("maxBody", Scalars.Size(1024, 1024 * 1024 * 1024), DefaultMaxBody),
                Timeout = f.Get("timeout", Scalars.Duration(TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(10)), DefaultTimeout),
                Query = f.FilledMap("query", SchemaTextGrammar.Instance, "set the schema of a parameter: `page: { type: integer }`"),
                Headers = f.FilledMap(
                    "headers",
                    SchemaTextGrammar.Instance,
                    "set the schema of a header: `X-Tenant: { pattern: \"^[a-z]+$\" }`",
                    MatchConfig.TokenGrammar
                ),
                Required = f.FilledList("required", RequiredGrammar, "list a parameter or header, or remove the key", allowSingle: true),
            };
            foreach (var key in new[] { "maxBody", "timeout" })
            {
                if (f.IsReading && f.Has(key) && !f.Has("body"))
                    f.Report("conflict", key, $"`{key}` is about the content, which is not looked at", "set `body`, or remove it");
            }

            string[] keys = ["contentTypes", "body", "query", "headers", "required"];
            if (f.IsReading && !keys.Any(f.HasFailed) && validate.Problem is { } problem)
                f.Report("conflict", null, problem.Message, problem.Hint);
            return validate;
        });

    internal override string Kind => Key;

    internal override IEnumerable<string> Files => Body is null ? [] : SchemaSource.FilesOf(Body);

    internal override (string Message, string Hint)? Problem =>
        this switch
        {
            { ContentTypes.Count: 0, Body: null, Query.Count: 0, Headers.Count: 0, Required.Count: 0 } => (NothingProblem, NothingHint),
            { Body: not null } when ContentTypes.FirstOrDefault(t => !MediaRange.IsJson(t)) is { } other => (
                $"content of the type {other} has no JSON Schema",
                "list types of JSON only, or remove `body`"
            ),
            _ when MaxBody < 1 || Timeout <= TimeSpan.Zero => ("`MaxBody` or `Timeout` is out of range", "set them above 0"),
            _ when Required.FirstOrDefault(r => !IsRequired(r)) is { } wrong => (
                $"`{wrong}` is not the name of a query parameter or header",
                "write `query:page` or `header:X-Tenant`"
            ),
            _ => null,
        };

    private static bool IsRequired(string text) =>
        text.StartsWith("query:", StringComparison.Ordinal)
            ? text.Length > "query:".Length
            : text.StartsWith("header:", StringComparison.Ordinal) && HeaderGrammar.IsToken(text.AsSpan("header:".Length));

    /// <summary>A file with a schema that can be used.</summary>
    private sealed class SchemaFileGrammar : Grammar<string>
    {
        public static SchemaFileGrammar Instance { get; } = new();

        public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out string value)
        {
            if (!Scalars.FilePath.TryRead(node, path, report, out value))
                return false;
            try
            {
                SchemaCompiler.CompileFile(value);
                return true;
            }
            catch (Exception e) when (e is SchemaException or IOException or UnauthorizedAccessException)
            {
                report.Add("bad-value", node, path, $"the schema cannot be used: {e.Message}");
                return false;
            }
        }

        public override System.Text.Json.Nodes.JsonObject Describe(SchemaDefinitions definitions) => Scalars.FilePath.Describe(definitions);
    }

    /// <summary>A schema that is written in the configuration, as JSON text.</summary>
    private sealed class SchemaTextGrammar : Grammar<string>
    {
        public static SchemaTextGrammar Instance { get; } = new();

        public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out string value)
        {
            JsonGrammar.Any.TryRead(node, path, report, out value);
            try
            {
                SchemaCompiler.CompileText(value);
                return true;
            }
            catch (SchemaException e)
            {
                report.Add("bad-value", node, path, $"the schema cannot be used: {e.Message}");
                return false;
            }
        }

        public override System.Text.Json.Nodes.JsonObject Describe(SchemaDefinitions definitions) =>
            new() { ["type"] = new System.Text.Json.Nodes.JsonArray("object", "boolean") };
    }
}
