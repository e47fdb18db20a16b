using System.Text.Json;
using System.Text.Json.Nodes;
using Lintel.Policies.Validate.Schemas;

namespace Lintel.Tests.Policies.Validate.Schemas;

/// <summary>Random schemas and documents, validated by the gateway and by JsonSchema.Net, which nobody here wrote.</summary>
public sealed class SchemaComparisonTests
{
    private readonly Random _random = new(2026);

    [Fact]
    public void Validity_OfRandomDocuments_IsThatOfAnotherImplementation()
    {
        var valid = 0;
        for (var i = 0; i < 2_000; i++)
        {
            var text = Schema(0).ToJsonString();
            var own = SchemaCompiler.CompileText(text);
            var other = Json.Schema.JsonSchema.FromText(text);
            for (var j = 0; j < 10; j++)
            {
                var json = Value(0)?.ToJsonString() ?? "null";
                using var document = JsonDocument.Parse(json);
                var isValid = own.Check(document.RootElement, new Validation(20));
                Assert.True(isValid == other.Evaluate(document.RootElement).IsValid, $"{text}\n{json}");
                valid += isValid ? 1 : 0;
            }
        }

        Assert.InRange(valid, 5_000, 15_000); // neither all nor nothing
    }

    private T One<T>(params T[] of) => of[_random.Next(of.Length)];

    private JsonNode? Value(int depth) =>
        _random.Next(depth > 3 ? 7 : 9) switch
        {
            0 => null,
            1 => One(true, false),
            2 => _random.Next(-3, 4),
            3 => _random.Next(4) * 0.5,
            4 => JsonNode.Parse(One("1.0", "1e0", "10e-1", "2.50", "-0", "3e1")),
            5 => One("", "a", "ab", "abc", "\ud83d\ude00", "1"),
            6 => "b",
            7 => new JsonArray([.. Enumerable.Range(0, _random.Next(4)).Select(_ => Value(depth + 1))]),
            _ => new JsonObject("abc".Where(_ => One(true, false)).Select(c => KeyValuePair.Create(c.ToString(), Value(depth + 1)))),
        };

    private JsonNode Schema(int depth)
    {
        if (_random.Next(12) == 0)
            return JsonValue.Create(One(true, true, false));
        var schema = new JsonObject();
        for (var i = _random.Next(1, 4); i > 0; i--)
        {
            foreach (var (keyword, value) in depth > 3 || _random.Next(2) == 0 ? Simple() : Nested(depth + 1))
                schema[keyword] = value;
        }

        if (depth == 0 && _random.Next(4) == 0)
        {
            schema["$defs"] = new JsonObject { ["x"] = Schema(2) };
            schema["$ref"] = "#/$defs/x";
        }

        return schema;
    }

    private IEnumerable<(string, JsonNode?)> Simple()
    {
        yield return _random.Next(14) switch
        {
            0 => ("type", One("null", "boolean", "object", "array", "number", "string", "integer")),
            1 => ("type", new JsonArray("string", "object", "array")),
            2 => ("enum", new JsonArray(Value(2), Value(2), 1)),
            3 => ("const", Value(2)),
            4 => ("minimum", _random.Next(-2, 3)),
            5 => ("exclusiveMaximum", _random.Next(-2, 3)),
            6 => ("multipleOf", One(0.5, 1, 2, 1.5)),
            7 => ("minLength", _random.Next(3)),
            8 => ("maxLength", _random.Next(3)),
            9 => ("pattern", One("^a", "b$", "^[ab]+$", "1")),
            10 => ("maxItems", _random.Next(3)),
            11 => ("uniqueItems", true),
            12 => ("required", new JsonArray("a")),
            _ => ("minProperties", _random.Next(3)),
        };
    }

    private IEnumerable<(string, JsonNode?)> Nested(int depth)
    {
        switch (_random.Next(4))
        {
            case 0:
                yield return ("if", Schema(depth));
                yield return ("then", Schema(depth));
                yield return ("else", Schema(depth));
                yield break;
            case 1:
                yield return ("contains", Schema(depth));
                yield return (One("minContains", "maxContains"), _random.Next(3));
                yield break;
        }

        yield return _random.Next(16) switch
        {
            0 => ("properties", new JsonObject { ["a"] = Schema(depth), ["b"] = Schema(depth) }),
            1 => ("additionalProperties", Schema(depth)),
            2 => ("patternProperties", new JsonObject { ["^[bc]"] = Schema(depth) }),
            3 => ("propertyNames", new JsonObject { ["pattern"] = "^[ab]" }),
            4 => ("items", Schema(depth)),
            5 => ("prefixItems", new JsonArray(Schema(depth), Schema(depth))),
            6 => ("allOf", new JsonArray(Schema(depth), Schema(depth))),
            7 => ("anyOf", new JsonArray(Schema(depth), Schema(depth))),
            8 => ("oneOf", new JsonArray(Schema(depth), Schema(depth))),
            9 => ("not", Schema(depth)),
            10 => ("dependentRequired", new JsonObject { ["a"] = new JsonArray("b") }),
            11 => ("dependentSchemas", new JsonObject { ["a"] = Schema(depth) }),
            12 => ("unevaluatedProperties", One<JsonNode>(false, Schema(depth))),
            13 => ("unevaluatedItems", One<JsonNode>(false, Schema(depth))),
            14 => ("maxProperties", _random.Next(3)),
            _ => ("minItems", _random.Next(3)),
        };
    }
}
