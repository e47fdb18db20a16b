using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Lintel.Hosting;

namespace Lintel.Control.AdminApi;

/// <summary>Describes the admin API in OpenAPI 3.1, from the endpoints and the types of their answers.</summary>
internal sealed class OpenApi
{
    private static readonly (string Name, string Text)[] Parameters =
    [
        ("name", "The name in the configuration."),
        ("instance", "The address as the service's status shows it, percent-encoded, or its host and port: `10.0.0.1:8080`."),
    ];

    private readonly Func<Type, string, string?> _documentation;
    private readonly JsonObject _schemas = [];

    private OpenApi(Func<Type, string, string?> documentation) => _documentation = documentation;

    public static JsonObject Describe(IEnumerable<AdminEndpoint> endpoints, Func<Type, string, string?> documentation)
    {
        var document = new OpenApi(documentation);
        var problem = document.Schema(AdminJson.Default.Problem);
        return new JsonObject
        {
            ["openapi"] = "3.1.1",
            ["info"] = new JsonObject
            {
                ["title"] = "Lintel admin API",
                ["version"] = typeof(Gateway).Assembly.GetName().Version!.ToString(3),
                ["description"] =
                    "View of a gateway, and control of its instances. HEAD works wherever GET does. Fields may be added within v1.",
                ["license"] = new JsonObject { ["name"] = "Apache License 2.0", ["identifier"] = "Apache-2.0" },
            },
            ["servers"] = new JsonArray(
                new JsonObject { ["url"] = "/", ["description"] = "The admin address that this document came from." }
            ),
            ["paths"] = new JsonObject(endpoints.Select(e => KeyValuePair.Create(e.Path, (JsonNode?)document.PathItem(e)))),
            ["components"] = new JsonObject
            {
                ["schemas"] = document._schemas,
                ["responses"] = new JsonObject { ["problem"] = Response("Refused.", "application/problem+json", problem) },
                ["securitySchemes"] = new JsonObject
                {
                    ["token"] = new JsonObject
                    {
                        ["type"] = "http",
                        ["scheme"] = "bearer",
                        ["description"] = "The value of `admin.token`, if it is configured.",
                    },
                },
            },
        };
    }

    private JsonObject PathItem(AdminEndpoint endpoint)
    {
        var responses = new JsonObject();
        foreach (var status in endpoint.Statuses)
        {
            responses[$"{status}"] = endpoint.Answer is { } answer
                ? Response(status == 200 ? "The response." : "Not ready.", "application/json", Schema(answer))
                : Response("The response.", "text/plain", new JsonObject { ["type"] = "string" });
        }

        foreach (var problem in RefusalsOf(endpoint).Where(p => !responses.ContainsKey($"{p.Status}")))
            responses[$"{problem.Status}"] = Response($"{problem.Title}.", "application/problem+json", Schema(AdminJson.Default.Problem));
        responses["default"] = Reference("responses", "problem");
        var operation = new JsonObject
        {
            ["operationId"] = OperationId(endpoint.Path),
            ["summary"] = endpoint.Summary,
            ["responses"] = responses,

            // Each entry is sufficient on its own; the empty one applies if no token is configured.
            ["security"] = endpoint.IsOpen
                ? new JsonArray()
                : new JsonArray(new JsonObject { ["token"] = new JsonArray() }, new JsonObject()),
        };
        JsonNode?[] parameters =
        [
            .. Parameters.Where(p => endpoint.Path.Contains($"{{{p.Name}}}", StringComparison.Ordinal)).Select(Parameter),
        ];
        if (parameters.Length > 0)
            operation["parameters"] = new JsonArray(parameters);
        if (endpoint.Body is { } body)
            operation["requestBody"] = Response("The reason.", "application/json", Schema(body));
        return new JsonObject { [endpoint.IsChange ? "post" : "get"] = operation };
    }

    private static JsonObject Parameter((string Name, string Text) parameter) =>
        new()
        {
            ["name"] = parameter.Name,
            ["in"] = "path",
            ["required"] = true,
            ["description"] = parameter.Text,
            ["schema"] = new JsonObject { ["type"] = "string" },
        };

    /// <summary>Returns the problems that a caller may receive.</summary>
    private static IEnumerable<Problem> RefusalsOf(AdminEndpoint endpoint)
    {
        if (!endpoint.IsOpen)
            yield return Problems.Unauthorized;
        if (endpoint.IsChange)
            yield return Problems.BadBody;
        yield return Problems.CrossOrigin;
        if (endpoint.TakesName || endpoint.IsChange || endpoint is MetricsEndpoint)
            yield return Problems.NotFound;
        yield return Problems.BodyTooLarge;
        yield return Problems.MisdirectedHost;
        if (!endpoint.IsHealth && !endpoint.IsChange && endpoint is not MetricsEndpoint)
            yield return Problems.Busy;
    }

    /// <summary>Converts <c>/api/v1/routes/{name}</c> to <c>apiV1RoutesName</c>.</summary>
    private static string OperationId(string path)
    {
        var words = path.Split(['/', '{', '}', '.', ':'], StringSplitOptions.RemoveEmptyEntries);
        return words[0] + string.Concat(words.Skip(1).Select(w => char.ToUpperInvariant(w[0]) + w[1..]));
    }

    private static JsonObject Response(string description, string type, JsonObject schema) =>
        new()
        {
            ["description"] = description,
            ["content"] = new JsonObject { [type] = new JsonObject { ["schema"] = schema } },
        };

    private static JsonObject Reference(string kind, string name) => new() { ["$ref"] = $"#/components/{kind}/{name}" };

    private JsonObject Schema(JsonTypeInfo form)
    {
        switch (form.Kind)
        {
            case JsonTypeInfoKind.Enumerable:
                return new JsonObject { ["type"] = "array", ["items"] = Schema(form.Options.GetTypeInfo(form.ElementType!)) };
            case JsonTypeInfoKind.Object:
                var name = NameOf(form.Type);
                if (!_schemas.ContainsKey(name))
                {
                    _schemas[name] = null; // reserves the name: a type may refer to itself
                    _schemas[name] = Properties(form);
                }

                return Reference("schemas", name);
            default:
                return Scalar(form);
        }
    }

    private JsonObject Properties(JsonTypeInfo form)
    {
        var properties = new JsonObject();
        foreach (var property in form.Properties)
        {
            var schema = Schema(form.Options.GetTypeInfo(Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType));
            if (property.IsGetNullable)
            {
                if (schema.ContainsKey("$ref"))
                    schema = new JsonObject { ["anyOf"] = new JsonArray(schema, new JsonObject { ["type"] = "null" }) };
                else
                    schema["type"] = new JsonArray(schema["type"]!.DeepClone(), "null");
            }

            if (_documentation(form.Type, char.ToUpperInvariant(property.Name[0]) + property.Name[1..]) is { } text)
                schema["description"] = text;
            properties[property.Name] = schema;
        }

        var result = new JsonObject { ["type"] = "object" };
        if (_documentation(form.Type, "") is { } description)
            result["description"] = description;
        result["properties"] = properties;
        // An absent value is null; only properties with a condition of their own may be missing.
        result["required"] = new JsonArray([.. form.Properties.Where(p => p.ShouldSerialize is null).Select(p => (JsonNode)p.Name)]);
        return result;
    }

    private static JsonObject Scalar(JsonTypeInfo form)
    {
        var type = form.Type;
        if (type.IsEnum)
            return new JsonObject
            {
                ["type"] = "string",
                ["enum"] = new JsonArray([.. Enum.GetNames(type).Select(n => (JsonNode)JsonNamingPolicy.CamelCase.ConvertName(n))]),
            };
        if (type == typeof(TimeSpan))
            return new JsonObject { ["type"] = "string", ["pattern"] = DurationConverter.Pattern };
        if (type == typeof(DateTimeOffset))
            return new JsonObject { ["type"] = "string", ["format"] = "date-time" };
        if (type == typeof(JsonObject))
            return new JsonObject { ["type"] = "object" };
        if (type == typeof(string))
            return new JsonObject { ["type"] = "string" };
        return new JsonObject
        {
            ["type"] =
                type == typeof(bool) ? "boolean"
                : type == typeof(double) ? "number"
                : "integer",
        };
    }

    private static string NameOf(Type type) => type.IsGenericType ? type.GenericTypeArguments[0].Name + "List" : type.Name;
}
