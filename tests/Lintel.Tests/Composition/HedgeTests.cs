using Lintel.TestKit;
using Microsoft.AspNetCore.Http;

namespace Lintel.Tests.Composition;

/// <summary>A second request where the first is slow.</summary>
public sealed class HedgeTests
{
    [Fact]
    public async Task SlowInstance_IsOvertakenByAnother_AndCutOff()
    {
        var slow = new MemoryService();
        var quick = new MemoryService();
        var held = slow.Hold("x", "\"slow\"");
        quick.On("x", "\"quick\"");
        using var gateway = Start([slow, quick], "{ request: s/x, hedge: { after: 50ms, budget: 100% } }");
        var answer = await GetWhereFirstIsAsync(gateway, slow, quick);
        Assert.Equal("""{"x":"quick"}""", answer.Body);
        Assert.EndsWith(";hedged", answer.Of("x"), StringComparison.Ordinal);
        await held.Aborted;
        Assert.Equal(0, gateway.Busy);
    }

    [Fact]
    public async Task FirstThatFailsAfterTheSecondWasSent_LeavesTheAnswerToTheSecond()
    {
        var bad = new MemoryService();
        var good = new MemoryService();
        var second = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var first = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        bad.On("x", async context =>
        {
            await second.Task; // its bad news comes while the other one waits
            context.Response.StatusCode = 500;
            await context.Response.CompleteAsync();
            first.TrySetResult();
        });
        good.On("x", async context =>
        {
            second.TrySetResult();
            await first.Task;
            await context.Response.WriteAsync("\"good\"");
        });
        using var gateway = Start([bad, good], "{ request: s/x, hedge: { after: 50ms, budget: 100% } }");
        Assert.Equal("""{"x":"good"}""", (await GetWhereFirstIsAsync(gateway, bad, good)).Body);
    }

    [Fact]
    public async Task Budget_BoundsTheSecondRequests()
    {
        var backend = new MemoryService();
        backend.On("x", async context =>
        {
            await Task.Delay(40, context.RequestAborted); // slower than the delay: every request would be sent twice
            await context.Response.WriteAsync("1");
        });
        using var gateway = Start([backend], "{ request: s/x, hedge: { after: 5ms, budget: 10% } }");
        var hedged = 0;
        for (var i = 0; i < 30; i++)
            hedged += (await gateway.GetAsync()).Of("x").EndsWith(";hedged", StringComparison.Ordinal) ? 1 : 0;
        Assert.InRange(hedged, 2, 4); // one that is saved from the start, and a tenth of thirty
        Assert.Equal(30 + hedged, backend.Seen.Count);
    }

    [Fact]
    public async Task Delay_ByThe95thPercentile_IsLearnedFromAnswers()
    {
        var backend = new MemoryService();
        backend.On("x", "1");
        using var gateway = Start([backend], "{ request: s/x, hedge: { after: p95, budget: 100% } }");

        // Nothing is known yet: the slow one is waited for.
        var held = backend.Hold("x");
        var waiting = gateway.GetAsync();
        await held.Arrived;
        held.Release();
        Assert.DoesNotContain("hedged", (await waiting).Composition, StringComparison.Ordinal);
        backend.On("x", "1");
        for (var i = 0; i < 40; i++)
            await gateway.GetAsync();

        // The usual time is known: the second request overtakes one that takes for ever.
        var first = 0;
        held = new HeldAnswer("\"slow\"", 200);
        backend.On("x", context =>
            Interlocked.Exchange(ref first, 0) == 1 ? held.AnswerAsync(context) : context.Response.WriteAsync("\"quick\"")
        );
        MemoryAnswer answer;
        do
        {
            Volatile.Write(ref first, 1); // a straggler, the second request of one of the forty, may take its place
            answer = await gateway.GetAsync();
        } while (!answer.Of("x").EndsWith(";hedged", StringComparison.Ordinal));
        Assert.Equal("""{"x":"quick"}""", answer.Body);
        Assert.EndsWith(";hedged", answer.Of("x"), StringComparison.Ordinal);
        await held.Aborted;
    }

    [Fact]
    public async Task Client_ThatLeaves_EndsBothRequests()
    {
        var backend = new MemoryService();
        var held = backend.Hold("x");
        using var gateway = Start([backend], "{ request: s/x, hedge: { after: 5ms, budget: 100% } }");
        using var leaving = new CancellationTokenSource();
        var asked = gateway.GetAsync("/c/1", leaving.Token);
        await Until.TrueAsync(() => held.Count == 2);
        await leaving.CancelAsync();
        await held.Aborted;
        await asked;
        Assert.Equal(0, gateway.Busy);
    }

    [Fact]
    public async Task HedgeOfTheService_AppliesToCallsWithoutTheirOwn()
    {
        var slow = new MemoryService();
        var quick = new MemoryService();
        var held = slow.Hold("x", "\"slow\"");
        quick.On("x", "\"quick\"");
        using var gateway = Start([slow, quick], "{ request: s/x }", "hedge: { after: 50ms, budget: 100% }");
        var answer = await GetWhereFirstIsAsync(gateway, slow, quick);
        Assert.Equal("{\"x\":\"quick\"}", answer.Body);
        await held.Aborted;
    }

    [Fact]
    public async Task SecondHedge_FollowsTheFirst_WhereMaxAllowsIt()
    {
        MemoryService[] instances = [new(), new(), new()];
        instances[0].Hold("x", "\"slow\"");
        instances[1].Hold("x", "\"slow\"");
        instances[2].On("x", "\"third\"");
        using var gateway = Start(instances, "{ request: s/x, hedge: { after: 20ms, max: 2, budget: 100% } }");
        await gateway.GetAsync("/which");
        await gateway.GetAsync("/which");
        await gateway.GetAsync("/which"); // the next turn is that of the first instance again
        Assert.Equal("{\"x\":\"third\"}", (await gateway.GetAsync()).Body);
        Assert.Equal(0, gateway.Busy);
    }

    private static MemoryGateway Start(MemoryService[] instances, string call, string options = "slowStart: 1s") =>
        new(
            $$"""
            services: { s: { instances: [{{string.Join(
                ", ",
                instances.Select(i => $"\"{i.Address}\"")
            )}}], balancing: roundRobin, {{options}} } }
            routes: { c: { match: "/c/{id}", compose: { calls: { x: {{call}} } } }, which: { match: /which, forward: s } }
            """,
            new MemoryNet(instances)
        );

    /// <summary>Instances take turns: where the next request goes is known from where the last one went.</summary>
    private static async Task<MemoryAnswer> GetWhereFirstIsAsync(MemoryGateway gateway, MemoryService wanted, MemoryService other)
    {
        wanted.On("which", "\"wanted\"");
        other.On("which", "\"other\"");
        if ((await gateway.GetAsync("/which")).Body == "\"wanted\"")
            await gateway.GetAsync("/which");
        return await gateway.GetAsync();
    }
}
