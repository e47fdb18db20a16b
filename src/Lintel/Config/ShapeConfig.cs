using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;

namespace Lintel.Config;

/// <summary>
/// A JSON document whose leaves are JMESPath expressions, or the result of code (<see cref="From{T}"/>). Exactly one of its properties is
/// set.
/// </summary>
public sealed record ShapeConfig
{
    /// <summary>A JMESPath expression.</summary>
    public string? Expression { get; init; }

    /// <summary>An object's properties, in this order.</summary>
    public ValueMap<ShapeConfig>? Members { get; init; }

    /// <summary>A list's items.</summary>
    public ValueList<ShapeConfig>? Items { get; init; }

    /// <summary>The function that computes the document from the calls' responses.</summary>
    internal ShapeCode? Code { get; init; }

    /// <summary>
    /// Creates a document that code computes from the responses of the calls, instead of expressions. For responses only, not for request
    /// bodies: it depends on all calls and therefore has to wait for all of them.
    /// </summary>
    /// <typeparam name="T">What the document is made of.</typeparam>
    /// <param name="shape">
    /// Computes the document, once per response, on any thread and possibly concurrently. Two rules: it must not block, because it runs on
    /// an event loop that serves other clients too; and the result must depend on the parts alone, because <c>ETag</c> and
    /// <c>Cache-Control</c> of the response do. Exceptions are written to the error log; the client receives the error
    /// <c>expression-failed</c>, 502.
    /// </param>
    /// <param name="type">How it becomes JSON, from a source-generated <see cref="System.Text.Json.Serialization.JsonSerializerContext"/>
    /// for example. Its options' naming, converters and encoder count; the text is never indented.</param>
    public static ShapeConfig From<T>(Func<ComposedParts, T> shape, JsonTypeInfo<T> type)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(type);
        return new ShapeConfig
        {
            Code = new ShapeCode(
                (parts, json) => JsonSerializer.Serialize(json, shape(parts), type),
                new JsonWriterOptions { Encoder = type.Options.Encoder },
                $"{shape.Method.Module.ModuleVersionId} {shape.Method.MetadataToken}"
            ),
        };
    }

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
                    report.Add(
                        "wrong-type",
                        node,
                        path,
                        "an expression is expected, not nothing",
                        "write a JMESPath expression such as `user.name`; for null itself `` `null` ``"
                    );
                    return Fail(out value);
            }
        }

        public override JsonObject Describe(SchemaDefinitions definitions) =>
            definitions.Reference(typeof(ShapeConfig), () =>
                new JsonObject
                {
                    ["anyOf"] = new JsonArray(
                        new JsonObject
                        {
                            ["type"] = new JsonArray("string", "number", "boolean"),
                            ["description"] = "A JMESPath expression",
                        },
                        new JsonObject
                        {
                            ["type"] = "object",
                            ["additionalProperties"] = definitions.Reference(typeof(ShapeConfig), () => []),
                        },
                        new JsonObject { ["type"] = "array", ["items"] = definitions.Reference(typeof(ShapeConfig), () => []) }
                    ),
                }
            );
    }
}

/// <summary>A function that computes a document from the responses of the calls.</summary>
/// <param name="Write">Makes it and writes it.</param>
/// <param name="Options">How it is written.</param>
/// <param name="Version">Another one for other code: an answer of yesterday's program is not today's.</param>
internal sealed record ShapeCode(Action<ComposedParts, Utf8JsonWriter> Write, JsonWriterOptions Options, string Version);
