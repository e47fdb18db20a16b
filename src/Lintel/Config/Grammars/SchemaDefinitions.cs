using System.Text.Json.Nodes;

namespace Lintel.Config.Grammars;

/// <summary>Collects the JSON Schema's <c>$defs</c>: one for each record, however often it is used.</summary>
internal sealed class SchemaDefinitions(Func<Type, string, string?> documentation)
{
    private readonly JsonObject _definitions = [];

    public static JsonObject AnyOf(params ReadOnlySpan<JsonObject> choices)
    {
        var all = new JsonArray();
        foreach (var choice in choices)
            all.Add((JsonNode)choice);
        return new JsonObject { ["anyOf"] = all };
    }

    /// <summary>The text of the property that this key sets, or <see langword="null"/>.</summary>
    /// <remarks>A record cannot have a property named <c>Equals</c>.</remarks>
    public string? DocumentationOf(Type owner, string key)
    {
        var property = key == "equals" ? "EqualTo" : char.ToUpperInvariant(key[0]) + key[1..];
        for (var record = owner; record is not null; record = record.BaseType) // records share keys by inheriting them
        {
            if (documentation(record, property) is { } text)
                return text;
        }

        return null;
    }

    public JsonObject Reference(Type type, Func<JsonObject> describe)
    {
        var name = type.Name.EndsWith("Config", StringComparison.Ordinal) ? type.Name[..^"Config".Length] : type.Name;
        name = char.ToLowerInvariant(name[0]) + name[1..];
        if (!_definitions.ContainsKey(name))
        {
            _definitions[name] = new JsonObject(); // stands in while the record describes itself: conditions nest
            _definitions[name] = describe();
        }

        return new JsonObject { ["$ref"] = "#/$defs/" + name };
    }

    /// <summary>The whole schema for a root record.</summary>
    public JsonObject ToSchema<T>(Grammar<T> root)
    {
        var reference = root.Describe(this);
        return new JsonObject
        {
            ["$schema"] = "https://json-schema.org/draft/2020-12/schema",
            ["title"] = "Lintel gateway configuration",
            ["$ref"] = reference["$ref"]!.DeepClone(),
            ["$defs"] = _definitions,
        };
    }
}
