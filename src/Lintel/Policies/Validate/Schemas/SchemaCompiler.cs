using System.Text.Json;

namespace Lintel.Policies.Validate.Schemas;

/// <summary>Where a schema is: a file, and a JSON Pointer in it.</summary>
internal readonly record struct SchemaPlace(string File, string Pointer)
{
    public SchemaPlace this[string step] =>
        this with
        {
            Pointer = $"{Pointer}/{step.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal)}",
        };
}

/// <summary>Compiles schemas of JSON Schema 2020-12 and draft 7. What would not be checked as its author expects is refused.</summary>
internal sealed class SchemaCompiler
{
    private const string Draft2020 = "https://json-schema.org/draft/2020-12/schema";

    private const string Draft7 = "http://json-schema.org/draft-07/schema";

    private readonly SchemaSource _source;
    private readonly Dictionary<SchemaPlace, Schema> _schemas = [];
    private readonly Queue<(SchemaPlace Place, JsonElement Node, Schema Schema)> _open = new();
    private readonly SchemaNames _names;

    private SchemaCompiler(SchemaSource source)
    {
        _source = source;
        _names = new SchemaNames(source);
    }

    /// <summary>Compiles the schema in a file.</summary>
    /// <exception cref="SchemaException">It cannot be used.</exception>
    public static Schema CompileFile(string file)
    {
        var source = new SchemaSource(file);
        return new SchemaCompiler(source).Compile(new SchemaPlace(file, ""), source.Read(file));
    }

    /// <summary>Compiles a schema that is part of a configuration. It refers to nothing outside of itself.</summary>
    /// <exception cref="SchemaException">It cannot be used.</exception>
    public static Schema CompileText(string json)
    {
        var source = new SchemaSource("/schema");
        using var document = JsonDocument.Parse(json);
        return new SchemaCompiler(source).Compile(new SchemaPlace("/schema", ""), document.RootElement.Clone());
    }

    /// <summary>Whether a file is of draft 7.</summary>
    public bool IsDraft7(string file) => _names.RootOf(file) is { ValueKind: JsonValueKind.Object } root && DialectOf(root) == Draft7;

    /// <summary>Fails with the place of what is wrong.</summary>
    public SchemaException Problem(SchemaPlace place, string text) => new($"{_source.Show(place.File)}#{place.Pointer}: {text}");

    /// <summary>The compiled schema of a place, which may be completed later.</summary>
    public Schema At(SchemaPlace place, JsonElement node)
    {
        if (_schemas.TryGetValue(place, out var known))
            return known;
        if (node.ValueKind is not (JsonValueKind.Object or JsonValueKind.True or JsonValueKind.False))
            throw Problem(place, "a schema is an object, `true` or `false`");
        var schema = _schemas[place] = new Schema();
        if (node.ValueKind == JsonValueKind.False)
            schema.CompleteAsFalse();
        else if (node.ValueKind == JsonValueKind.Object)
            _open.Enqueue((place, node, schema));
        return schema;
    }

    /// <summary>The schema that a reference leads to.</summary>
    public Schema Referenced(SchemaPlace place, string reference)
    {
        var (target, node) = _names.Find(place, reference)
            ?? throw Problem(
                place,
                $"`$ref: {reference}` leads to no schema in this file or in one beside it: nothing is fetched from a network"
            );
        return At(target, node);
    }

    private Schema Compile(SchemaPlace place, JsonElement root)
    {
        _names.Add(place.File, root);
        var main = At(place, root);
        while (_open.TryDequeue(out var next))
        {
            if (next.Node.TryGetProperty("$schema", out _))
                _ = DialectOf(next.Node)
                    ?? throw Problem(next.Place["$schema"], $"the dialect is not known: write `{Draft2020}` or `{Draft7}#`");
            next.Schema.Complete(new KeywordReader(this, next.Place, next.Node).Read());
        }

        foreach (var (where, schema) in _schemas)
        {
            if (LeadsToItself(schema, []))
                throw Problem(where, "the schema applies itself to the same value, without end");
        }

        return main;
    }

    private static string? DialectOf(JsonElement node)
    {
        if (!node.TryGetProperty("$schema", out var dialect))
            return Draft2020;
        return dialect.ValueKind != JsonValueKind.String ? null
            : dialect.ValueEquals(Draft2020) || dialect.ValueEquals(Draft2020 + "#") ? Draft2020
            : dialect.ValueEquals(Draft7) || dialect.ValueEquals(Draft7 + "#") ? Draft7
            : null;
    }

    private static bool LeadsToItself(Schema schema, HashSet<Schema> seen)
    {
        var open = new Stack<Schema>(schema.InPlace);
        while (open.TryPop(out var next))
        {
            if (next == schema)
                return true;
            if (seen.Add(next))
            {
                foreach (var inner in next.InPlace)
                    open.Push(inner);
            }
        }

        return false;
    }
}
