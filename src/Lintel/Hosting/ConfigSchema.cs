using System.Text.Json.Nodes;
using Lintel.Config.Grammars;
using Lintel.Policies;

namespace Lintel.Hosting;

/// <summary>Generates the configuration's JSON Schema from the grammar that reads it.</summary>
internal static class ConfigSchema
{
    /// <summary>Creates the schema (draft 2020-12).</summary>
    /// <param name="documentation">Returns the description of a record's property, or <see langword="null"/>.</param>
    public static JsonObject Create(Func<Type, string, string?> documentation)
    {
        var schema = new SchemaDefinitions(documentation).ToSchema(PolicyCatalog.Grammar);
        ((JsonObject)schema["$defs"]!["gateway"]!["properties"]!)["include"] = new JsonObject
        {
            ["description"] =
                "Additional files, by path or glob pattern, relative to this file. Keys of this file take precedence over theirs.",
            ["type"] = "array",
            ["items"] = new JsonObject { ["type"] = "string" },
        };
        return schema;
    }
}
