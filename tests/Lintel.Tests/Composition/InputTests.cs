using System.Text.Json;

namespace Lintel.Tests.Composition;

/// <summary>
/// Values from the client, and from one service's answer, in requests: none escapes from its segment, its parameter or its line.
/// </summary>
public sealed class InputTests
{
    public static TheoryData<string> Values { get; } =
    [
        "plain",
        "a/b",
        "../admin",
        "..",
        ".",
        "%2e%2e",
        "%2e",
        "a?b=c",
        "a#b",
        "a&admin=1",
        "a=b",
        "a;b",
        "a b",
        "a+b",
        "%2f",
        "%252f",
        "%00",
        "\0",
        "a\r\nX-Evil: 1",
        "a\r\n\r\nGET /evil HTTP/1.1",
        "\u2028",
        "é",
        "日本",
        "😀",
        "",
        " ",
        "\t",
        "\\",
        "..\\..",
        "//evil",
        "http://evil/",
        "@evil",
        "{x}",
        "{{",
        "'",
        "\"",
        "<",
        "\x7f",
        "a\u0000b",
        "..%2f..",
        "%",
        "%zz",
        "\u202e",
    ];

    private const string Calls = """
        calls:
          source: a/source
          path: { request: "a/path/{source.v}/end", optional: true }
          mixed: { request: "a/mixed/x{source.v}y/end", optional: true }
          query: { request: "a/query?before=1&v={source.v}&after=2", optional: true }
          fromQuery: { request: "a/fromQuery/{query:v}/end?q={query:v}&after=2", optional: true }
          fromHeader: { request: "a/fromHeader/{header:X-V}/end?q={header:X-V}&after=2", headers: { X-Out: "{query:v}" }, optional: true }
          fromCookie: { request: "a/fromCookie/{cookie:v}/end?q={cookie:v}&after=2", optional: true }
        """;

    [Theory]
    [MemberData(nameof(Values))]
    public async Task Value_OfAnotherAnswer_StaysInItsPlace(string value)
    {
        var backend = Start();
        Publish(backend, value);
        using var gateway = MemoryGateway.Compose(Calls, backend);
        Assert.Equal(200, (await gateway.GetAsync()).Status);
        ExpectSegment(backend, "path", "/path/", value);
        ExpectSegment(backend, "mixed", "/mixed/x", value, "y");
        Assert.Equal("/query?before=1&v=" + Uri.EscapeDataString(value) + "&after=2", backend.SeenOnce("query").Target);
        ExpectOnlyKnown(backend);
    }

    [Theory]
    [MemberData(nameof(Values))]
    public async Task Value_OfTheClient_StaysInItsPlace(string value)
    {
        var backend = Start();
        Publish(backend, "v");
        using var gateway = MemoryGateway.Compose(Calls, backend);
        var isLine = !value.AsSpan().ContainsAny("\r\n\0") && value.All(c => c is >= ' ' and <= '~');
        var headers = new List<(string, string)>();
        if (isLine)
            headers.Add(("X-V", value.Trim()));
        if (isLine && !value.AsSpan().ContainsAny(";\" ,\\"))
            headers.Add(("Cookie", "v=" + value));
        var answer = await gateway.GetAsync("/c/7?v=" + Uri.EscapeDataString(value), [.. headers]);
        Assert.Equal(200, answer.Status);
        ExpectSegment(backend, "fromQuery", "/fromQuery/", value, "", "?q=" + Uri.EscapeDataString(value) + "&after=2");
        if (isLine)
            ExpectSegment(
                backend,
                "fromHeader",
                "/fromHeader/",
                value.Trim(),
                "",
                value.Trim().Length == 0 && value.Length > 0 ? null : "?q=" + Uri.EscapeDataString(value.Trim()) + "&after=2"
            );
        if (backend.Seen.FirstOrDefault(r => r.Target.StartsWith("/fromHeader", StringComparison.Ordinal)) is { } seen)
            Assert.True(
                seen["X-Out"] is null || seen["X-Out"] == value.Trim() || seen["X-Out"] == Uri.EscapeDataString(value),
                seen["X-Out"]
            );
        ExpectOnlyKnown(backend);
    }

    [Theory]
    [InlineData("a%2fb")]
    [InlineData("a%3fb")]
    [InlineData("a%23b")]
    [InlineData("a%26b%3dc")]
    [InlineData("a%0d%0ab")]
    [InlineData("%2e%2e")]
    [InlineData("a%00b")]
    [InlineData("a%3bb")]
    [InlineData("a%25%32%66b")]
    [InlineData("%E6%97%A5")]
    public async Task Value_OfTheRoutesParameter_StaysInItsPlace(string value)
    {
        var backend = Start();
        Publish(backend, "v");
        using var gateway = MemoryGateway.Compose("calls: { x: \"a/x/{id}/end?q={id}&after=2\" }", backend);
        var answer = await gateway.GetAsync("/c/" + value);
        if (answer.Status == 200)
        {
            var target = backend.SeenOnce("x").Target;
            Assert.Equal(Uri.UnescapeDataString(value), Uri.UnescapeDataString(target.Split('/')[2]));
            Assert.EndsWith("/end?q=" + Uri.EscapeDataString(Uri.UnescapeDataString(value)) + "&after=2", target, StringComparison.Ordinal);
        }
        else
        {
            Assert.True(answer.Status is 400 or 404, answer.Status.ToString(System.Globalization.CultureInfo.InvariantCulture));
            Assert.Empty(backend.Seen);
        }
    }

    [Theory]
    [InlineData("1.50", "1.50")]
    [InlineData("1e400", "1e400")]
    [InlineData("12345678901234567890", "12345678901234567890")]
    [InlineData("true", "true")]
    [InlineData("null", null)]
    [InlineData("{}", null)]
    [InlineData("[1,\"a/b\",null,true]", "1,a%2Fb,true")]
    public async Task Value_ThatIsNoText_IsWrittenAsItIs_OrLeftOut(string json, string? expected)
    {
        var backend = new MemoryService();
        backend.On("source", $$"""{"v":{{json}}}""").On("query", "1");
        using var gateway = MemoryGateway.Compose("calls: { source: a/source, query: \"a/query?v={source.v}&after=2\" }", backend);
        await gateway.GetAsync();
        Assert.Equal(expected is null ? "/query?after=2" : $"/query?v={expected}&after=2", backend.SeenOnce("query").Target);
    }

    [Theory]
    [InlineData("", null, "^Lintel/[0-9]+\\.[0-9]+\\.[0-9]+$")]
    [InlineData("forwardHeaders: [User-Agent]\n", "curl/8", "^curl/8$")]
    [InlineData("forwardHeaders: [User-Agent]\n", null, "^Lintel/")]
    public async Task UserAgent_OfACall_IsTheGateways_UnlessTheClientsIsForwarded(string compose, string? clients, string expected)
    {
        var backend = new MemoryService();
        backend.On("x", "1").On("y", "1");
        using var gateway = MemoryGateway.Compose(
            compose + "calls: { x: a/x, y: { request: a/y, headers: { User-Agent: own } } }",
            backend
        );
        await gateway.GetAsync("/c/7", clients is null ? [] : [("User-Agent", clients)]);
        Assert.Matches(expected, backend.SeenOnce("x")["User-Agent"]);
        Assert.Equal("own", backend.SeenOnce("y")["User-Agent"]);
    }

    [Theory]
    [InlineData("made: { request: POST a/made, body: { sum: { of: sum(request.lines) } } }", "`calls.made.body.sum.of`: ")]
    [InlineData("made: { request: POST a/made, if: \"sum(request.lines) > `1`\" }", "`calls.made.if`: ")]
    [InlineData("each: { request: \"a/made/{item}\", forEach: sort(request.lines) }", "`calls.each.forEach`: ")]
    [InlineData("each: { request: \"a/made/{item}\", forEach: request.text }", "`calls.each.forEach`: the result is not a list")]
    [InlineData("each: { request: \"a/made/{item.id}\", forEach: request.items }", "")]
    [InlineData("each: { request: \"POST a/made\", forEach: request.items, body: { n: sum(item.id) } }", "`calls.each.body.n`: ")]
    [InlineData("each: { request: \"a/made/{item}\", forEach: request.many, maxItems: 2 }", "`calls.each.forEach` has 3 distinct items")]
    public async Task ClientsBody_ThatDoesNotFitAnExpression_IsTheClientsMistake_AndThePlaceIsTold(string call, string place)
    {
        var backend = new MemoryService();
        backend.On("made", "1");
        using var gateway = MemoryGateway.Compose($"calls: {{ {call} }}", backend);
        var answer = await gateway.SendAsync("POST", "/c/1", """{"lines":"none","text":"t","items":[{"x":1}],"many":[1,2,3]}""");
        Assert.Equal((400, "urn:problem-type:lintel:bad-placeholder"), (answer.Status, (string?)answer.Json["type"]));
        Assert.Contains(place, (string?)answer.Json["detail"], StringComparison.Ordinal);
        Assert.Empty(backend.Seen);
    }

    [Theory]
    [InlineData("respond: { body: { n: sum(request.lines) } }", 400, "`respond.body.n`: ")]
    [InlineData("respond: { headers: { X-N: sum(request.lines) } }", 400, "`respond.headers.X-N`: ")]
    [InlineData("respond: { body: { n: sum(x) } }", 502, "`respond.body.n`: ")]
    public async Task AnswersExpression_OverTheClientsBody_IsTheClientsMistakeToo(string respond, int status, string place)
    {
        var backend = new MemoryService();
        backend.On("x", "1");
        using var gateway = MemoryGateway.Compose("calls: { x: a/x }\n" + respond, backend);
        var answer = await gateway.SendAsync("POST", "/c/1", """{"lines":"none"}""");
        Assert.Equal(status, answer.Status);
        Assert.StartsWith(place, (string?)answer.Json["detail"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task QueryValue_ThatDoesNotFit_BesideAReferenceThatDoes_IsTheClientsMistake()
    {
        var backend = new MemoryService();
        backend.On("x", "5").On("y", "1");
        using var gateway = MemoryGateway.Compose("calls: { x: a/x, y: \"a/y/{x}/{query:q}\" }", backend);
        Assert.Equal(400, (await gateway.GetAsync("/c/7?q=..")).Status);
        Assert.Equal(200, (await gateway.GetAsync("/c/7?q=1")).Status);
    }

    private static MemoryService Start()
    {
        var backend = new MemoryService();
        foreach (var segment in (string[])["path", "mixed", "query", "fromQuery", "fromHeader", "fromCookie", "x"])
            backend.On(segment, "1");
        return backend;
    }

    private static void Publish(MemoryService backend, string value) => backend.On("source", JsonSerializer.Serialize(new { v = value }));

    /// <summary>Either the value stands in its one segment, or nothing was asked.</summary>
    private static void ExpectSegment(
        MemoryService backend,
        string name,
        string before,
        string value,
        string behind = "",
        string? query = ""
    )
    {
        if (backend.Seen.FirstOrDefault(r => r.Target.StartsWith("/" + name + "/", StringComparison.Ordinal)) is { } seen)
            Assert.True(
                query is null
                    ? seen.Target.StartsWith(before, StringComparison.Ordinal)
                    : seen.Target == before + Uri.EscapeDataString(value) + behind + "/end" + query,
                seen.Target
            );
        else
            Assert.True(
                value.Length == 0
                    || value.Trim() is "." or ".."
                    || value.Contains('%', StringComparison.Ordinal)
                    || value.AsSpan().ContainsAny("/\\;")
                    || value.Any(char.IsControl),
                $"`{value}` could have been asked for"
            );
    }

    private static void ExpectOnlyKnown(MemoryService backend) =>
        Assert.All(backend.Seen, r =>
            Assert.Contains(
                r.Target[1..].Split('/', '?')[0],
                (string[])["source", "path", "mixed", "query", "fromQuery", "fromHeader", "fromCookie"]
            )
        );

    [Theory]
    [InlineData("""{"amount":5000,"amount":1}""", 400)]
    [InlineData("""{"amount":5000,"am\u006funt":1}""", 400)]
    [InlineData("""{"amount":1,"x":[{"y":1,"y":2}]}""", 400)]
    [InlineData("""{"amount":1}""", 200)]
    public async Task ClientsBody_ThatIsJudged_NamesNothingTwice(string body, int status)
    {
        var backend = new MemoryService();
        backend.On("pay", "1");
        using var gateway = MemoryGateway.Compose(
            "calls: { pay: { request: POST a/pay, body: request, if: \"request.amount < `100`\" } }",
            backend
        );
        var answer = await gateway.SendAsync("POST", "/c/7", body, ("Content-Type", "application/json"));
        Assert.Equal((status, status == 200 ? 1 : 0), (answer.Status, backend.Count("pay")));
    }
}
