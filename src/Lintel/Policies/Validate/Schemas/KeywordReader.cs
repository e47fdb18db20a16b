using System.Text.Json;
using Lintel.Config.Grammars;

namespace Lintel.Policies.Validate.Schemas;

/// <summary>Reads the keywords of one schema.</summary>
internal sealed class KeywordReader(SchemaCompiler compiler, SchemaPlace place, JsonElement node)
{
    /// <summary>Keywords that say nothing about validity, or belong to another that does.</summary>
    private static readonly HashSet<string> Notes =
    [
        "$schema",
        "$id",
        "$anchor",
        "$comment",
        "$defs",
        "definitions",
        "title",
        "description",
        "default",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
        "contentEncoding",
        "contentMediaType",
        "contentSchema",
    ];

    private static readonly HashSet<string> Partners = ["minContains", "maxContains", "then", "else", "additionalItems"];

    private static readonly string[] Known =
    [
        "type",
        "enum",
        "const",
        "multipleOf",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "minLength",
        "maxLength",
        "pattern",
        "format",
        "minItems",
        "maxItems",
        "uniqueItems",
        "items",
        "prefixItems",
        "contains",
        "unevaluatedItems",
        "properties",
        "patternProperties",
        "additionalProperties",
        "propertyNames",
        "required",
        "minProperties",
        "maxProperties",
        "dependentRequired",
        "dependentSchemas",
        "dependencies",
        "unevaluatedProperties",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "if",
        "$ref",
    ];

    private readonly List<Keyword> _keywords = [];
    private readonly MembersKeyword _members = new();
    private readonly bool _isDraft7 = compiler.IsDraft7(place.File);

    public IEnumerable<Keyword> Read()
    {
        foreach (var keyword in node.EnumerateObject())
        {
            var (name, value) = (keyword.Name, keyword.Value);
            if (Notes.Contains(name) || Partners.Contains(name) || name.StartsWith("x-", StringComparison.Ordinal))
                continue;
            if (!TryReadScalar(name, value) && !TryReadContainer(name, value) && !TryReadCombination(name, value))
                throw Unknown(name);
        }

        if (_isDraft7 && node.TryGetProperty("$ref", out _) && (_keywords.Count > 1 || !_members.IsEmpty))
            throw compiler.Problem(place, "keywords beside `$ref` have no effect in draft 7: combine them with `allOf`");
        if (!_members.IsEmpty)
            _keywords.Add(_members);
        return _keywords;
    }

    private bool TryReadScalar(string name, JsonElement value)
    {
        Keyword? keyword = name switch
        {
            "type" => Type(value),
            "enum" => value.ValueKind == JsonValueKind.Array && value.GetArrayLength() > 0
                ? new EnumKeyword([.. value.EnumerateArray()])
                : throw Wrong(name, "a list of values"),
            "const" => new EnumKeyword([value]),
            "minimum" or "maximum" or "exclusiveMinimum" or "exclusiveMaximum" or "multipleOf" => Number(name, value),
            "minLength" => new SizeKeyword(JsonValueKind.String, isMinimum: true, Count(name, value)),
            "maxLength" => new SizeKeyword(JsonValueKind.String, isMinimum: false, Count(name, value)),
            "minItems" => new SizeKeyword(JsonValueKind.Array, isMinimum: true, Count(name, value)),
            "maxItems" => new SizeKeyword(JsonValueKind.Array, isMinimum: false, Count(name, value)),
            "minProperties" => new SizeKeyword(JsonValueKind.Object, isMinimum: true, Count(name, value)),
            "maxProperties" => new SizeKeyword(JsonValueKind.Object, isMinimum: false, Count(name, value)),
            "pattern" => new PatternKeyword(Pattern(name, Text(name, value))),
            _ => null,
        };
        if (keyword is not null)
            _keywords.Add(keyword);
        if (name == "uniqueItems" && Flag(name, value))
            _keywords.Add(new UniqueKeyword());
        if (name == "format" && Formats.Find(Text(name, value)) is { } test)
            _keywords.Add(new FormatKeyword(value.GetString()!, test));
        return keyword is not null || name is "uniqueItems" or "format";
    }

    private bool TryReadContainer(string name, JsonElement value)
    {
        switch (name)
        {
            case "properties":
                foreach (var (key, schema) in Map(name, value))
                    _members.Properties.Add(key, schema);
                return true;
            case "patternProperties":
                foreach (var (key, schema) in Map(name, value))
                    _members.Patterns.Add((Pattern(name, key), schema));
                return true;
            case "additionalProperties":
                _members.Additional = One(name, value);
                return true;
            case "propertyNames":
                _members.Names = One(name, value);
                return true;
            case "required":
                _keywords.Add(new RequiredKeyword(Texts(name, value)));
                return true;
            case "dependentRequired":
                foreach (var (key, list) in Members(name, value))
                    _keywords.Add(new RequiredKeyword(Texts(name, list), key));
                return true;
            case "items":
                ReadItems(value);
                return true;
            case "prefixItems":
                if (!node.TryGetProperty("items", out _))
                    _keywords.Add(new ItemsKeyword(List(name, value), null));
                return true;
            case "contains":
                _keywords.Add(new ContainsKeyword(One(name, value), Bound("minContains", 1), Bound("maxContains", long.MaxValue)));
                return true;
            case "unevaluatedProperties":
            case "unevaluatedItems":
                _keywords.Add(new UnevaluatedKeyword(One(name, value), name == "unevaluatedItems"));
                return true;
            default:
                return false;
        }
    }

    private bool TryReadCombination(string name, JsonElement value)
    {
        switch (name)
        {
            case "allOf":
                _keywords.Add(new AllOfKeyword(List(name, value)));
                return true;
            case "anyOf":
            case "oneOf":
                _keywords.Add(new AlternativesKeyword(List(name, value), name == "oneOf"));
                return true;
            case "not":
                _keywords.Add(new NotKeyword(One(name, value)));
                return true;
            case "if":
                _keywords.Add(new IfKeyword(One(name, value), Partner("then"), Partner("else")));
                return true;
            case "$ref":
                _keywords.Add(new AllOfKeyword([compiler.Referenced(place, Text(name, value))]));
                return true;
            case "dependentSchemas":
                foreach (var (key, schema) in Map(name, value))
                    _keywords.Add(new DependentKeyword(key, schema));
                return true;
            case "dependencies": // of draft 7
                foreach (var (key, either) in Members(name, value))
                    _keywords.Add(
                        either.ValueKind == JsonValueKind.Array
                            ? new RequiredKeyword(Texts(name, either), key)
                            : new DependentKeyword(key, compiler.At(place[name][key], either))
                    );
                return true;
            default:
                return false;
        }
    }

    private void ReadItems(JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.Array)
        {
            if (!_isDraft7)
                throw compiler.Problem(place["items"], "a list of schemas is `prefixItems` in 2020-12");
            _keywords.Add(new ItemsKeyword(List("items", value), Partner("additionalItems")));
            return;
        }

        var prefix = node.TryGetProperty("prefixItems", out var first) ? List("prefixItems", first) : [];
        _keywords.Add(new ItemsKeyword(prefix, One("items", value)));
    }

    private TypeKeyword Type(JsonElement value)
    {
        var types = value.ValueKind == JsonValueKind.Array ? Texts("type", value) : [Text("type", value)];
        return types.Length > 0 && types.All(TypeKeyword.All.Contains)
            ? new TypeKeyword(types)
            : throw Wrong("type", $"one or several of {string.Join(", ", TypeKeyword.All)}");
    }

    private NumberKeyword Number(string name, JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && JsonNumber.TryParse(value, out var bound) && (name != "multipleOf" || bound.Sign > 0)
            ? new NumberKeyword(name, value.GetRawText(), bound)
            : throw Wrong(name, name == "multipleOf" ? "a number greater than 0" : "a number");

    private long Count(string name, JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var count) && count is >= 0 and <= int.MaxValue && count % 1 == 0
            ? (long)count
            : throw Wrong(name, "an integer that is not negative");

    private long Bound(string name, long otherwise) => node.TryGetProperty(name, out var value) ? Count(name, value) : otherwise;

    private System.Text.RegularExpressions.Regex Pattern(string name, string pattern) =>
        EcmaPattern.TryCreate(pattern, out var regex, out var problem)
            ? regex
            : throw compiler.Problem(place[name], $"the regular expression `{pattern}` cannot be used: {problem.TrimEnd('.')}");

    private string Text(string name, JsonElement value) =>
        value.ValueKind == JsonValueKind.String ? value.GetString()! : throw Wrong(name, "text");

    private bool Flag(string name, JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw Wrong(name, "`true` or `false`"),
        };

    private string[] Texts(string name, JsonElement value) =>
        value.ValueKind == JsonValueKind.Array
            ? [.. value.EnumerateArray().Select(v => Text(name, v))]
            : throw Wrong(name, "a list of texts");

    private Schema One(string name, JsonElement value) => compiler.At(place[name], value);

    private Schema? Partner(string name) => node.TryGetProperty(name, out var value) ? One(name, value) : null;

    private Schema[] List(string name, JsonElement value) =>
        value.ValueKind == JsonValueKind.Array && value.GetArrayLength() > 0
            ? [.. value.EnumerateArray().Select((v, i) => compiler.At(place[name][$"{i}"], v))]
            : throw Wrong(name, "a list of schemas");

    private IEnumerable<(string Key, Schema Schema)> Map(string name, JsonElement value) =>
        Members(name, value).Select(m => (m.Key, compiler.At(place[name][m.Key], m.Value)));

    private IEnumerable<(string Key, JsonElement Value)> Members(string name, JsonElement value) =>
        value.ValueKind == JsonValueKind.Object ? value.EnumerateObject().Select(m => (m.Name, m.Value)) : throw Wrong(name, "an object");

    private SchemaException Wrong(string name, string expected) => compiler.Problem(place[name], $"{expected} is expected");

    private SchemaException Unknown(string name) =>
        compiler.Problem(
            place[name],
            name is "$dynamicRef" or "$dynamicAnchor" or "$recursiveRef"
                ? "is not supported: use `$ref`"
                : "is not a keyword of JSON Schema (a note of your own begins with `x-`): "
                    + (Suggestion.Nearest(name, Known) ?? "it would not be checked")
        );
}
