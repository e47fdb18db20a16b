using Microsoft.AspNetCore.Http;

namespace Lintel.Tests.Composition;

/// <summary>The answer made of the parts: bodies, headers, status, variants, media types.</summary>
public sealed class ShapeTests
{
    [Fact]
    public async Task UntouchedParts_GoThroughByteForByte()
    {
        const string Odd = "{ \"z\":1.0e+2,\"a\" : \"\\u00e9\\/é\", \"a\":[ ],\t\"n\":-0.0 , \"big\":123456789012345678901234567890}";
        var backend = new MemoryService();
        backend.On("x", Odd).On("y", " [1 ,2]\r\n");
        using var gateway = MemoryGateway.Compose("calls: { x: a/x, y: a/y }", backend);
        Assert.Equal("{\"x\":" + Odd + ",\"y\": [1 ,2]\r\n}", (await gateway.GetAsync()).Body);
    }

    [Fact]
    public async Task Body_HeadersAndStatus_AreTheConfigurations()
    {
        var backend = new MemoryService();
        backend
            .On("user", """{"name":"Ann","n": 1.50,"id":7,"evil":"a\r\nX: 1","accent":"é"}""")
            .On("orders", "[{\"total\":2.50},{\"total\":1}]");
        using var gateway = MemoryGateway.Compose(
            """
            calls: { user: a/user, orders: a/orders }
            respond:
              status: 203
              headers: { X-User: user.id, X-None: user.none, X-List: orders, X-Evil: user.evil, X-Accent: user.accent }
              body: { who: user.name, n: user.n, totals: "orders[*].total", list: [user.id, { deep: "length(orders)" }], "a\"b": "`true`" }
            """,
            backend
        );
        var answer = await gateway.GetAsync();
        Assert.Equal((203, """{"who":"Ann","n":1.50,"totals":[2.50,1],"list":[7,{"deep":2}],"a\"b":true}"""), (answer.Status, answer.Body));
        Assert.Equal(
            ("7", null, null, null, "%C3%A9"),
            (answer["X-User"], answer["X-None"], answer["X-List"], answer["X-Evil"], answer["X-Accent"])
        );
    }

    [Theory]
    [InlineData("respond: { body: \"sum(orders)\" }")]
    [InlineData("respond: { headers: { X-Sum: \"sum(orders)\" } }")]
    public async Task ExpressionThatDoesNotFit_IsAnAnswerOfItsOwn(string respond)
    {
        var backend = new MemoryService();
        backend.On("orders", 200, "[\"a\"]", ("Cache-Control", "max-age=60"), ("ETag", "\"1\""));
        using var gateway = MemoryGateway.Compose("calls: { orders: a/orders }\n" + respond, backend);
        var answer = await gateway.GetAsync();
        Assert.Equal(
            (502, "application/problem+json", "no-store", null),
            (answer.Status, answer["Content-Type"], answer["Cache-Control"], answer["ETag"])
        );
        Assert.Equal("urn:problem-type:lintel:expression-failed", (string?)answer.Json["type"]);
    }

    [Fact]
    public async Task Variant_IsTheFirstWhoseClientItIs_AndTakesTheRestFromTheAnswer()
    {
        var backend = new MemoryService();
        backend.On("x", 200, """{"a":1,"b":2}""", ("ETag", "\"1\""));
        using var gateway = new MemoryGateway(
            $$"""
            services: { a: "{{backend.Address}}" }
            clients: { mobile: { when: { headers: { X-App: mobile } } }, partner: { when: { headers: { X-Key: "1" } } } }
            routes:
              c:
                match: /c/{id}
                compose:
                  calls: { x: a/x }
                  respond: { headers: { X-A: x.a } }
                  variants: { mobile: { body: x.a }, partner: { body: { b: x.b }, headers: { X-B: x.b }, status: 202 } }
            """,
            new MemoryNet(backend)
        );
        var all = await gateway.GetAsync();
        var mobile = await gateway.GetAsync("/c/7", ("X-App", "mobile"), ("X-Key", "1"));
        var partner = await gateway.GetAsync("/c/7", ("X-Key", "1"));
        Assert.Equal(("""{"x":{"a":1,"b":2}}""", "1", null), (all.Body, all["X-A"], all["X-B"]));
        Assert.Equal((200, "1", "1"), (mobile.Status, mobile.Body, mobile["X-A"]));
        Assert.Equal((202, """{"b":2}""", "2", null), (partner.Status, partner.Body, partner["X-B"], partner["X-A"]));
        Assert.Equal(3, new[] { all["ETag"], mobile["ETag"], partner["ETag"] }.Distinct().Count());
        Assert.Equal("X-App, X-Key", all["Vary"]);
    }

    [Fact]
    public async Task Variant_WaitsForNoCallThatItDoesNotNeed()
    {
        var backend = new MemoryService();
        backend.On("user", """{"name":"Ann"}""").On("log", "1");
        var slow = backend.Hold("slow");
        using var gateway = new MemoryGateway(
            $$"""
            services: { a: "{{backend.Address}}" }
            clients: { mobile: { when: { headers: { X-App: mobile } } } }
            routes:
              c:
                match: /c/{id}
                compose:
                  calls: { user: a/user, orders: a/slow/1, offers: "a/slow/{orders.id}", log: POST a/log }
                  variants: { mobile: { body: user.name } }
            """,
            new MemoryNet(backend)
        );
        var mobile = await gateway.GetAsync("/c/7", ("X-App", "mobile"));
        Assert.Equal((200, "\"Ann\""), (mobile.Status, mobile.Body));
        Assert.Equal(("orders;skipped", "offers;skipped"), (mobile.Of("orders"), mobile.Of("offers")));
        Assert.Equal((0, 1), (slow.Count, backend.Count("log")));
    }

    [Theory]
    [InlineData("first", """{"k":1,"l":[1],"o":{"a":1,"s":1},"m":1,"n":2,"y":9}""")]
    [InlineData("last", """{"k":2,"l":[2],"o":{"s":2,"b":2},"m":1,"n":2,"y":9}""")]
    [InlineData("deep", """{"k":2,"l":[2],"o":{"a":1,"s":2,"b":2},"m":1,"n":2,"y":9}""")]
    [InlineData("concat", """{"k":2,"l":[1,2],"o":{"a":1,"s":2,"b":2},"m":1,"n":2,"y":9}""")]
    public async Task Conflict_IsSettledByItsRule_InDeclaredOrder(string rule, string expected)
    {
        var backend = new MemoryService();
        var one = backend.Hold("one", """{"k":1,"l":[1],"o":{"a":1,"s":1},"m":1}""");
        backend
            .On("two", async context =>
            {
                await context.Response.WriteAsync("""{"k":2,"l":[2],"o":{"s":2,"b":2},"n":2}""");
                await context.Response.CompleteAsync();
                one.Release(); // the first to be declared is the last to come
            })
            .On("y", "9");
        using var gateway = MemoryGateway.Compose(
            $"conflict: {rule}\ncalls: {{ one: {{ request: a/one, as: . }}, two: {{ request: a/two, as: . }}, y: a/y }}",
            backend
        );
        Assert.Equal(expected, (await gateway.GetAsync()).Body);
    }

    [Theory]
    [InlineData("first", "[1]", "[2,3]", "[1]")]
    [InlineData("last", "[1]", "[2,3]", "[2,3]")]
    [InlineData("deep", "[1]", "[2,3]", "[2,3]")]
    [InlineData("concat", "[1]", "[2,3]", "[1,2,3]")]
    [InlineData("concat", "[1]", "null", "[1]")]
    public async Task Conflict_OfListsThatAreTheAnswer_IsSettledByItsRule(string rule, string one, string two, string expected)
    {
        var backend = new MemoryService();
        backend.On("one", one).On("two", two);
        using var gateway = MemoryGateway.Compose(
            $"conflict: {rule}\ncalls: {{ one: {{ request: a/one, as: . }}, two: {{ request: a/two, as: . }} }}",
            backend
        );
        Assert.Equal(expected, (await gateway.GetAsync()).Body);
    }

    [Theory]
    [InlineData("two: { request: a/two, as: ., OPTIONAL }", "[1]")]
    [InlineData("two: { request: a/two, as: ., OPTIONAL }", "7")]
    [InlineData("two: { request: a/two, as: ., OPTIONAL }, y: a/one", "[1]")]
    public async Task ValuesThatCannotShareAPlace_AreTheLatersFailure(string calls, string two)
    {
        var backend = new MemoryService();
        backend.On("one", "{\"a\":1}").On("two", two);
        var all = "conflict: concat\ncalls: { one: { request: a/one, as: . }, " + calls + " }";
        using (var required = MemoryGateway.Compose(all.Replace("OPTIONAL", "optional: false", StringComparison.Ordinal), backend))
            Assert.Contains("err=expression-failed", (await required.GetAsync()).Of("two"), StringComparison.Ordinal);
        using var optional = MemoryGateway.Compose(all.Replace("OPTIONAL", "optional: true", StringComparison.Ordinal), backend);
        var answer = await optional.GetAsync();
        Assert.Equal((200, 1), (answer.Status, (int)answer.Json["a"]!));
        Assert.Contains("err=expression-failed", answer.Of("two"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("calls: { x: { request: a/x, as: . }, no: NO }\nconflict: deep", "{ }", """{"no":null,"_errors":""")]
    [InlineData("calls: { x: a/x, no: NO }\nrespond: { errors: true, body: x }", "{ }", """{"_errors":""")]
    [InlineData("calls: { x: a/x, no: NO }\nrespond: { errors: true, body: x }", "{ \"a\" : 1 }", """{"a":1,"_errors":""")]
    [InlineData("calls: { x: a/x, no: NO }\nrespond: { errors: true, body: { a: x } }", "[]", """{"a":[],"_errors":""")]
    [InlineData("calls: { x: a/x, no: NO }\nrespond: { errors: true, body: [x] }", "1", "[1]")]
    public async Task Errors_StandAtTheEndOfWhateverObjectTheAnswerIs(string compose, string x, string expected)
    {
        var backend = new MemoryService();
        backend.On("x", x).On("no", 500, "");
        var respond = compose.Contains("respond", StringComparison.Ordinal) ? "" : "\nrespond: { errors: true }";
        using var gateway = MemoryGateway.Compose(
            compose.Replace("NO", "{ request: a/no, optional: true }", StringComparison.Ordinal) + respond,
            backend
        );
        var answer = await gateway.GetAsync();
        Assert.StartsWith(expected, answer.Body, StringComparison.Ordinal);
        Assert.NotNull(answer.Json);
    }

    [Fact]
    public async Task ContentType_IsTheConfigurations_WhereItSaysOne()
    {
        var backend = new MemoryService();
        backend.On("x", "[1]");
        using var gateway = MemoryGateway.Compose(
            "calls: { x: a/x }\nrespond: { body: x, headers: { Content-Type: \"'application/vnd.list+json'\" } }",
            backend
        );
        Assert.Equal("application/vnd.list+json", (await gateway.GetAsync())["Content-Type"]);
    }

    [Theory]
    [InlineData("application/json; charset=utf-8", "{\"a\":1}", "{\"a\":1}")]
    [InlineData("application/vnd.x+json", "[]", "[]")]
    [InlineData(null, "[]", "[]")]
    [InlineData("application/x-ndjson", "{\"a\": 1}\n\n[2]\r\n\"x\"", "[{\"a\": 1},[2],\"x\"]")]
    [InlineData("text/plain", "a\"b\\\n\u0001é", "\"a\\\"b\\\\\\n\\u0001é\"")]
    [InlineData("text/plain; charset=iso-8859-1", "\u00e9", "\"é\"")]
    [InlineData(
        "application/xml",
        "<?xml version=\"1.0\"?><a x=\"1\"><b>1</b><b>2</b><c/>t</a>",
        "{\"a\":{\"@x\":\"1\",\"b\":[\"1\",\"2\"],\"c\":null,\"#text\":\"t\"}}"
    )]
    [InlineData("text/xml", "<a>é</a>", "{\"a\":\"é\"}")]
    [InlineData("application/xml", "<!DOCTYPE a [<!ENTITY e SYSTEM \"file:///etc/hostname\">]><a>&e;</a>", null)]
    [InlineData("application/xml", "<a><b></a>", null)]
    [InlineData("image/png", "1", null)]
    [InlineData("application/json", "\ufeff{}", "{}")]
    [InlineData("application/x-ndjson", "\ufeff1\n2", "[1,2]")]
    [InlineData("application/json; charset=iso-8859-1", "\"\u00e9\"", "\"é\"")]
    [InlineData("application/xml", "<a>x<![CDATA[<y>]]></a>", "{\"a\":\"x<y>\"}")]
    [InlineData(
        "application/xml",
        "<a><b/><c/><b>2</b><c></c>t<b x='1'/>u</a>",
        "{\"a\":{\"b\":[null,\"2\",{\"@x\":\"1\"}],\"c\":[null,\"\"],\"#text\":[\"t\",\"u\"]}}"
    )]
    [InlineData("application/xml; charset=iso-8859-1", "<a>\u00e9</a>", "{\"a\":\"é\"}")]
    [InlineData("text/plain; charset=nothing", "a", null)]
    public async Task Answer_OfAnyMediaType_BecomesJson(string? type, string text, string? expected)
    {
        var backend = new MemoryService();
        backend.On("x", async context =>
        {
            context.Response.ContentType = type;
            var isLatin = type?.Contains("8859", StringComparison.Ordinal) == true;
            await context.Response.Body.WriteAsync((isLatin ? System.Text.Encoding.Latin1 : System.Text.Encoding.UTF8).GetBytes(text));
        });
        using var gateway = MemoryGateway.Compose("calls: { x: { request: a/x, optional: true } }", backend);
        var answer = await gateway.GetAsync();
        Assert.Equal($$"""{"x":{{expected ?? "null"}}}""", answer.Body);
        Assert.Equal(expected is null, answer.Of("x").Contains(";err=malformed-answer", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("gzip", 200)]
    [InlineData("br", 200)]
    [InlineData("deflate", 200)]
    [InlineData("identity", 200)]
    [InlineData("gzip, gzip", 200)]
    [InlineData("compress", 502)]
    [InlineData("br", 502)] // it is not what it says
    public async Task Answer_ThatIsCompressedUnasked_IsDecompressed(string coding, int status)
    {
        var backend = new MemoryService();
        backend.On("x", async context =>
        {
            context.Response.ContentType = "application/json";
            context.Response.Headers.ContentEncoding = coding;
            await context.Response.Body.WriteAsync(status == 200 ? Compressed("""{"a":"é"}"""u8.ToArray(), coding) : "{}"u8.ToArray());
        });
        using var gateway = MemoryGateway.Compose("calls: { x: a/x }", backend);
        var answer = await gateway.GetAsync();
        Assert.Equal(status, answer.Status);
        if (status == 200)
            Assert.Equal("""{"x":{"a":"é"}}""", answer.Body);
        else
            Assert.Contains("err=malformed-answer", answer.Of("x"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("limits: { call: 1MiB }")]
    [InlineData("limits: { total: 1MiB }")]
    public async Task Answer_ThatIsABombOnceDecompressed_IsTooLarge(string limits)
    {
        var backend = new MemoryService();
        backend.On("x", async context =>
        {
            context.Response.Headers.ContentEncoding = "gzip";
            await context.Response.Body.WriteAsync(Compressed(new byte[8 << 20], "gzip"));
        });
        using var gateway = MemoryGateway.Compose(limits + "\ncalls: { x: a/x }", backend);
        Assert.Contains("err=answer-too-large", (await gateway.GetAsync()).Of("x"), StringComparison.Ordinal);
    }

    private static byte[] Compressed(byte[] bytes, string codings)
    {
        foreach (var coding in codings.Split(", "))
        {
            var output = new MemoryStream();
            using (
                Stream stream = coding switch
                {
                    "gzip" => new System.IO.Compression.GZipStream(output, System.IO.Compression.CompressionLevel.Fastest),
                    "br" => new System.IO.Compression.BrotliStream(output, System.IO.Compression.CompressionLevel.Fastest),
                    "deflate" => new System.IO.Compression.ZLibStream(output, System.IO.Compression.CompressionLevel.Fastest),
                    _ => output,
                }
            )
                stream.Write(bytes);
            bytes = output.ToArray();
        }

        return bytes;
    }
}
