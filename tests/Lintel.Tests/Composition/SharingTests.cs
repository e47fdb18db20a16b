using Lintel.TestKit;
using Microsoft.AspNetCore.Http;

namespace Lintel.Tests.Composition;

/// <summary>The same question, asked once: within one answer, and across clients.</summary>
public sealed class SharingTests
{
    /// <summary>Calls start in their order: when the mark has arrived, the call before it waits for the leader.</summary>
    private const string Collapsing = "calls: { x: { request: a/x, collapse: true }, mark: a/mark }";

    [Fact]
    public async Task SameRequest_OfTwoCalls_IsSentOnce()
    {
        var backend = new MemoryService();
        var held = backend.Hold("x", "{\"n\":1}");
        using var gateway = MemoryGateway.Compose("calls: { one: a/x, two: a/x, three: \"a/x?v={two.n}\" }", backend);
        var asked = gateway.GetAsync();
        await held.Arrived;
        held.Release();
        var answer = await asked;
        Assert.Equal("""{"one":{"n":1},"two":{"n":1},"three":{"n":1}}""", answer.Body);
        Assert.Equal(["/x", "/x?v=1"], backend.Seen.Select(r => r.Target));
        Assert.EndsWith(";shared", answer.Of("two"), StringComparison.Ordinal);
        Assert.DoesNotContain("shared", answer.Of("one"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task SameRequest_WithEffects_IsSentTwice()
    {
        var backend = new MemoryService();
        backend.On("x", "1");
        using var gateway = MemoryGateway.Compose("calls: { one: POST a/x, two: POST a/x }", backend);
        await gateway.GetAsync();
        Assert.Equal(2, backend.Seen.Count);
    }

    [Fact]
    public async Task SharedRequest_EndsForEachCallByItsOwnTime()
    {
        var backend = new MemoryService();
        var held = backend.Hold("x");
        using var gateway = MemoryGateway.Compose(
            "calls: { patient: a/x, hasty: { request: a/x, timeout: 100ms, optional: true }, after: { request: a/y, if: \"hasty || "
                + "`true`\" } }",
            backend
        );
        backend.On("y", async context =>
        {
            held.Release(); // the hasty call has ended while the patient one still waits
            await context.Response.WriteAsync("2");
        });
        var answer = await gateway.GetAsync();
        Assert.Equal("""{"patient":1,"hasty":null,"after":2}""", answer.Body);
        Assert.Contains("err=response-timeout", answer.Of("hasty"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task SharedRequest_ThatTheFirstCallHadNoTimeFor_IsSentAgain()
    {
        var backend = new MemoryService();
        var count = 0;
        backend.On("x", async context =>
        {
            if (Interlocked.Increment(ref count) == 1)
                await Task.Delay(Timeout.Infinite, context.RequestAborted);
            await context.Response.WriteAsync("1");
        });
        using var gateway = MemoryGateway.Compose(
            "calls: { hasty: { request: a/x, timeout: 100ms, optional: true }, patient: a/x }",
            backend
        );
        Assert.Equal("""{"hasty":null,"patient":1}""", (await gateway.GetAsync()).Body);
    }

    [Fact]
    public async Task SharedFailure_IsEachCallsOwn()
    {
        var backend = new MemoryService();
        backend.On("x", 500, "{}");
        using var gateway = MemoryGateway.Compose(
            "calls: { one: { request: a/x, optional: true, fallback: { value: 1 } }, two: { request: a/x, optional: true } }",
            backend
        );
        Assert.Equal("""{"one":1,"two":null}""", (await gateway.GetAsync()).Body);
        Assert.Single(backend.Seen);
    }

    [Theory]
    [InlineData("application/json", "{\"n\": 1}", "{\"n\": 1}")]
    [InlineData("text/plain", "plain", "\"plain\"")]
    [InlineData("application/x-ndjson", "1\n2\n", "[1,2]")]
    [InlineData("application/xml", "<a>1</a>", "{\"a\":\"1\"}")]
    public async Task Collapse_GivesOneAnswerToAllClients(string type, string text, string expected)
    {
        var backend = new MemoryService();
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        backend.On("x", async context =>
        {
            await release.Task;
            context.Response.ContentType = type;
            context.Response.Headers.CacheControl = "max-age=60";
            context.Response.Headers["Age"] = "40";
            await context.Response.WriteAsync(text);
        });
        backend.On("mark", 200, "0", ("Cache-Control", "max-age=60"));
        using var gateway = MemoryGateway.Compose(Collapsing, backend);
        var clients = Enumerable.Range(0, 8).Select(_ => gateway.GetAsync()).ToList();
        await Until.TrueAsync(() => backend.Count("mark") == 8);
        release.SetResult();
        foreach (var answer in await Task.WhenAll(clients).InTimeAsync())
        {
            Assert.Equal($$"""{"x":{{expected}},"mark":0}""", answer.Body);
            Assert.Equal("max-age=20", answer["Cache-Control"]);
        }

        Assert.Equal(1, backend.Count("x"));
    }

    [Fact]
    public async Task Collapse_SharesNothingBetweenCredentials()
    {
        var backend = new MemoryService();
        var held = backend.Hold("x");
        backend.On("mark", 200, "0", ("Cache-Control", "max-age=60"));
        using var gateway = MemoryGateway.Compose(Collapsing, backend);
        var one = gateway.GetAsync("/c/1", ("Authorization", "one"));
        var two = gateway.GetAsync("/c/1", ("Authorization", "two"));
        await Until.TrueAsync(() => held.Count == 2);
        held.Release();
        await Task.WhenAll(one, two);
    }

    [Fact]
    public async Task Collapse_OutlivesTheLeadersClient()
    {
        var backend = new MemoryService();
        var held = backend.Hold("x", "\"late\"");
        backend.On("mark", 200, "0", ("Cache-Control", "max-age=60"));
        using var gateway = MemoryGateway.Compose(Collapsing, backend);
        using var leaving = new CancellationTokenSource();
        var leader = gateway.GetAsync("/c/7", leaving.Token);
        await held.Arrived;
        var follower = gateway.GetAsync();
        await Until.TrueAsync(() => backend.Count("mark") == 2);
        Assert.Equal(1, held.Count);
        await leaving.CancelAsync();
        await held.Aborted; // the leader's
        await leader;
        await Until.TrueAsync(() => held.Count == 2); // the follower leads now
        held.Release();
        Assert.Equal("""{"x":"late","mark":0}""", (await follower).Body);
    }

    [Fact]
    public async Task Collapse_FollowerWhoseOtherCallFails_DoesNotWaitForTheLeader()
    {
        var backend = new MemoryService();
        var held = backend.Hold("x");
        backend.On("y", 500, "");
        using var gateway = new MemoryGateway(
            $$"""
            services: { a: "{{backend.Address}}" }
            routes:
              lead: { match: /lead, compose: { calls: { x: { request: a/x, collapse: true } } } }
              follow: { match: /follow, compose: { calls: { x: { request: a/x, collapse: true }, y: a/y } } }
            """,
            new MemoryNet(backend)
        );
        var leader = gateway.GetAsync("/lead");
        await held.Arrived;
        var failed = await gateway.GetAsync("/follow");
        Assert.Equal((502, "x;canceled"), (failed.Status, failed.Of("x")));
        held.Release();
        Assert.Equal("""{"x":1}""", (await leader).Body);
    }

    [Fact]
    public async Task Collapse_TellsAFailureToAll()
    {
        var backend = new MemoryService();
        var held = backend.Hold("x", "\"no\"", 404);
        backend.On("mark", 200, "0", ("Cache-Control", "max-age=60"));
        using var gateway = MemoryGateway.Compose(Collapsing.Replace("true", "true, passthrough: 404", StringComparison.Ordinal), backend);
        var clients = Enumerable.Range(0, 4).Select(_ => gateway.GetAsync()).ToList();
        await held.Arrived;
        await Until.TrueAsync(() => backend.Count("mark") == 4);
        held.Release();
        Assert.All(await Task.WhenAll(clients), a => Assert.Equal((404, "\"no\""), (a.Status, a.Body)));
        Assert.Equal(1, held.Count);
    }
}
