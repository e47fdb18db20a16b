using Lintel.Control.Status;
using Lintel.TestKit;

namespace Lintel.Tests.Composition;

/// <summary>What the client learns of calls that fail.</summary>
public sealed class FailureTests
{
    [Theory]
    [InlineData(500, 502, "call-failed")]
    [InlineData(404, 502, "call-failed")]
    [InlineData(302, 502, "call-failed")]
    [InlineData(304, 502, "call-failed")]
    [InlineData(503, 503, "call-unavailable")]
    [InlineData(429, 503, "call-unavailable")]
    [InlineData(504, 504, "call-timeout")]
    public async Task RequiredCall_WithAnErrorStatus_IsTheAnswersFailure(int status, int expected, string error)
    {
        var backend = new MemoryService();
        backend.On("x", status, status == 304 ? "" : "{}").On("y", "1");
        using var gateway = MemoryGateway.Compose("calls: { x: a/x, y: a/y }", backend);
        var answer = await gateway.GetAsync();
        Assert.Equal(expected, answer.Status);
        Assert.Equal("application/problem+json", answer["Content-Type"]);
        Assert.Equal("urn:problem-type:lintel:" + error, (string?)answer.Json["type"]);
        Assert.Contains("`x`", (string?)answer.Json["detail"], StringComparison.Ordinal);
        Assert.Contains($"x;s={status};err={error};d=", answer.Composition, StringComparison.Ordinal);
        Assert.Contains($"received-status={status}", answer["Proxy-Status"], StringComparison.Ordinal);
        Assert.Equal("no-store", answer["Cache-Control"]);
    }

    [Theory]
    [InlineData(503, "7", "7")]
    [InlineData(429, "0", "0")]
    [InlineData(503, "Fri, 31 Dec 1999 23:59:59 GMT", "Fri, 31 Dec 1999 23:59:59 GMT")]
    [InlineData(503, "Fri, 31 Dec 9999 23:59:59 GMT", "86400")]
    [InlineData(429, "99999999999999999999", "86400")]
    [InlineData(503, "soon", null)]
    [InlineData(503, "1.5", null)]
    [InlineData(503, "-1", null)]
    [InlineData(500, "7", null)]
    public async Task RetryAfter_OfARequiredCall_IsTheAnswers(int status, string value, string? expected)
    {
        var backend = new MemoryService();
        backend.On("x", status, "{}", ("Retry-After", value)).On("list", "[1]");
        using var gateway = MemoryGateway.Start(
            $$"""
            services: { a: "{{backend.Address}}" }
            routes:
              one: { match: /one, compose: { calls: { x: a/x } } }
              each: { match: /each, compose: { calls: { list: a/list, x: { request: "a/x?i={item}", forEach: list } } } }
            """,
            backend
        );
        Assert.Equal(expected, (await gateway.GetAsync("/one"))["Retry-After"]);
        Assert.Equal(expected, (await gateway.GetAsync("/each"))["Retry-After"]);
    }

    [Theory]
    [InlineData("status", "the call `x` failed: The service responded with status 500.")]
    [InlineData("json", "the call `x` failed: ")]
    [InlineData("items", "the call `each` failed: The service responded with status 500.")]
    public async Task ErrorLog_OfACallsFailure_HasItsCauseAndAddress(string route, string expected)
    {
        var backend = new MemoryService();
        backend.On("x", 500, "{}").On("json", "{\n\"a\":}").On("list", "[1]");
        using var gateway = MemoryGateway.Start(
            $$"""
            services: { a: "{{backend.Address}}" }
            routes:
              status: { match: /status, compose: { calls: { x: a/x } } }
              json: { match: /json, compose: { calls: { x: a/json } } }
              items: { match: /items, compose: { calls: { list: a/list, each: { request: "a/x?i={item}", forEach: list } } } }
              optional: { match: /optional, compose: { calls: { x: { request: a/x, optional: true } } } }
            """,
            backend
        );
        await gateway.GetAsync("/" + route);
        await Until.TrueAsync(() => gateway.Errors.Recent(ErrorStatus.Of).Count > 0);
        var told = Assert.Single(gateway.Errors.Recent(ErrorStatus.Of));
        Assert.StartsWith(expected, told.LastDetail, StringComparison.Ordinal);
        if (route == "json")
            Assert.Contains("LineNumber: 1", told.LastDetail, StringComparison.Ordinal);
        Assert.Equal(("a", backend.Address), (told.Service, told.Instance));

        await gateway.GetAsync("/optional");
        Assert.Contains(gateway.Errors.Recent(ErrorStatus.Of), e =>
            e is { Route: "optional", LastDetail: "The service responded with status 500." } && e.Instance == backend.Address
        );
    }

    [Fact]
    public async Task OptionalCall_ThatFails_IsNull_AndTheAnswerIsNotToBeStored()
    {
        var backend = new MemoryService();
        backend.On("x", 500, "{}").On("y", 200, "1", ("Cache-Control", "max-age=60"), ("ETag", "\"1\""));
        using var gateway = MemoryGateway.Compose("calls: { x: { request: a/x, optional: true }, y: a/y }", backend);
        var answer = await gateway.GetAsync();
        Assert.Equal((200, """{"x":null,"y":1}"""), (answer.Status, answer.Body));
        Assert.Equal("no-store", answer["Cache-Control"]);
        Assert.Null(answer["ETag"]);
        Assert.Contains("details=\"x\"", answer["Proxy-Status"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Fallbacks_ComeInTheirOrder_StaleThenValue()
    {
        var backend = new MemoryService();
        using var gateway = MemoryGateway.Compose(
            "calls: { x: { request: a/x, optional: true, fallback: [stale, { value: { \"n\": 0 } }] } }\nrespond: { errors: true }",
            backend
        );
        backend.On("x", 500, "{}");
        var never = await gateway.GetAsync();
        Assert.Equal("""{"n":0}""", never.Json["x"]!.ToJsonString());
        Assert.EndsWith(";src=value", never.Of("x"), StringComparison.Ordinal);
        Assert.Equal("value", (string?)never.Json["_errors"]![0]!["source"]);

        backend.On("x", """{"n": 1}""");
        await gateway.GetAsync();
        backend.On("x", 500, "{}");
        var stale = await gateway.GetAsync();
        Assert.StartsWith("""{"x":{"n": 1},"_errors":[""", stale.Body, StringComparison.Ordinal);
        Assert.EndsWith(";src=stale", stale.Of("x"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Authorization", "Bearer other")]
    [InlineData("Accept-Language", "ko")]
    public async Task StaleAnswer_IsNobodyElses(string header, string value)
    {
        var backend = new MemoryService();
        using var gateway = MemoryGateway.Compose("calls: { x: { request: a/x, optional: true, fallback: stale } }", backend);
        backend.On("x", "\"secret\"");
        await gateway.GetAsync();
        backend.On("x", 500, "{}");
        Assert.Equal("""{"x":null}""", (await gateway.GetAsync("/c/7", (header, value))).Body);
        Assert.Equal("""{"x":"secret"}""", (await gateway.GetAsync()).Body);
    }

    [Fact]
    public async Task AnswerThatMustNotBeStored_IsNoFallback()
    {
        var backend = new MemoryService();
        using var gateway = MemoryGateway.Compose("calls: { x: { request: a/x, optional: true, fallback: stale } }", backend);
        backend.On("x", 200, "1", ("Cache-Control", "private, no-store"));
        await gateway.GetAsync();
        backend.On("x", 500, "{}");
        Assert.Equal("""{"x":null}""", (await gateway.GetAsync()).Body);
    }

    [Theory]
    [InlineData(404, "Retry-After", null)]
    [InlineData(401, "WWW-Authenticate", "Bearer realm=\"x\"")]
    [InlineData(429, "Retry-After", "7")]
    [InlineData(307, "Location", "/elsewhere")]
    public async Task Passthrough_IsTheServicesOwnAnswer(int status, string header, string? value)
    {
        var backend = new MemoryService();
        backend.On("x", status, """{"why": "not yours"}""", value is null ? [] : [(header, value)]);
        var held = backend.Hold("y");
        using var gateway = MemoryGateway.Compose($"calls: {{ x: {{ request: a/x, passthrough: [{status}] }}, y: a/y }}", backend);
        var answer = await gateway.GetAsync();
        Assert.Equal((status, """{"why": "not yours"}"""), (answer.Status, answer.Body));
        Assert.Equal("application/json", answer["Content-Type"]);
        Assert.Equal(value, answer[header]);
        Assert.Equal("y;canceled", answer.Of("y"));
        Assert.Equal("no-store", answer["Cache-Control"]);
    }

    [Fact]
    public async Task Passthrough_OfAnOptionalCall_ComesBeforeItsFallback()
    {
        var backend = new MemoryService();
        backend.On("x", 404, "\"none\"");
        using var gateway = MemoryGateway.Compose(
            "calls: { x: { request: a/x, optional: true, fallback: [stale, { value: 1 }], passthrough: 404 } }",
            backend
        );
        Assert.Equal((404, "\"none\""), await StatusAndBody(gateway));
    }

    [Theory]
    [InlineData(201, "1", "1")]
    [InlineData(202, "{}", "{}")]
    [InlineData(204, "", "null")]
    [InlineData(200, "", "null")]
    [InlineData(206, "[]", "[]")]
    public async Task AnySuccess_IsASuccess(int status, string body, string expected)
    {
        var backend = new MemoryService();
        backend.On("x", status, body);
        using var gateway = MemoryGateway.Compose("calls: { x: a/x }", backend);
        var answer = await gateway.GetAsync();
        Assert.Equal((200, $$"""{"x":{{expected}}}"""), (answer.Status, answer.Body));
        Assert.Null(answer["Proxy-Status"]);
    }

    [Fact]
    public async Task Errors_TellEachPlace_WithAPointer()
    {
        var backend = new MemoryService();
        backend.On("x", 500, "{}").On("list", """[{"id":1}]""").On("item", 503, "{}");
        using var gateway = MemoryGateway.Compose(
            """
            calls:
              x: { request: a/x, optional: true, as: "a/b~c" }
              list: a/list
              detail: { request: "a/item/{item}", forEach: "list[*].id", optional: true, join: { into: list, on: "id = id", as: detail } }
            respond: { errors: true }
            """,
            backend
        );
        var answer = await gateway.GetAsync();
        Assert.Equal(200, answer.Status);
        var errors = answer.Json["_errors"]!.AsArray();
        Assert.Equal(["/a~1b~0c", "/list"], errors.Select(e => (string?)e!["pointer"]));
        Assert.Equal([502, 503], errors.Select(e => (int)e!["status"]!));
        Assert.Equal(
            """{"a/b~c":null,"list":[{"id":1,"detail":null}]""",
            answer.Body[..answer.Body.IndexOf(",\"_errors\"", StringComparison.Ordinal)]
        );
    }

    [Fact]
    public async Task Errors_OfAnAnswerThatIsTheFailedCallAlone_StillHaveAPlace()
    {
        var backend = new MemoryService();
        backend.On("x", 500, "{}");
        using var gateway = MemoryGateway.Compose(
            "calls: { x: { request: a/x, optional: true, as: . } }\nrespond: { errors: true }",
            backend
        );
        Assert.Equal("", (string?)(await gateway.GetAsync()).Json["_errors"]![0]!["pointer"]);
    }

    private static async Task<(int Status, string Body)> StatusAndBody(MemoryGateway gateway)
    {
        var answer = await gateway.GetAsync();
        return (answer.Status, answer.Body);
    }
}
