using System.Text.Json;
using System.Text.Json.Nodes;
using Lintel.Policies.Validate.Schemas;
using Microsoft.Extensions.Primitives;

namespace Lintel.Policies.Validate;

/// <summary>The schema of a query parameter or header, whose value is text and has to become JSON first.</summary>
internal sealed class ParameterSchema
{
    private readonly Schema _schema;
    private readonly string[] _types;
    private readonly string[] _itemTypes;

    /// <param name="name">The name of the parameter or header.</param>
    /// <param name="schema">The schema, as JSON.</param>
    /// <exception cref="FormatException">The schema cannot be used.</exception>
    public ParameterSchema(string name, string schema)
    {
        Name = name;
        _schema = SchemaCompiler.CompileText(schema);
        var json = JsonNode.Parse(schema) as JsonObject;
        _types = TypesOf(json);
        _itemTypes = TypesOf(json?["items"] as JsonObject);
    }

    public string Name { get; }

    /// <summary>Whether it may have several values.</summary>
    public bool IsList => _types.Contains("array");

    /// <summary>What is wrong with the values; <see langword="null"/> for nothing.</summary>
    /// <param name="values">The values, at least one.</param>
    public string? Problem(StringValues values)
    {
        if (!IsList && values.Count > 1)
            return "is given more than once";
        JsonNode? node = IsList ? new JsonArray([.. values.Select(v => ToJson(v ?? "", _itemTypes))]) : ToJson(values.ToString(), _types);
        using var document = JsonDocument.Parse(node!.ToJsonString());
        var run = new Validation(maxViolations: 1);
        if (_schema.Check(document.RootElement, run))
            return null;
        return run.Violations is [var first, ..] ? first.Detail : "is too complex";
    }

    private static JsonNode ToJson(string text, string[] types)
    {
        if (types.Contains("boolean") && text is "true" or "false")
            return JsonValue.Create(text == "true");
        if ((types.Contains("integer") || types.Contains("number")) && IsNumber(text))
            return JsonNode.Parse(text)!;
        return JsonValue.Create(text);
    }

    /// <summary>A number as JSON writes it, without blanks around it.</summary>
    private static bool IsNumber(string text)
    {
        if (text.Length is 0 or > JsonNumber.MaxLength || !(char.IsAsciiDigit(text[^1]) && (char.IsAsciiDigit(text[0]) || text[0] == '-')))
            return false;
        var reader = new Utf8JsonReader(System.Text.Encoding.UTF8.GetBytes(text));
        try
        {
            return reader.Read() && reader.TokenType == JsonTokenType.Number && !reader.Read();
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static string[] TypesOf(JsonObject? schema) =>
        schema?["type"] switch
        {
            JsonArray list => [.. list.Select(t => (string)t!)],
            JsonValue one => [(string)one!],
            _ => [],
        };
}
