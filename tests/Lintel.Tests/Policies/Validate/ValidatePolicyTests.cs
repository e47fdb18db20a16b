using Lintel.TestKit;

namespace Lintel.Tests.Policies.Validate;

public sealed class ValidatePolicyTests : IDisposable
{
    private const string Order =
        """{ "type": "object", "required": ["items"], "properties": { "items": { "type": "array", "items": { "type": "object", "properties": { "price": { "type": "number", "minimum": 0 } } } } } }""";

    private readonly ConfigFolder _folder = new();
    private readonly MemoryService _service = new();

    [Theory]
    [InlineData("application/json")]
    [InlineData("application/json; charset=utf-8")]
    [InlineData("application/json;charset=\"UTF-8\"")]
    [InlineData("application/vnd.order+json")]
    public async Task Body_ThatIsValid_IsSentOnAsItIs(string type)
    {
        const string Body = "{ \"items\": [ { \"price\": 1.50 } ],\n \"note\": \"J\u00f6rg \\u00f6\" }";
        string? received = null;
        using var gateway = Start($"body: {Schema()}", async c => received = await ScriptedAnswers.BodyOf(c));
        Assert.Equal(200, (await gateway.SendAsync("POST", "/x", Body, ("Content-Type", type))).Status);
        Assert.Equal(Body, received);
        Assert.Equal(0, gateway.Memory.Used);
    }

    [Fact]
    public async Task Body_ThatIsNotValid_IsRefused_AndEverythingIsTold()
    {
        using var gateway = Start($"body: {Schema()}");
        var answer = await gateway.SendAsync("POST", "/x", """{ "items": [{ "price": -1 }, 5] }""", ("Content-Type", "application/json"));
        Assert.Equal(400, answer.Status);
        Assert.Equal("urn:problem-type:lintel:invalid-request", (string?)answer.Json["type"]);
        Assert.Equal(
            """[{"detail":"is less than 0","pointer":"#/items/0/price"},{"detail":"is not of the type object","pointer":"#/items/1"}]""",
            answer.Json["errors"]!.ToJsonString()
        );
        Assert.Empty(_service.Seen);
        Assert.Equal(0, gateway.Memory.Used);
    }

    [Theory]
    [InlineData("", "content is required")]
    [InlineData("{", "not valid JSON")]
    [InlineData("{} {}", "not valid JSON")]
    [InlineData("\ufeff{}", "not valid JSON")]
    [InlineData("""{ "items": [], "a": 5000, "a": 1 }""", "not valid JSON")]
    [InlineData("""{ "items": [], "a": 5000, "\u0061": 1 }""", "not valid JSON")]
    [InlineData("""{ "items": [], /* c */ "a": 1 }""", "not valid JSON")]
    [InlineData("""{ "items": "\ud800" }""", "not")]
    [Attack(
        "a member twice in one object, the second one for the service: `{\"amount\":5000,\"amount\":1}`, also as an escape",
        "400: such content is not valid"
    )]
    public async Task Body_ThatIsNotJson_IsRefused(string body, string problem)
    {
        using var gateway = Start($"body: {Schema()}");
        var answer = await gateway.SendAsync("POST", "/x", body, ("Content-Type", "application/json"));
        Assert.Equal(400, answer.Status);
        Assert.Contains(problem, answer.Body, StringComparison.Ordinal);
        Assert.Empty(_service.Seen);
    }

    [Fact]
    [Attack("content nested a hundred thousand levels deep", "400: the depth is bounded")]
    public async Task Body_OfGreatDepth_IsRefused()
    {
        using var gateway = Start($"body: {Schema()}");
        var body = "{ \"items\": [], \"a\": " + new string('[', 100_000) + new string(']', 100_000) + "}";
        Assert.Equal(400, (await gateway.SendAsync("POST", "/x", body, ("Content-Type", "application/json"))).Status);
    }

    [Theory]
    [InlineData("application/json; charset=utf-16", null, "application/json")]
    [InlineData("application/json, text/plain", null, "application/json")]
    [InlineData("text/plain", null, "application/json")]
    [InlineData("application/jsonp", null, "application/json")]
    [InlineData("application/grpc", null, "application/json")]
    [InlineData("", null, "application/json")]
    [InlineData(null, null, "application/json")]
    [InlineData("application/json", "gzip", null)]
    [InlineData("application/json", "identity, gzip", null)]
    [Attack(
        "content that the gateway and a service read differently: `charset=utf-16`, two media types, none, compressed",
        "415: only JSON in UTF-8 without a coding is validated, and nothing else passes"
    )]
    public async Task Content_OfAnotherTypeOrCoding_Is415(string? type, string? coding, string? accept)
    {
        using var gateway = Start($"body: {Schema()}");
        (string, string)[] headers = [.. new[] { ("Content-Type", type), ("Content-Encoding", coding) }.Where(h => h.Item2 is not null)!];
        var answer = await gateway.SendAsync("POST", "/x", """{ "items": [] }""", headers);
        Assert.Equal((415, accept, accept is null ? "identity" : null), (answer.Status, answer["Accept"], answer["Accept-Encoding"]));
        Assert.Empty(_service.Seen);
    }

    [Fact]
    public async Task ContentType_OfTwoLines_Is415()
    {
        using var gateway = Start("contentTypes: application/json");
        Assert.Equal(
            415,
            (await gateway.SendAsync("POST", "/x", "{}", ("Content-Type", "application/json"), ("Content-Type", "text/plain"))).Status
        );
    }

    [Theory]
    [InlineData("[application/json, 'image/*']", "image/png", 200)]
    [InlineData("[application/json, 'image/*']", "IMAGE/PNG; a=b", 200)]
    [InlineData("[application/json, 'image/*']", "imagex/png", 415)]
    [InlineData("text/csv", "text/csv", 200)]
    public async Task ContentTypes_AreThoseListed(string types, string type, int status)
    {
        using var gateway = Start($"contentTypes: {types}");
        Assert.Equal(status, (await gateway.SendAsync("POST", "/x", "any", ("Content-Type", type))).Status);
    }

    [Theory]
    [InlineData("GET", 200)]
    [InlineData("DELETE", 200)]
    [InlineData("POST", 400)]
    [InlineData("PUT", 400)]
    [InlineData("PATCH", 400)]
    public async Task Request_WithoutContent_IsRefused_WhereItsMethodHasSome(string method, int status)
    {
        using var gateway = Start($"body: {Schema()}");
        Assert.Equal(status, (await gateway.SendAsync(method, "/x", null)).Status);
    }

    [Fact]
    public async Task Body_BeyondTheLimit_Is413()
    {
        using var gateway = Start($"{{ body: {Schema()}, maxBody: 1KiB }}");
        var answer = await gateway.SendAsync(
            "POST",
            "/x",
            $"{{ \"items\": [], \"a\": \"{new string('a', 2000)}\" }}",
            ("Content-Type", "application/json")
        );
        Assert.Equal(413, answer.Status);
        Assert.Equal(0, gateway.Memory.Used);
    }

    [Fact]
    public async Task Body_WithoutMemoryForIt_Is503()
    {
        using var gateway = Start($"body: {Schema()}");
        gateway.Memory.Limit = 100;
        Assert.Equal(503, (await gateway.SendAsync("POST", "/x", """{ "items": [] }""", ("Content-Type", "application/json"))).Status);
        Assert.Equal(0, gateway.Memory.Used);
    }

    [Theory]
    [InlineData("?page=1", 200, null)]
    [InlineData("?page=-1", 400, "is less than 0")]
    [InlineData("?page=1.5", 400, "integer")]
    [InlineData("?page=%201", 400, "integer")]
    [InlineData("?page=0x1", 400, "integer")]
    [InlineData("?page=", 400, "integer")]
    [InlineData("?page=1&page=2", 400, "more than once")]
    [InlineData("?page=1&page=1", 400, "more than once")]
    [InlineData("?page=1&%70age=2", 400, "more than once")]
    [InlineData("?page=true", 400, "integer")]
    [InlineData("?page=1&all=true", 200, null)]
    [InlineData("?page=1&all=yes", 400, "boolean")]
    [InlineData("?page=1&tag=a&tag=b", 200, null)]
    [InlineData("?page=1&tag=a&tag=toolong", 400, "characters")]
    [InlineData("?page=1&other=1", 200, null)]
    [InlineData("", 400, "is required")]
    public async Task Query_IsValidated(string query, int status, string? problem)
    {
        using var gateway = Start(
            "{ query: { page: { type: integer, minimum: 0 }, all: { type: boolean }, tag: { type: array, items: { maxLength: 3 } } }, required: query:page }"
        );
        var answer = await gateway.GetAsync("/x" + query);
        Assert.Equal(status, answer.Status);
        if (problem is null)
            return;
        var error = Assert.Single(answer.Json["errors"]!.AsArray())!;
        Assert.Contains(problem, (string?)error["detail"], StringComparison.Ordinal);
        Assert.Contains((string?)error["parameter"], new[] { "page", "all", "tag" });
    }

    [Theory]
    [InlineData("a", 200)]
    [InlineData("A", 400)]
    [InlineData(null, 400)]
    public async Task Headers_AreValidated(string? tenant, int status)
    {
        using var gateway = Start("{ headers: { X-Tenant: { pattern: '^[a-z]+$' } }, required: [header:x-tenant] }");
        var answer = tenant is null ? await gateway.GetAsync("/x") : await gateway.GetAsync("/x", ("X-Tenant", tenant));
        Assert.Equal(status, answer.Status);
        if (status == 400)
            Assert.Equal("x-tenant", ((string?)answer.Json["errors"]![0]!["header"])!.ToLowerInvariant());
    }

    [Fact]
    [Attack("a pattern that backtracks catastrophically: `^(a+)+$`", "patterns are matched in linear time")]
    public async Task Pattern_ThatWouldBacktrack_IsMatchedInLinearTime()
    {
        using var gateway = Start("query: { q: { pattern: '^(a+)+$' } }");
        Assert.Equal(400, (await gateway.GetAsync("/x?q=" + new string('a', 5000) + "b")).Status);
    }

    [Fact]
    public async Task Composition_GetsTheBody_ThatWasValidated()
    {
        string? received = null;
        _service.On("a", async c =>
        {
            received = await ScriptedAnswers.BodyOf(c);
            c.Response.ContentType = "application/json";
            await c.Response.Body.WriteAsync("{}"u8.ToArray());
        });
        using var gateway = MemoryGateway.Start(
            $$"""
            services: { s: "{{_service.Address}}" }
            routes:
              r:
                match: POST /x
                compose: { calls: { a: { request: POST s/a, body: request } } }
                policies: [{ validate: { body: {{Schema()}} } }]
            """,
            _service
        );
        Assert.Equal(200, (await gateway.SendAsync("POST", "/x", """{ "items": [] }""", ("Content-Type", "application/json"))).Status);
        Assert.Equal("""{ "items": [] }""", received);
        Assert.Equal(400, (await gateway.SendAsync("POST", "/x", """{ "items": 1 }""", ("Content-Type", "application/json"))).Status);
        Assert.Equal(0, gateway.Memory.Used);
    }

    [Fact]
    public async Task Upgrade_OnARouteWhoseContentIsValidated_IsRefused()
    {
        using var gateway = Start($"body: {Schema()}");
        var context = TestRequest.Create(
            "GET",
            "/x",
            headers:
            [
                ("Connection", "Upgrade"),
                ("Upgrade", "websocket"),
                ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
                ("Sec-WebSocket-Version", "13"),
            ]
        );
        context.Features.Set<Microsoft.AspNetCore.Http.Features.IHttpUpgradeFeature>(new Upgradable());
        Assert.Equal(400, (await gateway.SendAsync(context)).Status);
        Assert.Empty(_service.Seen);
    }

    [Theory]
    [InlineData("{}", "validates nothing")]
    [InlineData("{ body: none.json }", "does not exist")]
    [InlineData("{ maxBody: 1MiB, query: { a: {} } }", "not looked at")]
    [InlineData("{ contentTypes: json }", "not a media type")]
    [InlineData("{ contentTypes: '*/*' }", "not a media type")]
    [InlineData("{ contentTypes: text/csv, body: SCHEMA }", "has no JSON Schema")]
    [InlineData("{ query: { a: { type: int } } }", "the schema cannot be used: schema#/type")]
    [InlineData("{ query: { a: 1 } }", "a schema is an object")]
    [InlineData("{ required: page }", "query:page")]
    [InlineData("{ body: BROKEN }", "broken.json#/properties/a/typo")]
    public void Configuration_ThatIsNotValid_IsRefused(string config, string problem)
    {
        config = config
            .Replace("SCHEMA", Schema(), StringComparison.Ordinal)
            .Replace("BROKEN", _folder.Write("broken.json", """{ "properties": { "a": { "typo": 1 } } }"""), StringComparison.Ordinal);
        var report = GatewayReader.Parse($"routes: {{ r: {{ match: /x, respond: {{}}, policies: [{{ validate: {config} }}] }} }}").Report;
        Assert.Contains(report.Problems, p => (p.Message + p.Hint).Contains(problem, StringComparison.Ordinal));
    }

    public void Dispose() => _folder.Dispose();

    private string Schema() => _folder.Write("order.json", Order);

    private MemoryGateway Start(string config, Microsoft.AspNetCore.Http.RequestDelegate? answer = null)
    {
        _service.On("x", answer ?? (static async c => await ScriptedAnswers.BodyOf(c)));
        return MemoryGateway.Start(
            $$"""
            services: { s: "{{_service.Address}}" }
            routes: { r: { match: "/x", forward: s, policies: [{ validate: {{(config.StartsWith('{') ? config : $"{{ {config} }}")}} }] } }
            """,
            _service
        );
    }

    private sealed class Upgradable : Microsoft.AspNetCore.Http.Features.IHttpUpgradeFeature
    {
        public bool IsUpgradableRequest => true;

        public Task<Stream> UpgradeAsync() => throw new NotSupportedException();
    }
}
