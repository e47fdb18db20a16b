using System.Text.Json.Nodes;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;

namespace Lintel.Config;

/// <summary>The format of access-log lines.</summary>
public sealed record AccessLogFormat
{
    private const string Hint = "write `json`, `text` or `{ template: \"{client} {method} {target} {status}\" }`";

    private AccessLogFormat(string name, string? template)
    {
        Name = name;
        Template = template;
    }

    /// <summary>A JSON object a line.</summary>
    public static AccessLogFormat Json { get; } = new("json", null);

    /// <summary>A line for people.</summary>
    public static AccessLogFormat Text { get; } = new("text", null);

    /// <summary><c>json</c>, <c>text</c> or <c>template</c>.</summary>
    internal string Name { get; }

    /// <summary>The template; <see langword="null"/> for the other formats.</summary>
    internal string? Template { get; }

    internal static Grammar<AccessLogFormat> Grammar { get; } = new FormatGrammar();

    /// <summary>
    /// Lines after a template: text with <c>{placeholders}</c>. Errors in it are reported when the configuration is applied.
    /// </summary>
    /// <param name="template">The template.</param>
    public static AccessLogFormat FromTemplate(string template) => new("template", template);

    private sealed class FormatGrammar : Grammar<AccessLogFormat>
    {
        public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out AccessLogFormat value)
        {
            switch (node)
            {
                case ScalarNode { Text: "json" }:
                    value = Json;
                    return true;
                case ScalarNode { Text: "text" }:
                    value = Text;
                    return true;
                case ScalarNode { IsNull: false } scalar:
                    report.Add(
                        "bad-value",
                        node,
                        path,
                        $"`{scalar.Written}` is not a log format",
                        Suggestion.Nearest(scalar.Text, ["json", "text"]) ?? Hint
                    );
                    return Fail(out value);
                case MapNode:
                    return TemplateGrammar.TryRead(node, path, report, out value);
                default:
                    report.Add("wrong-type", node, path, $"a format is expected, not {node.Kind}", Hint);
                    return Fail(out value);
            }
        }

        public override JsonObject Describe(SchemaDefinitions definitions) =>
            SchemaDefinitions.AnyOf(
                new JsonObject { ["enum"] = new JsonArray("json", "text") },
                new JsonObject
                {
                    ["type"] = "object",
                    ["additionalProperties"] = false,
                    ["properties"] = new JsonObject
                    {
                        ["template"] = new JsonObject
                        {
                            ["type"] = "string",
                            ["description"] = "Text with fields as placeholders: " + AccessLogTemplate.KnownNames,
                        },
                    },
                    ["required"] = new JsonArray("template"),
                }
            );

        private static RecordGrammar<AccessLogFormat> TemplateGrammar { get; } =
            new(static f => FromTemplate(f.Require("template", new TemplateText())));
    }

    private sealed class TemplateText : Grammar<string>
    {
        public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out string value)
        {
            if (!Scalars.Text.TryRead(node, path, report, out value))
                return false;
            if (AccessLogTemplate.Parse(value, out var problem, out var hint) is not null)
                return true;
            report.Add("bad-template", node, path, problem!, hint);
            return false;
        }

        public override JsonObject Describe(SchemaDefinitions definitions) => Scalars.Text.Describe(definitions);
    }
}
