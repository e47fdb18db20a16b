using System.Text.Json.Nodes;

namespace Lintel.Config;

/// <summary>A JSON document whose leaves are JMESPath expressions. Exactly one of its three properties is set.</summary>
public sealed record ShapeConfig
{
    /// <summary>A JMESPath expression.</summary>
    public string? Expression { get; init; }

    /// <summary>An object's properties, in this order.</summary>
    public ValueMap<ShapeConfig>? Members { get; init; }

    /// <summary>A list's items.</summary>
    public ValueList<ShapeConfig>? Items { get; init; }

    internal static Grammar<ShapeConfig> Grammar { get; } = new ShapeGrammar();

    private sealed class ShapeGrammar : Grammar<ShapeConfig>
    {
        public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out ShapeConfig value)
        {
            switch (node)
            {
                case ScalarNode { IsNull: false } scalar:
                    value = new ShapeConfig { Expression = scalar.Text };
                    return true;
                case MapNode:
                    var read = new MapGrammar<ShapeConfig>(this).TryRead(node, path, report, out var members);
                    value = new ShapeConfig { Members = members };
                    return read;
                case ListNode:
                    var all = new ListGrammar<ShapeConfig>(this).TryRead(node, path, report, out var items);
                    value = new ShapeConfig { Items = items };
                    return all;
                default:
                    report.Add("wrong-type", node, path, "an expression is expected, not nothing", "write a JMESPath expression such as `user.name`; for null itself `` `null` ``");
                    return Fail(out value);
            }
        }

        public override JsonObject Describe(SchemaDefinitions definitions) => definitions.Reference(typeof(ShapeConfig), () => new JsonObject
        {
            ["anyOf"] = new JsonArray(
                new JsonObject { ["type"] = new JsonArray("string", "number", "boolean"), ["description"] = "A JMESPath expression" },
                new JsonObject { ["type"] = "object", ["additionalProperties"] = definitions.Reference(typeof(ShapeConfig), () => []) },
                new JsonObject { ["type"] = "array", ["items"] = definitions.Reference(typeof(ShapeConfig), () => []) }),
        });
    }
}
