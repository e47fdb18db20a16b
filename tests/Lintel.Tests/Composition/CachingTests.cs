using Microsoft.AspNetCore.Http;

namespace Lintel.Tests.Composition;

/// <summary>The caching headers of composed answers, and the revalidation of their parts.</summary>
public sealed class CachingTests
{
    [Theory]
    [InlineData("public, max-age=60", "public, max-age=30", "public, max-age=30")]
    [InlineData("public, max-age=60", "max-age=30", "max-age=30")]
    [InlineData("public, max-age=60", "private, max-age=90", "private, max-age=60")]
    [InlineData("public, max-age=60", "no-store", "no-store")]
    [InlineData("max-age=60, s-maxage=600", "max-age=90", "max-age=60, s-maxage=90")]
    [InlineData("max-age=60", "no-cache, max-age=90", "max-age=0, no-cache")]
    [InlineData("max-age=60, must-revalidate", "max-age=90", "max-age=60, must-revalidate")]
    [InlineData("max-age=60", null, "max-age=0")]
    [InlineData("max-age=60", "max-age=soon, no-store", "no-store")]
    [InlineData(null, null, null)]
    public async Task CacheControl_IsNeverMoreThanAllPartsSay(string? one, string? two, string? expected)
    {
        var backend = new MemoryService();
        backend
            .On("x", 200, "1", one is null ? [] : [("Cache-Control", one)])
            .On("y", 200, "1", two is null ? [] : [("Cache-Control", two)]);
        using var gateway = MemoryGateway.Compose("calls: { x: a/x, y: a/y }", backend);
        Assert.Equal(expected, (await gateway.GetAsync())["Cache-Control"]);
    }

    [Theory]
    [InlineData("max-age=60", "50", null, "max-age=10")]
    [InlineData("max-age=60", "70", null, "max-age=0")]
    [InlineData(null, null, "Thu, 01 Jan 1970 00:00:00 GMT", "max-age=0")]
    [InlineData(null, null, "0", "max-age=0")]
    public async Task Freshness_IsWhatIsLeftOfIt(string? control, string? age, string? expires, string expected)
    {
        var backend = new MemoryService();
        List<(string, string)> headers =
        [
            .. new (string Name, string? Value)[] { ("Cache-Control", control), ("Age", age), ("Expires", expires) }
                .Where(h => h.Value is not null)
                .Select(h => (h.Name, h.Value!)),
        ];
        backend.On("x", 200, "1", [.. headers]);
        using var gateway = MemoryGateway.Compose("calls: { x: a/x }", backend);
        Assert.Equal(expected, (await gateway.GetAsync())["Cache-Control"]);
    }

    [Fact]
    public async Task Vary_IsTheUnion_OfWhatCallsGetAndThePlanLooksAt()
    {
        var backend = new MemoryService();
        backend
            .On("x", 200, "1", ("Vary", "accept-language, Accept-Encoding"))
            .On("y", 200, "1", ("Vary", "Authorization, Accept-Language"));
        using var gateway = MemoryGateway.Compose("calls: { x: \"a/x?t={header:X-Tenant}\", y: \"a/y?s={cookie:sid}\" }", backend);
        var vary = (await gateway.GetAsync())["Vary"]!.Split(", ").Order(StringComparer.OrdinalIgnoreCase);
        Assert.Equal(["accept-language", "Authorization", "Cookie", "X-Tenant"], vary);
    }

    [Theory]
    [InlineData("x: \"a/x?ip={clientIp}\"", null)]
    [InlineData("x: { request: a/x, headers: { X-Ip: \"{clientIp}\" } }", null)]
    [InlineData("x: \"a/x?s={cookie:sid}\"", null)]
    [InlineData("x: a/x", "X-Forwarded-For")]
    [InlineData("x: a/x", "Accept-Language, x-forwarded-host")]
    [InlineData("x: a/x", "Forwarded")]
    [InlineData("x: a/x", "Via")]
    [InlineData("x: a/x", "traceparent")]
    public async Task Answer_ThatDependsOnWhatNoFieldOfTheClientSays_IsPrivate(string call, string? vary)
    {
        var backend = new MemoryService();
        backend.On(
            "x",
            200,
            "1",
            vary is null
                ? [("Cache-Control", "public, max-age=60")]
                : [("Cache-Control", "public, max-age=60, s-maxage=90"), ("Vary", vary)]
        );
        using var gateway = MemoryGateway.Compose($"calls: {{ {call} }}", backend);
        Assert.Equal("private, max-age=60", (await gateway.GetAsync())["Cache-Control"]);
        backend.On("x", "1");
        if (vary is null)
            Assert.Equal("private, max-age=0", (await gateway.GetAsync())["Cache-Control"]);
    }

    [Theory]
    [InlineData("public, max-age=60", "private, max-age=60")]
    [InlineData("max-age=60", "private, max-age=60")]
    [InlineData("no-store", "no-store")]
    [InlineData(null, "no-store")]
    public async Task PassedAnswer_SaysWhatItDependsOn(string? control, string expected)
    {
        var backend = new MemoryService();
        List<(string, string)> headers = control is null ? [] : [("Cache-Control", control)];
        backend
            .On("first", 200, "1", ("Cache-Control", "private, max-age=90"), ("Vary", "Accept-Language"))
            .On("x", 404, "\"none\"", [.. headers, ("Vary", "Authorization")]);
        using var gateway = MemoryGateway.Compose(
            "calls: { first: a/first, x: { request: \"a/x?v={first}\", passthrough: 404 } }",
            backend
        );
        var answer = await gateway.GetAsync();
        Assert.Equal((404, expected), (answer.Status, answer["Cache-Control"]));
        Assert.Equal(control is null ? null : "Accept-Language, Authorization", answer["Vary"]);
    }

    [Fact]
    public async Task Vary_OfAnything_IsAnything()
    {
        var backend = new MemoryService();
        backend.On("x", 200, "1", ("Vary", "*")).On("y", 200, "1", ("Vary", "Authorization"));
        using var gateway = MemoryGateway.Compose("calls: { x: a/x, y: a/y }", backend);
        Assert.Equal("*", (await gateway.GetAsync())["Vary"]);
    }

    [Fact]
    public async Task Tag_StandsForTheParts_AndIsAnswered304()
    {
        var backend = new MemoryService();
        backend
            .On("x", 200, "1", ("ETag", "\"x1\""), ("Cache-Control", "max-age=5"))
            .On("y", 200, "2", ("ETag", "W/\"y1\""), ("Cache-Control", "max-age=5"));
        using var gateway = MemoryGateway.Compose("calls: { x: a/x, y: a/y }", backend);
        var first = await gateway.GetAsync();
        var tag = first["ETag"]!;
        Assert.StartsWith("W/\"", tag, StringComparison.Ordinal);
        var again = await gateway.GetAsync("/c/7", ("If-None-Match", "\"other\", " + tag[2..]));
        Assert.Equal((304, ""), (again.Status, again.Body));
        Assert.Equal((tag, "max-age=5"), (again["ETag"], again["Cache-Control"]));

        backend.On("y", 200, "3", ("ETag", "\"y2\""));
        var changed = await gateway.GetAsync("/c/7", ("If-None-Match", tag));
        Assert.Equal((200, """{"x":1,"y":3}"""), (changed.Status, changed.Body));
        Assert.NotEqual(tag, changed["ETag"]);
    }

    [Fact]
    public async Task Tag_IsMissing_WhereAPartHasNone()
    {
        var backend = new MemoryService();
        backend.On("x", 200, "1", ("ETag", "\"x1\"")).On("y", "2");
        using var gateway = MemoryGateway.Compose("calls: { x: a/x, y: a/y }", backend);
        Assert.Null((await gateway.GetAsync())["ETag"]);
        Assert.Equal(200, (await gateway.GetAsync("/c/7", ("If-None-Match", "*"))).Status);
    }

    [Fact]
    public async Task Tag_OfAFanOut_IsTheSameInWhicheverOrderTheAnswersCome()
    {
        var backend = new MemoryService();
        backend.On("list", 200, "[1,2]", ("ETag", "\"l\""));
        var tags = new List<string?>();
        using var gateway = MemoryGateway.Compose("calls: { list: a/list, each: { request: \"a/item/{item}\", forEach: list } }", backend);
        for (var first = 1; first <= 2; first++)
        {
            var leads = "/item/" + first;
            var led = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var left = 2;
            backend.On("item", async context =>
            {
                if (context.Request.Path.Value != leads)
                    await led.Task;
                context.Response.Headers.ETag = $"\"{context.Request.Path.Value}\"";
                await context.Response.WriteAsync("0");
                await context.Response.CompleteAsync();
                if (Interlocked.Decrement(ref left) == 1)
                    led.SetResult();
            });
            tags.Add((await gateway.GetAsync())["ETag"]);
        }

        Assert.NotNull(tags[0]);
        Assert.Equal(tags[0], tags[1]);
    }

    [Theory]
    [InlineData("fallback: [{ value: 0 }], optional: true,")]
    [InlineData("collapse: true,")]
    public async Task PartThatStands_IsNotSentAgain_AndTheAnswerIsWhole(string more)
    {
        var backend = new MemoryService();
        backend.On("x", context =>
        {
            context.Response.Headers.ETag = "\"v1\"";
            context.Response.Headers.CacheControl = "max-age=9";
            if (context.Request.Headers.IfNoneMatch == "\"v1\"")
            {
                context.Response.StatusCode = 304;
                return Task.CompletedTask;
            }

            context.Response.ContentType = "text/plain";
            return context.Response.WriteAsync("kept");
        });
        using var gateway = MemoryGateway.Compose($"calls: {{ x: {{ {more} request: a/x }} }}", backend);
        var tag = "";
        for (var i = 0; i < 3; i++)
        {
            var answer = await gateway.GetAsync();
            Assert.Equal((200, """{"x":"kept"}"""), (answer.Status, answer.Body));
            Assert.Equal("max-age=9", answer["Cache-Control"]);
            Assert.True(i == 0 || tag == answer["ETag"]);
            tag = answer["ETag"]!;
        }

        Assert.Equal([null, "\"v1\"", "\"v1\""], backend.Seen.Select(r => r["If-None-Match"]));
        Assert.Equal(304, (await gateway.GetAsync("/c/7", ("If-None-Match", tag))).Status);
        await gateway.GetAsync("/c/7", ("Authorization", "other"));
        Assert.Null(backend.Seen.Last()["If-None-Match"]); // somebody else's answer was not kept for them
    }

    [Fact]
    public async Task Writes_AreNeverStored_AndNeverAnswered304()
    {
        var backend = new MemoryService();
        backend.On("x", 200, "1", ("ETag", "\"x1\""), ("Cache-Control", "max-age=60"));
        using var gateway = MemoryGateway.Compose("calls: { x: POST a/x }", backend);
        var answer = await gateway.GetAsync("/c/7", ("If-None-Match", "*"));
        Assert.Equal((200, "no-store", null), (answer.Status, answer["Cache-Control"], answer["ETag"]));
    }

    [Fact]
    public async Task ClientsPost_OverSafeCalls_IsNotAnswered304()
    {
        var backend = new MemoryService();
        backend.On("x", 200, "1", ("ETag", "\"x1\""));
        using var gateway = MemoryGateway.Compose("calls: { x: a/x }", backend);
        Assert.Equal(200, (await gateway.SendAsync("POST", "/c/1", null, ("If-None-Match", "*"))).Status);
    }
}
