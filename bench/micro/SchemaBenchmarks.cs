using System.Text;
using System.Text.Json;
using BenchmarkDotNet.Attributes;
using Lintel.Policies.Validate.Schemas;

namespace Lintel.Benchmarks;

/// <summary>An order of 20 items is parsed and validated: by the gateway's own schemas, and by JsonSchema.Net.</summary>
[MemoryDiagnoser]
public class SchemaBenchmarks
{
    private const string Text = """
        {
          "type": "object",
          "required": ["id", "items"],
          "additionalProperties": false,
          "properties": {
            "id": { "type": "string", "pattern": "^[A-Z]{2}[0-9]{6}$" },
            "items": {
              "type": "array",
              "maxItems": 100,
              "items": {
                "type": "object",
                "required": ["sku", "price", "count"],
                "properties": {
                  "sku": { "type": "string", "minLength": 3, "maxLength": 20 },
                  "price": { "type": "number", "minimum": 0, "multipleOf": 0.01 },
                  "count": { "type": "integer", "minimum": 1 },
                  "kind": { "enum": ["book", "toy", "food"] }
                }
              }
            }
          }
        }
        """;

    private static readonly byte[] Order = Encoding.UTF8.GetBytes(
        "{ \"id\": \"AB123456\", \"items\": ["
            + string.Join(
                ',',
                Enumerable.Range(1, 20).Select(i => $$"""{ "sku": "sku-{{i}}", "price": {{i}}.99, "count": {{i}}, "kind": "toy" }""")
            )
            + "] }"
    );

    private readonly Schema _own = SchemaCompiler.CompileText(Text);
    private readonly Json.Schema.JsonSchema _other = Json.Schema.JsonSchema.FromText(Text);

    [Benchmark]
    public bool Parse()
    {
        using var document = JsonDocument.Parse(Order);
        return document.RootElement.ValueKind == JsonValueKind.Object;
    }

    [Benchmark(Baseline = true)]
    public bool Own()
    {
        using var document = JsonDocument.Parse(Order);
        return _own.Check(document.RootElement, new Validation(20)) ? true : throw new InvalidOperationException();
    }

    [Benchmark]
    public bool JsonSchemaNet()
    {
        using var document = JsonDocument.Parse(Order);
        return _other.Evaluate(document.RootElement).IsValid ? true : throw new InvalidOperationException();
    }
}
