using System.Globalization;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;

namespace Lintel.FunctionalTests.Composition;

/// <summary>The memory of a composed answer, and its maximum. Runs alone, because it measures the whole process.</summary>
[Collection(nameof(LimitTests))]
[CollectionDefinition(nameof(LimitTests), DisableParallelization = true)]
[EveryTransport]
public sealed class LimitTests
{
    private const int Megabyte = 1 << 20;

    [Theory]
    [InlineData(1024, 200, true)]
    [InlineData(1024, 200, false)]
    [InlineData(1025, 502, true)]
    [InlineData(1025, 502, false)]
    public async Task Limit_OfOneCall_IsToTheByte(int length, int status, bool sendsZeroLength)
    {
        await using var backend = await Backend.StartAsync();
        backend.On("x", context => SendAsync(context, length, sendsZeroLength));
        await using var gateway = await ComposedGateway.StartAsync("limits: { call: 1KiB }\ncalls: { x: a/x }", backend);
        var answer = await gateway.GetAsync();
        Assert.Equal(status, answer.Status);
        if (status != 200)
            Assert.Contains("err=answer-too-large", answer.Of("x"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2048, 200)]
    [InlineData(2047, 502)]
    public async Task Limit_OfAllCalls_IsToTheByte(int limit, int status)
    {
        await using var backend = await Backend.StartAsync();
        backend.On("x", context => SendAsync(context, 1024, sendsZeroLength: true));
        await using var gateway = await ComposedGateway.StartAsync(
            $"limits: {{ total: {limit}B }}\ncalls: {{ x: a/x, y: \"a/x?2\" }}".Replace("?2", "?n=2", StringComparison.Ordinal),
            backend
        );
        Assert.Equal(status, (await gateway.GetAsync()).Status);
    }

    [Theory]
    [InlineData(
        "calls: { lines: a/lines, product: { request: \"a/product/{item}\", forEach: \"lines[*].p\", join: { into: lines, on: \"id = "
            + "p\", as: product } } }"
    )]
    [InlineData(
        "calls: { lines: a/lines, product: a/product }\nrespond: { body: { all: \"[product, product, product, product, product, "
            + "product, product, product, product, product, product]\" } }"
    )]
    [InlineData(
        "calls: { lines: a/lines, product: a/product }\nrespond: { body: { a: product, b: product, c: product, d: product, e: "
            + "product, f: product, g: product, h: product, i: product, j: product, k: product } }"
    )]
    [InlineData(
        "calls: { lines: a/lines, a: a/product, b: a/product, c: a/product, d: a/product, e: a/product, f: a/product, g: a/product, "
            + "h: a/product, i: a/product, j: a/product, k: a/product }"
    )] // one request, eleven places
    public async Task Limit_OfWhatIsMadeOfAnswers_HoldsBeforeAnythingIsSent(string calls)
    {
        await using var backend = await Backend.StartAsync();
        backend
            .On("lines", "[" + string.Join(",", Enumerable.Repeat("{\"p\":1}", 1000)) + "]")
            .On("product", "{\"id\":1,\"text\":\"" + new string('x', 100_000) + "\"}");
        await using var gateway = await ComposedGateway.StartAsync("limits: { total: 1MiB }\n" + calls, backend);
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        var before = GC.GetTotalAllocatedBytes(precise: true);
        var answer = await gateway.GetAsync();
        var taken = GC.GetTotalAllocatedBytes(precise: true) - before;
        Assert.Equal((502, "urn:problem-type:lintel:answer-too-large"), (answer.Status, (string?)answer.Json["type"]));
        Assert.True(taken < 20 * Megabyte, $"{taken >> 20} MiB were allocated for an answer that may be 1 MiB long");
    }

    [Fact]
    public async Task Limit_OfWhatIsMadeOfAnswers_HoldsForRequestsBodies()
    {
        await using var backend = await Backend.StartAsync();
        backend.On("product", "{\"text\":\"" + new string('x', 100_000) + "\"}").On("sink", "1");
        await using var gateway = await ComposedGateway.StartAsync(
            "limits: { total: 1MiB }\ncalls: { product: a/product, sink: { request: POST a/sink, body: \"[product, product, product, "
                + "product, product, product, product, product, product, product, product]\" } }",
            backend
        );
        Assert.Contains("err=answer-too-large", (await gateway.GetAsync()).Of("sink"), StringComparison.Ordinal);
        Assert.Equal(0, backend.Count("sink"));
    }

    [Fact]
    public async Task LongJoin_IsWrittenAsItIsRead()
    {
        const int Count = 2000;
        await using var backend = await Backend.StartAsync();
        backend
            .On("lines", "[" + string.Join(",", Enumerable.Repeat("{\"p\":1}", Count)) + "]")
            .On("product", "{\"id\":1,\"text\":\"" + new string('x', 20_000) + "\"}");
        await using var gateway = await ComposedGateway.StartAsync(
            "calls: { lines: a/lines, product: { request: \"a/product/{item}\", forEach: \"lines[*].p\", join: { into: lines, on: "
                + "\"id = p\", as: product } } }",
            backend
        );
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        using var response = await gateway
            .Client.GetAsync(new Uri("/c/1", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead)
            .InTimeAsync();
        var held = GC.GetTotalMemory(forceFullCollection: true) - before;
        Assert.InRange(response.Content.Headers.ContentLength ?? 0, Count * 20_000L, Count * 21_000L);
        Assert.True(held < 8 * Megabyte, $"{held >> 20} MiB are held of an answer that nobody reads");
        using var document = await System.Text.Json.JsonDocument.ParseAsync(await response.Content.ReadAsStreamAsync());
        Assert.Equal(
            Count,
            document
                .RootElement.GetProperty("lines")
                .EnumerateArray()
                .Count(l => l.GetProperty("product").GetProperty("text").GetString()!.Length == 20_000)
        );
    }

    [Theory]
    [InlineData("calls: { x: \"a/x?n=1\", y: \"a/x?n=2\", z: \"a/x?n=3\" }", 3)]
    [InlineData("calls: { x: \"a/x?n=1\", y: \"a/x?n=2\", z: \"a/x?n=3\" }\nrespond: { body: [x, y, z] }", 3)]
    public async Task LargeParts_TakeNoMoreThanTheBound(string calls, int parts)
    {
        const int Part = 10 * Megabyte;
        await using var backend = await Backend.StartAsync();
        backend.On("x", context => SendAsync(context, Part, sendsZeroLength: false));
        await ExpectWithinAsync(backend, "limits: { total: 32MiB }\n" + calls, 32 * Megabyte, parts * (long)Part);
    }

    [Fact]
    public async Task FanOutOfAHundred_TakesNoMoreThanTheBound()
    {
        await using var backend = await Backend.StartAsync();
        backend
            .On("list", "[" + string.Join(",", Enumerable.Range(0, 100)) + "]")
            .On("item", context => SendAsync(context, 300_000, sendsZeroLength: true));
        await ExpectWithinAsync(
            backend,
            "limits: { total: 32MiB }\ncalls: { list: a/list, each: { request: \"a/item/{item}\", forEach: list, concurrency: 20 } }",
            32 * Megabyte,
            100 * 300_000L
        );
    }

    /// <summary>Asks, without holding the answer, and looks at what the process grows by in the meantime.</summary>
    private static async Task ExpectWithinAsync(Backend backend, string compose, long total, long expected)
    {
        await using var gateway = await ComposedGateway.StartAsync(compose, backend);
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        using var response = await gateway
            .Client.GetAsync(new Uri("/c/1", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead)
            .InTimeAsync();
        Assert.True(response.IsSuccessStatusCode, response.Headers.TryGetValues("Composition", out var told) ? told.First() : "");
        var held = GC.GetTotalMemory(forceFullCollection: true) - before; // the client has read nothing yet: all of the answer is held
        Assert.True(held < (4 * total) + (8 * Megabyte), $"{held >> 20} MiB are held, for answers of {expected >> 20} MiB");
        var length = 0L;
        await using (var body = await response.Content.ReadAsStreamAsync())
        {
            var buffer = new byte[64 * 1024];
            for (int count; (count = await body.ReadAsync(buffer)) > 0; length += count) { }
        }

        Assert.True(length >= expected, length.ToString(CultureInfo.InvariantCulture));
        Console.WriteLine("{0} MiB held for {1} MiB", held >> 20, expected >> 20);
    }

    /// <summary>A string of so many bytes, the quotes included.</summary>
    private static async Task SendAsync(HttpContext context, int length, bool sendsZeroLength)
    {
        context.Response.ContentLength = sendsZeroLength ? length : null;
        var piece = new byte[64 * 1024];
        piece.AsSpan().Fill((byte)'x');
        for (var at = 0; at < length; at += piece.Length)
        {
            var now = piece.AsMemory(0, Math.Min(piece.Length, length - at));
            if (at == 0)
                now.Span[0] = (byte)'"';
            if (at + now.Length == length)
                now.Span[^1] = (byte)'"';
            await context.Response.Body.WriteAsync(now, context.RequestAborted);
            piece[0] = (byte)'x';
        }
    }
}
