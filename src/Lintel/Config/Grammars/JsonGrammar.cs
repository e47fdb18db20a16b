using System.Text.Json;
using System.Text.Json.Nodes;
using Lintel.Config.Reading;

namespace Lintel.Config.Grammars;

/// <summary>Any JSON value, written in YAML or JSON; becomes compact JSON text.</summary>
internal sealed class JsonGrammar : Grammar<string>
{
    public static JsonGrammar Any { get; } = new();

    public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out string value)
    {
        value = ToJson(node)?.ToJsonString() ?? "null";
        return true;
    }

    public override JsonObject Describe(SchemaDefinitions definitions) => [];

    /// <summary>What YAML's core schema makes of a node: an unquoted scalar that looks like a number, a boolean or null is one.</summary>
    public static JsonNode? ToJson(ConfigNode node) =>
        node switch
        {
            MapNode map => new JsonObject(map.Entries.Select(e => KeyValuePair.Create(e.Key, ToJson(e.Value)))),
            ListNode list => new JsonArray([.. list.Items.Select(ToJson)]),
            ScalarNode { IsNull: true } => null,
            ScalarNode { IsQuoted: false } scalar when TryParseLiteral(scalar.Text, out var literal) => literal,
            _ => JsonValue.Create(((ScalarNode)node).Text),
        };

    private static bool TryParseLiteral(string text, out JsonNode? literal)
    {
        literal = null;
        if (text is not ("true" or "false") && (text.Length == 0 || !(char.IsAsciiDigit(text[0]) || text[0] == '-')))
            return false;
        try
        {
            literal = JsonNode.Parse(text);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
