using Microsoft.AspNetCore.Http;

namespace Lintel.Tests.Composition;

/// <summary>Calls for each item of a list, and where their answers go.</summary>
public sealed class FanOutTests
{
    [Fact]
    public async Task Answers_AreInTheItemsOrder_AndEqualItemsAreAskedForOnce()
    {
        var backend = new MemoryService();
        backend
            .On("list", "[3,1,3,null,2,1]")
            .On("item", context => context.Response.WriteAsync(context.Request.Path.Value!.Split('/')[^1]));
        using var gateway = MemoryGateway.Compose(
            "calls: { list: a/list, items: { request: \"a/item/{item}\", forEach: list } }".Replace(
                "items:",
                "each:",
                StringComparison.Ordinal
            ),
            backend
        );
        var answer = await gateway.GetAsync();
        Assert.Equal("""{"list":[3,1,3,null,2,1],"each":[3,1,2]}""", answer.Body);
        Assert.Contains("n=3", answer.Of("each"), StringComparison.Ordinal);
        Assert.Equal(3, backend.Count("item"));
    }

    [Fact]
    public async Task LongItems_ThatBeginAlike_AreDifferent()
    {
        var alike = new string('x', 70_000);
        var backend = new MemoryService();
        backend
            .On("list", $$"""["{{alike}}1","{{alike}}2"]""")
            .On("item", async context => await context.Response.WriteAsync("\"" + (await MemoryService.BodyOf(context))[^2..]));
        using var gateway = MemoryGateway.Compose(
            "calls: { list: a/list, each: { request: POST a/item, body: item, forEach: list } }\nrespond: { body: each }",
            backend
        );
        Assert.Equal("""["1","2"]""", (await gateway.GetAsync()).Body);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Concurrency_IsTheBound_AndIsReached(int concurrency)
    {
        var backend = new MemoryService();
        var (busy, most) = (0, 0);
        var full = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        backend
            .On("list", "[1,2,3,4,5,6,7,8,9]")
            .On("item", async context =>
            {
                var now = Interlocked.Increment(ref busy);
                lock (full)
                    most = Math.Max(most, now);
                if (now == concurrency)
                    full.TrySetResult();
                await full.Task; // nobody goes on before as many as may be are there
                Interlocked.Decrement(ref busy);
                await context.Response.WriteAsync("0");
            });
        using var gateway = MemoryGateway.Compose(
            $"calls: {{ list: a/list, each: {{ request: \"a/item/{{item}}\", forEach: list, concurrency: {concurrency} }} }}",
            backend
        );
        Assert.Equal(9, (await gateway.GetAsync()).Json["each"]!.AsArray().Count);
        Assert.Equal(concurrency, most);
    }

    [Theory]
    [InlineData(false, 502)]
    [InlineData(true, 200)]
    public async Task TooManyItems_AskForNothing(bool optional, int status)
    {
        var backend = new MemoryService();
        backend.On("list", "[1,2,3,4]").On("item", "0");
        using var gateway = MemoryGateway.Compose(
            $"calls: {{ list: a/list, each: {{ request: \"a/item/{{item}}\", forEach: list, maxItems: 3, optional: "
                + $"{(optional ? "true" : "false")} }} }}",
            backend
        );
        var answer = await gateway.GetAsync();
        Assert.Equal(status, answer.Status);
        Assert.Contains("n=4;err=too-many-items", answer.Of("each"), StringComparison.Ordinal);
        Assert.Equal(0, backend.Count("item"));
    }

    [Theory]
    [InlineData("[]", 200, "[]")]
    [InlineData("null", 200, "[]")]
    [InlineData("{}", 502, "")]
    [InlineData("\"text\"", 502, "")]
    public async Task WhatIsNoList_IsTold(string list, int status, string each)
    {
        var backend = new MemoryService();
        backend.On("list", list);
        using var gateway = MemoryGateway.Compose("calls: { list: a/list, each: { request: \"a/item/{item}\", forEach: list } }", backend);
        var answer = await gateway.GetAsync();
        Assert.Equal(status, answer.Status);
        if (status == 200)
            Assert.Equal($$"""{"list":{{list}},"each":{{each}}}""", answer.Body);
        else
            Assert.Contains("err=expression-failed", answer.Of("each"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Batch_AsksForSeveralAtOnce_AndPutsTheListsTogether()
    {
        var backend = new MemoryService();
        backend
            .On("list", "[1,2,\"a,b\",4,5]")
            .On("items", context =>
                context.Response.WriteAsync(
                    "["
                        + string.Join(
                            ",",
                            context.Request.QueryString.Value![5..].Split(',').Select(i => $"\"{Uri.UnescapeDataString(i)}\"")
                        )
                        + "]"
                )
            );
        using var gateway = MemoryGateway.Compose(
            "calls: { list: a/list, each: { request: \"a/items?ids={items}\", forEach: list, batch: 2 } }",
            backend
        );
        Assert.Equal("""["1","2","a,b","4","5"]""", (await gateway.GetAsync()).Json["each"]!.ToJsonString());
        Assert.Equal(
            ["/items?ids=1,2", "/items?ids=5", "/items?ids=a%2Cb,4"],
            backend.Seen.Select(r => r.Target).Where(t => t.StartsWith("/items", StringComparison.Ordinal)).Order(StringComparer.Ordinal)
        );
    }

    [Fact]
    public async Task OptionalItems_ThatFail_AreNull_AndCounted()
    {
        var backend = new MemoryService();
        backend
            .On("list", "[1,2,3]")
            .On("item", async context =>
            {
                context.Response.StatusCode = context.Request.Path.Value!.EndsWith('2') ? 500 : 200;
                await context.Response.WriteAsync(context.Request.Path.Value![6..]);
            });
        using var gateway = MemoryGateway.Compose(
            "calls: { list: a/list, each: { request: \"a/item/{item}\", forEach: list, optional: true } }",
            backend
        );
        var answer = await gateway.GetAsync();
        Assert.Equal("""{"list":[1,2,3],"each":[1,null,3]}""", answer.Body);
        Assert.Contains("n=3;failed=1;err=call-failed", answer.Of("each"), StringComparison.Ordinal);
        Assert.Equal("no-store", answer["Cache-Control"]);
    }

    [Fact]
    public async Task OptionalBatch_ThatFails_IsCountedByItems()
    {
        var backend = new MemoryService();
        backend
            .On("list", "[1,2,3]")
            .On("items", async context =>
            {
                context.Response.StatusCode = context.Request.QueryString.Value!.Contains('1', StringComparison.Ordinal) ? 500 : 200;
                await context.Response.WriteAsync("[3]");
            });
        using var gateway = MemoryGateway.Compose(
            "calls: { list: a/list, each: { request: \"a/items?ids={items}\", forEach: list, batch: 2, optional: true } }",
            backend
        );
        var answer = await gateway.GetAsync();
        Assert.Equal("[3]", answer.Json["each"]!.ToJsonString());
        Assert.Contains("n=3;failed=2", answer.Of("each"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task RequiredItem_ThatFails_CutsOffTheOtherItems()
    {
        var backend = new MemoryService();
        var slow = backend.Hold("slow");
        backend
            .On("list", "[\"slow/1\",\"bad\"]")
            .On("item", "0")
            .On("bad", async context =>
            {
                await slow.Arrived;
                context.Response.StatusCode = 503;
            });
        using var gateway = MemoryGateway.Compose(
            "calls: { list: a/list, each: { request: \"a/{item.kind}/x\", forEach: \"[{kind: 'slow'}, {kind: 'bad'}]\" } }",
            backend
        );
        var answer = await gateway.GetAsync();
        Assert.Equal(503, answer.Status);
        await slow.Aborted;
    }

    [Fact]
    public async Task StaleItems_MakeTheAnswerOneThatIsNotToBeStored()
    {
        var backend = new MemoryService();
        backend.On("list", 200, "[1]", ("Cache-Control", "max-age=60")).On("item", 200, "\"good\"", ("Cache-Control", "max-age=60"));
        using var gateway = MemoryGateway.Compose(
            "calls: { list: a/list, each: { request: \"a/item/{item}\", forEach: list, optional: true, fallback: stale } }",
            backend
        );
        Assert.Equal("max-age=60", (await gateway.GetAsync())["Cache-Control"]);
        backend.On("item", 500, "");
        var answer = await gateway.GetAsync();
        Assert.Equal("""{"list":[1],"each":["good"]}""", answer.Body);
        Assert.Equal("no-store", answer["Cache-Control"]);
        Assert.Contains("src=stale", answer.Of("each"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("list: a/list, each: { request: \"POST a/item/{item}\", forEach: list, concurrency: 1, optional: true }", 1)]
    [InlineData("list: a/list, each: { request: \"a/item/{item}\", forEach: list }", 1)]
    [InlineData(
        "list: a/list, one: { request: \"a/item/x?n={items}\", forEach: list, batch: 3, optional: true }, two: { request: \"POST "
            + "a/item?n={items}\", forEach: list, batch: 4, optional: true }",
        3
    )] // one and two have 2 and 1 left
    public async Task Limit_OfRequests_IsKnownBeforeTheFirstIsSent(string calls, int sent)
    {
        var backend = new MemoryService();
        backend.On("list", "[1,2,3,4]").On("item", "0");
        using var gateway = MemoryGateway.Compose($"calls: {{ {calls} }}\nlimits: {{ requests: 3 }}", backend);
        var answer = await gateway.GetAsync();
        Assert.Contains("err=too-many-items", answer.Composition, StringComparison.Ordinal);
        Assert.Equal(sent, backend.Seen.Count);
    }
}
