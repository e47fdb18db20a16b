using System.Text.Json;

namespace Lintel.FunctionalTests.Composition;

/// <summary>
/// What goes from the client, and from one service's answer, into requests: no value leaves its segment, its parameter or its line.
/// </summary>
[EveryTransport]
public sealed class InputTests(InputTests.SharedGateway shared) : IClassFixture<InputTests.SharedGateway>
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
        var (backend, gateway) = shared.With(value);
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
        var (backend, gateway) = shared.With("v");
        using var client = await gateway.Process.ConnectAsync();
        var isLine = !value.AsSpan().ContainsAny("\r\n\0") && value.All(c => c is >= ' ' and <= '~');
        var header = isLine ? $"X-V: {value}\r\n" : "";
        var cookie = isLine && !value.AsSpan().ContainsAny(";\" ,\\") ? $"Cookie: v={value}\r\n" : "";
        var answer = await client.GetAsync("/c/7?v=" + Uri.EscapeDataString(value), header + cookie);
        Assert.Equal(200, answer.Status);
        ExpectSegment(backend, "fromQuery", "/fromQuery/", value, "", "?q=" + Uri.EscapeDataString(value) + "&after=2");
        if (header.Length > 0)
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
        await using var backend = await StartAsync();
        Publish(backend, "v");
        await using var gateway = await ComposedGateway.StartAsync("calls: { x: \"a/x/{id}/end?q={id}&after=2\" }", backend);
        using var client = await gateway.Process.ConnectAsync();
        var answer = await client.GetAsync("/c/" + value);
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
        await using var backend = await Backend.StartAsync();
        backend.On("source", $$"""{"v":{{json}}}""").On("query", "1");
        await using var gateway = await ComposedGateway.StartAsync(
            "calls: { source: a/source, query: \"a/query?v={source.v}&after=2\" }",
            backend
        );
        await gateway.GetAsync();
        Assert.Equal(expected is null ? "/query?after=2" : $"/query?v={expected}&after=2", backend.SeenOnce("query").Target);
    }

    [Fact]
    public async Task Headers_OfTheClient_PassByTheList_AndNoOthers()
    {
        await using var backend = await Backend.StartAsync();
        backend.On("x", "1").On("y", "1");
        await using var gateway = await ComposedGateway.StartAsync(
            """
            forwardHeaders: [Authorization, Accept-Language, X-Tenant, X-Real-IP, X-Hop]
            calls: { x: a/x, y: { request: a/y, headers: { Authorization: "Bearer own", X-Id: "{id}", X-None: "{query:none}" } } }
            """,
            backend
        );
        using var client = await gateway.Process.ConnectAsync();
        var answer = await client.GetAsync(
            "/c/7",
            "Authorization: Bearer me\r\nCookie: s=1\r\nX-Tenant: t1\r\nX-Tenant: t2\r\nX-Other: o\r\nX-Real-IP: 6.6.6.6\r\nX-Hop: "
                + "h\r\nConnection: keep-alive, X-Hop\r\nAccept-Encoding: gzip\r\nIf-None-Match: \"q\"\r\nRange: "
                + "bytes=0-0\r\nContent-Type: text/x\r\nTE: trailers\r\nX-Forwarded-For: 6.6.6.6\r\ntraceparent: "
                + "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"
        );
        Assert.Equal(200, answer.Status);
        var x = backend.SeenOnce("x");
        Assert.Equal(
            ("Bearer me", "t1|t2", "identity"),
            (x["Authorization"], x["X-Tenant"]?.Replace(", ", "|", StringComparison.Ordinal), x["Accept-Encoding"])
        ); // two lines, or one: the same list
        Assert.All(
            (string[])
                [
                    "Cookie",
                    "X-Other",
                    "X-Real-IP",
                    "X-Hop",
                    "If-None-Match",
                    "Range",
                    "Content-Type",
                    "TE",
                    "Accept-Language",
                    "Content-Length",
                ],
            h => Assert.Null(x[h])
        );
        Assert.DoesNotContain("6.6.6.6", x["X-Forwarded-For"], StringComparison.Ordinal);
        Assert.StartsWith("00-0af7651916cd43dd8448eb211c80319c-", x["traceparent"], StringComparison.Ordinal);
        var y = backend.SeenOnce("y");
        Assert.Equal(("Bearer own", "7", null), (y["Authorization"], y["X-Id"], y["X-None"]));
    }

    [Theory]
    [InlineData("", null, "^Lintel/[0-9]+\\.[0-9]+\\.[0-9]+$")]
    [InlineData("forwardHeaders: [User-Agent]\n", "curl/8", "^curl/8$")]
    [InlineData("forwardHeaders: [User-Agent]\n", null, "^Lintel/")]
    public async Task UserAgent_OfACall_IsTheGateways_UnlessTheClientsIsForwarded(string compose, string? clients, string expected)
    {
        await using var backend = await Backend.StartAsync();
        backend.On("x", "1").On("y", "1");
        await using var gateway = await ComposedGateway.StartAsync(
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
        await using var backend = await Backend.StartAsync();
        backend.On("made", "1");
        await using var gateway = await ComposedGateway.StartAsync($"calls: {{ {call} }}", backend);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/c/1")
        {
            Content = new StringContent("""{"lines":"none","text":"t","items":[{"x":1}],"many":[1,2,3]}"""),
        };
        var answer = await gateway.SendAsync(request);
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
        await using var backend = await Backend.StartAsync();
        backend.On("x", "1");
        await using var gateway = await ComposedGateway.StartAsync("calls: { x: a/x }\n" + respond, backend);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/c/1") { Content = new StringContent("""{"lines":"none"}""") };
        var answer = await gateway.SendAsync(request);
        Assert.Equal(status, answer.Status);
        Assert.StartsWith(place, (string?)answer.Json["detail"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task QueryValue_ThatDoesNotFit_BesideAReferenceThatDoes_IsTheClientsMistake()
    {
        await using var backend = await Backend.StartAsync();
        backend.On("x", "5").On("y", "1");
        await using var gateway = await ComposedGateway.StartAsync("calls: { x: a/x, y: \"a/y/{x}/{query:q}\" }", backend);
        Assert.Equal(400, (await gateway.GetAsync("/c/7?q=..")).Status);
        Assert.Equal(200, (await gateway.GetAsync("/c/7?q=1")).Status);
    }

    private static async Task<Backend> StartAsync()
    {
        var backend = await Backend.StartAsync();
        foreach (var segment in (string[])["path", "mixed", "query", "fromQuery", "fromHeader", "fromCookie", "x"])
            backend.On(segment, "1");
        return backend;
    }

    private static void Publish(Backend backend, string value) => backend.On("source", JsonSerializer.Serialize(new { v = value }));

    /// <summary>Either the value stands in its one segment, or nothing was asked.</summary>
    private static void ExpectSegment(Backend backend, string name, string before, string value, string behind = "", string? query = "")
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

    private static void ExpectOnlyKnown(Backend backend) =>
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
        await using var backend = await Backend.StartAsync();
        backend.On("pay", "1");
        await using var gateway = await ComposedGateway.StartAsync(
            "calls: { pay: { request: POST a/pay, body: request, if: \"request.amount < `100`\" } }",
            backend
        );
        var answer = await gateway.SendAsync(
            new HttpRequestMessage(HttpMethod.Post, "/c/7")
            {
                Content = new StringContent(body, System.Text.Encoding.UTF8, "application/json"),
            }
        );
        Assert.Equal((status, status == 200 ? 1 : 0), (answer.Status, backend.Count("pay")));
    }

    /// <summary>One for all values: a request leaves nothing behind.</summary>
    public sealed class SharedGateway : IAsyncLifetime
    {
        private Backend _backend = null!;
        private ComposedGateway _gateway = null!;

        public async ValueTask InitializeAsync()
        {
            _backend = await StartAsync();
            _gateway = await ComposedGateway.StartAsync(Calls, _backend);
        }

        public async ValueTask DisposeAsync()
        {
            await _gateway.DisposeAsync();
            await _backend.DisposeAsync();
        }

        /// <summary>With a value that <c>source</c> answers, and nothing asked for yet.</summary>
        internal (Backend Backend, ComposedGateway Gateway) With(string value)
        {
            Publish(_backend, value);
            _backend.Forget();
            return (_backend, _gateway);
        }
    }
}
