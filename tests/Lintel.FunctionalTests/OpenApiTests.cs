using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.OpenApi;

namespace Lintel.FunctionalTests;

/// <summary>The admin API's description and its real answers are the same thing.</summary>
[AnyTransport]
public sealed class OpenApiTests(OpenApiTests.SharedGateway shared) : IClassFixture<OpenApiTests.SharedGateway>
{
    private readonly AdminClient _admin = shared.Admin;
    private readonly JsonNode _document = shared.Document;

    [Fact]
    public async Task Description_ByItsOwnStandard_IsValid()
    {
        using var stream = new MemoryStream(System.Text.Encoding.UTF8.GetBytes(_document.ToJsonString()));
        var (document, diagnostic) = await OpenApiDocument.LoadAsync(stream, "json", cancellationToken: CancellationToken.None);
        Assert.Empty(diagnostic!.Errors.Select(e => e.ToString()));
        Assert.Empty(diagnostic.Warnings.Select(e => e.ToString()));
        Assert.Equal(OpenApiSpecVersion.OpenApi3_1, diagnostic.SpecificationVersion);
        Assert.Equal(16, document!.Paths.Count);
    }

    [Fact]
    public async Task Paths_OfTheDescription_AreThoseOfTheIndex()
    {
        var index = (await _admin.GetAsync("/api/v1"))["endpoints"]!.AsArray().Select(e => (string?)e!["path"]);
        Assert.Equal(index, _document["paths"]!.AsObject().Select(p => p.Key));
    }

    [Fact]
    public async Task Answers_OfEveryPath_HaveExactlyTheDescribedProperties()
    {
        foreach (var (path, item) in _document["paths"]!.AsObject().Where(p => p.Value!["get"] is not null))
        {
            foreach (var name in path.Contains("{name}", StringComparison.Ordinal) ? new[] { "a", "b" } : [""])
            {
                using var response = await _admin.SendAsync(path.Replace("{name}", name, StringComparison.Ordinal));
                Assert.Equal(HttpStatusCode.OK, response.StatusCode);
                var content = item!["get"]!["responses"]!["200"]!["content"]!.AsObject().Single();
                Assert.Equal(content.Key, response.Content.Headers.ContentType!.MediaType);
                if (content.Key == "application/json")
                    Check(
                        JsonNode.Parse(await response.Content.ReadAsStringAsync(CancellationToken.None)),
                        content.Value!["schema"]!,
                        path
                    );
            }
        }
    }

    [Fact]
    public async Task AnswersToChanges_HaveExactlyTheDescribedProperties()
    {
        var changes = _document["paths"]!.AsObject().Where(p => p.Value!["post"] is not null).ToList();
        Assert.Equal(3, changes.Count);
        foreach (var (path, item) in changes)
        {
            var at = path.Replace("{name}", "a", StringComparison.Ordinal)
                .Replace("{instance}", "http%3A%2F%2F127.0.0.1%3A1", StringComparison.Ordinal);
            using var response = await _admin.SendAsync(at, HttpMethod.Post);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            var schema = item!["post"]!["responses"]!["200"]!["content"]!["application/json"]!["schema"]!;
            Check(JsonNode.Parse(await response.Content.ReadAsStringAsync(CancellationToken.None)), schema, path);
            Assert.Equal(["name", "instance"], item["post"]!["parameters"]!.AsArray().Select(p => (string?)p!["name"]));
        }
    }

    [Fact]
    public async Task Refusals_HaveTheDescribedForm()
    {
        var (status, problem) = await _admin.AskAsync("/api/v1/routes/none");
        Assert.Equal(HttpStatusCode.NotFound, status);
        Assert.Equal(
            "#/components/responses/problem",
            (string?)_document["paths"]!["/api/v1/routes/{name}"]!["get"]!["responses"]!["default"]!["$ref"]
        );
        Check(problem, _document["components"]!["responses"]!["problem"]!["content"]!["application/problem+json"]!["schema"]!, "problem");
    }

    [Fact]
    public void Description_TellsServerLicenceAndRefusals()
    {
        Assert.Equal("/", (string?)_document["servers"]![0]!["url"]);
        Assert.Equal("Apache-2.0", (string?)_document["info"]!["license"]!["identifier"]);
        Assert.Equal(["200", "401", "403", "404", "413", "421", "503", "default"], Responses("/api/v1/routes/{name}"));
        Assert.Equal(["200", "401", "403", "413", "421", "503", "default"], Responses("/api/v1/routes"));
        Assert.Equal(
            ["200", "400", "401", "403", "404", "413", "421", "default"],
            Responses("/api/v1/services/{name}/instances/{instance}:drain", "post")
        );
        Assert.Equal(["200", "403", "413", "421", "503", "default"], Responses("/health/ready"));
        Assert.Equal(["200", "401", "403", "404", "413", "421", "default"], Responses("/metrics"));

        IEnumerable<string> Responses(string path, string method = "get") =>
            _document["paths"]![path]![method]!["responses"]!.AsObject().Select(r => r.Key).Order(StringComparer.Ordinal);
    }

    [Fact]
    public void Schemas_AndTheirProperties_AllHaveAText()
    {
        var silent =
            from schema in _document["components"]!["schemas"]!.AsObject()
            from property in schema.Value!["properties"]!.AsObject().Append(new(" ", schema.Value))
            where string.IsNullOrWhiteSpace((string?)property.Value!["description"])
            select $"{schema.Key}.{property.Key}";
        Assert.Empty(silent);
        Assert.Equal(
            "The route's name in the configuration.",
            (string?)_document["components"]!["schemas"]!["RouteStatus"]!["properties"]!["name"]!["description"]
        );
        Assert.Equal(
            "The file's path as it was given, or a name such as `IConfiguration`.",
            (string?)_document["components"]!["schemas"]!["SourcePosition"]!["properties"]!["source"]!["description"]
        );
    }

    [Theory]
    [InlineData("""{"a":1}""", """{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},"required":["a","b"]}""")]
    [InlineData(
        """{"a":1,"b":"x","c":1}""",
        """{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},"required":["a","b"]}"""
    )]
    [InlineData("1.5", """{"type":"integer"}""")]
    [InlineData("null", """{"type":"string"}""")]
    [InlineData("\"c\"", """{"type":"string","enum":["a","b"]}""")]
    public void Check_OfAnAnswerThatDiffers_Fails(string answer, string schema) =>
        Assert.ThrowsAny<Xunit.Sdk.XunitException>(() => Check(JsonNode.Parse(answer), JsonNode.Parse(schema)!, ""));

    [Fact]
    public void Properties_ThatMayBeAbsent_AreNotRequired()
    {
        Assert.Equal(["zone", "share", "shareReason", "health", "hold"], Optional("InstanceStatus"));
        Assert.Equal(["adaptive", "noLoadLatencyMs"], Optional("BulkheadStatus"));
        Assert.Equal(["n", "e", "crv", "x", "y"], Optional("KeyStatus"));
        Assert.Equal(["reason"], Optional("HoldStatus"));
        Assert.Equal(["reason"], Optional("InstanceChange"));
        Assert.Equal(
            [
                "hashedBy",
                "boundedLoad",
                "decay",
                "affinityCookie",
                "slowStart",
                "zone",
                "spillOver",
                "discovery",
                "isPanicking",
                "breaker",
                "limits",
            ],
            Optional("ServiceStatus")
        );
        Assert.Equal(["notes"], Optional("ReadyStatus"));
        Assert.Empty(Optional("RouteStatus"));

        IEnumerable<string> Optional(string schema)
        {
            var described = _document["components"]!["schemas"]![schema]!;
            return described["properties"]!.AsObject().Select(p => p.Key).Except(described["required"]!.AsArray().Select(r => (string)r!));
        }
    }

    /// <summary>Stricter than JSON Schema: properties that are not described are an error.</summary>
    private void Check(JsonNode? answer, JsonNode schema, string at)
    {
        if (schema["$ref"] is { } reference)
        {
            Check(answer, reference.GetValue<string>().Split('/').Skip(1).Aggregate(_document, (node, key) => node[key]!), at);
            return;
        }

        if (schema["anyOf"] is JsonArray choices)
        {
            var choice = choices.Single(c => (string?)c!["type"] == "null" == answer is null)!;
            Check(answer, choice, at);
            return;
        }

        var types = schema["type"] is JsonArray several ? several.Select(t => (string)t!).ToList() : [(string)schema["type"]!];
        var actual = answer?.GetValueKind() switch
        {
            null => "null",
            JsonValueKind.Object => "object",
            JsonValueKind.Array => "array",
            JsonValueKind.String => "string",
            JsonValueKind.True or JsonValueKind.False => "boolean",
            _ => types.Contains("integer") && answer.GetValue<double>() % 1 == 0 ? "integer" : "number",
        };
        Assert.True(types.Contains(actual), $"{at} is {actual} and not {string.Join(" or ", types)}");
        if (schema["enum"] is JsonArray words)
            Assert.Contains((string?)answer, words.Select(w => (string?)w));
        if (schema["pattern"] is { } pattern && answer is not null)
            Assert.Matches(new Regex((string)pattern!), (string)answer!);
        if ((string?)schema["format"] == "date-time" && answer is not null)
            Assert.True(DateTimeOffset.TryParse((string)answer!, out _), at);
        if (answer is JsonArray items)
        {
            foreach (var item in items)
                Check(item, schema["items"]!, at + "[]");
        }

        if (answer is not JsonObject found || schema["properties"] is not JsonObject properties)
            return;
        Assert.Subset(properties.Select(p => p.Key).ToHashSet(), found.Select(p => p.Key).ToHashSet());
        Assert.Superset(schema["required"]!.AsArray().Select(r => (string)r!).ToHashSet(), found.Select(p => p.Key).ToHashSet());
        foreach (var (key, value) in found)
            Check(value, properties[key]!, $"{at}.{key}");
    }

    /// <summary>A gateway with something of everything, so that no part of an answer is missing.</summary>
    public sealed class SharedGateway : IAsyncLifetime
    {
        private LocalProgram _gateway = null!;

        internal AdminClient Admin { get; private set; } = null!;

        internal JsonNode Document { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            _gateway = await LocalProgram.StartAsync(
                """
                name: edge
                services: { a: "http://127.0.0.1:1", b: { instances: ["http://127.0.0.1:2"], protocol: http2 } }
                clients: { ios: { when: { headers: { X-Client: ios } } } }
                routes:
                  a: { match: { path: /a, hosts: x.example, methods: GET, client: ios }, forward: { split: { a: 1, b: 1 }, path: /x, mirror: b } }
                  b: { match: /b, redirect: { to: /a } }
                  c: { match: /c, forward: a }
                """
            );
            using var failing = await _gateway.Client.GetAsync(new Uri("/c", UriKind.Relative), CancellationToken.None); // an error to list
            await _gateway.ReloadAsync("rotes: {}"); // problems to list
            Admin = new AdminClient(_gateway.Admin);
            Document = await Admin.GetAsync("/api/v1/openapi.json");
        }

        public async ValueTask DisposeAsync()
        {
            Admin.Dispose();
            await _gateway.DisposeAsync();
        }
    }
}
