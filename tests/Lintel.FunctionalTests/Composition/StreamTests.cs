using Lintel.TestKit;
using Microsoft.AspNetCore.Http;

namespace Lintel.FunctionalTests.Composition;

/// <summary>Answers that are sent piece by piece.</summary>
[EveryTransport]
public sealed class StreamTests
{
    [Fact]
    public async Task FirstPart_ArrivesWhileAnotherCallStillWaits()
    {
        await using var backend = await Backend.StartAsync();
        var held = backend.Hold("slow", "2");
        backend.On("fast", "{\r\n  \"a\": \"x\\ny\",\r\n  \"b\": [1,\n2]\r\n}");
        await using var gateway = await ComposedGateway.StartAsync("stream: true\ncalls: { slow: a/slow, fast: a/fast }", backend);
        using var response = await gateway
            .Client.GetAsync(new Uri("/c/1", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead)
            .InTimeAsync();
        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync());
        Assert.Equal("application/x-ndjson", response.Content.Headers.ContentType?.MediaType);
        Assert.Equal("""{"fast":{    "a": "x\ny",    "b": [1, 2]  }}""", await lines.ReadLineAsync().InTimeAsync());
        held.Release();
        Assert.Equal("""{"slow":2}""", await lines.ReadLineAsync().InTimeAsync());
        Assert.Matches("""^\{"_composition":"slow;s=200;d=\d+, fast;s=200;d=\d+"\}$""", await lines.ReadLineAsync().InTimeAsync());
        Assert.Null(await lines.ReadLineAsync().InTimeAsync());
    }

    [Fact]
    public async Task Events_AreForThoseWhoAskForThem()
    {
        await using var backend = await Backend.StartAsync();
        backend.On("x", "{\n\"a\":1}").On("y", 500, "");
        await using var gateway = await ComposedGateway.StartAsync(
            "stream: true\nrespond: { errors: true }\ncalls: { x: a/x, y: { request: \"a/y?v={x.a}\", optional: true } }",
            backend
        );
        var answer = await gateway.GetAsync("/c/1", ("Accept", "text/event-stream"));
        Assert.Equal("text/event-stream", answer["Content-Type"]);
        var events = answer.Body.Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(["event: x\ndata: { \"a\":1}", "event: y\ndata: null"], events[..2]);
        Assert.StartsWith("event: _errors\ndata: [{", events[2], StringComparison.Ordinal);
        Assert.StartsWith("event: _composition\ndata: \"x;s=200", events[3], StringComparison.Ordinal);
        Assert.Equal(4, events.Length);
    }

    [Fact]
    public async Task Errors_AreNotToldOf_WhereNothingFailed()
    {
        await using var backend = await Backend.StartAsync();
        backend.On("x", "1");
        await using var gateway = await ComposedGateway.StartAsync("stream: true\nrespond: { errors: true }\ncalls: { x: a/x }", backend);
        Assert.DoesNotContain("_errors", (await gateway.GetAsync()).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RequiredFailure_BeforeTheFirstPart_IsAnAnswerOfItsOwn()
    {
        await using var backend = await Backend.StartAsync();
        backend.On("bad", 503, "").Hold("slow");
        await using var gateway = await ComposedGateway.StartAsync("stream: true\ncalls: { bad: a/bad, slow: a/slow }", backend);
        var answer = await gateway.GetAsync();
        Assert.Equal((503, "application/problem+json"), (answer.Status, answer["Content-Type"]));
        Assert.Equal("slow;canceled", answer.Of("slow"));
    }

    [Fact]
    public async Task Passthrough_BeforeTheFirstPart_IsTheServicesOwnAnswer()
    {
        await using var backend = await Backend.StartAsync();
        backend.On("x", 404, "\"none\"");
        await using var gateway = await ComposedGateway.StartAsync(
            "stream: true\ncalls: { x: { request: a/x, passthrough: 404 } }",
            backend
        );
        var answer = await gateway.GetAsync();
        Assert.Equal((404, "\"none\""), (answer.Status, answer.Body));
    }

    /// <summary>
    /// The stream is written on another thread than the one on which a call ends: it must not see the end before it sees what the end
    /// means.
    /// </summary>
    [Fact]
    public async Task DecisiveEnd_IsNeverTakenForAPart()
    {
        await using var backend = await Backend.StartAsync();
        backend.On("x", 404, "\"none\"");
        await using var gateway = await ComposedGateway.StartAsync(
            "stream: true\ncalls: { x: { request: a/x, passthrough: 404 } }",
            backend
        );
        await Parallel.ForEachAsync(Enumerable.Range(0, 4000), new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (_, _) =>
        {
            var answer = await gateway.GetAsync();
            Assert.Equal((404, "\"none\""), (answer.Status, answer.Body));
        });
    }

    [Fact]
    public async Task RequiredFailure_AfterTheFirstPart_IsTheLastThingTold()
    {
        await using var backend = await Backend.StartAsync();
        var bad = backend.Hold("bad", "{}", 500);
        backend.On("x", "1");
        await using var gateway = await ComposedGateway.StartAsync("stream: true\ncalls: { bad: a/bad, x: a/x }", backend);
        using var response = await gateway
            .Client.GetAsync(new Uri("/c/1", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead)
            .InTimeAsync();
        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync());
        Assert.Equal("""{"x":1}""", await lines.ReadLineAsync().InTimeAsync());
        bad.Release();
        Assert.StartsWith(
            """{"_errors":[{"type":"urn:problem-type:lintel:call-failed",""",
            await lines.ReadLineAsync().InTimeAsync(),
            StringComparison.Ordinal
        );
        Assert.StartsWith(
            """{"_composition":"bad;s=500;err=call-failed""",
            await lines.ReadLineAsync().InTimeAsync(),
            StringComparison.Ordinal
        );
        Assert.Null(await lines.ReadLineAsync().InTimeAsync());
    }

    [Fact]
    public async Task JoinedAnswers_GoWithTheirList_AndOthersSeeTheListAsItCame()
    {
        await using var backend = await Backend.StartAsync();
        var late = backend.Hold("late", "\"z\"");
        backend.On("list", """[{"id":1}]""").On("one", """{"id":1}""");
        await using var gateway = await ComposedGateway.StartAsync(
            """
            stream: true
            calls:
              late: a/late
              list: a/list
              ones: { request: "a/one/{item}", forEach: "list[*].id", join: { into: list, on: "id = id", as: one } }
              after: { request: "POST a/after", body: "{ late: late, list: list }" }
            """,
            backend
        );
        backend.On("after", async context => await context.Response.WriteAsync(await Backend.BodyOf(context)));
        using var response = await gateway
            .Client.GetAsync(new Uri("/c/1", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead)
            .InTimeAsync();
        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync());
        Assert.Equal("""{"list":[{"id":1,"one":{"id":1}}]}""", await lines.ReadLineAsync().InTimeAsync());
        late.Release();
        var rest = new[] { await lines.ReadLineAsync().InTimeAsync(), await lines.ReadLineAsync().InTimeAsync() };
        Assert.Equal(["""{"late":"z"}""", """{"after":{"late":"z","list":[{"id":1}]}}"""], rest);
    }

    [Fact]
    public async Task Client_ThatLeavesAStream_TakesItsCallsWithIt_AndWhatWasDoneIsUndone()
    {
        await using var backend = await Backend.StartAsync();
        var held = backend.Hold("slow");
        backend.On("made", "{\"id\":5}").On("undo", 204, "");
        await using var gateway = await ComposedGateway.StartAsync(
            "stream: true\ncalls: { made: { request: POST a/made, compensate: \"DELETE a/undo/{made.id}\" }, slow: a/slow }",
            backend
        );
        using (var client = await gateway.Process.ConnectAsync())
        {
            await client.SendAsync("GET /c/1 HTTP/1.1\r\nHost: x\r\n\r\n");
            await client.ReadHeadAsync();
            await client.ReadLineAsync(); // the first chunk's size: a part has come
        }

        await held.Aborted;
        await Until.TrueAsync(() => backend.Count("undo") == 1);
        Assert.Equal("/undo/5", backend.SeenOnce("undo").Target);
        await Until.TrueAsync(() => gateway.Busy == 0);
    }

    [Fact]
    public async Task LargeParts_GoThroughWhole()
    {
        var text = "\"" + new string('é', 300_000) + "\"";
        await using var backend = await Backend.StartAsync();
        backend.On("x", text).On("y", text);
        await using var gateway = await ComposedGateway.StartAsync("stream: true\ncalls: { x: a/x, y: a/y }", backend);
        var lines = (await gateway.GetAsync()).Body.Split('\n');
        Assert.Equal(["{\"x\":" + text + "}", "{\"y\":" + text + "}"], lines[..2].Order(StringComparer.Ordinal));
    }
}
