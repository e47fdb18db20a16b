using Lintel.TestKit;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Composition;

/// <summary>When calls begin and end: the graph, the deadlines, and the end before the end.</summary>
public sealed class OrderTests
{
    [Fact]
    public async Task After_ACallThatWasSkipped_Runs_AndAfterOneThatFailedDoesNot()
    {
        var backend = new MemoryService();
        backend.On("next", "2").On("bad", 500, "");
        using var gateway = MemoryGateway.Compose(
            """
            calls:
              skipped: { request: a/skipped, if: "`false`" }
              next: { request: a/next, after: skipped }
              bad: { request: a/bad, optional: true }
              never: { request: a/never, after: [next, bad], optional: true }
            """,
            backend
        );
        var answer = await gateway.GetAsync();
        Assert.Equal("""{"skipped":null,"next":2,"bad":null,"never":null}""", answer.Body);
        Assert.Contains("err=missing-input", answer.Of("never"), StringComparison.Ordinal);
        Assert.Equal(0, backend.Count("never"));
    }

    [Fact]
    public async Task IndependentCalls_StartTogether()
    {
        var backend = new MemoryService();
        var all = new Barrier3();
        foreach (var name in (string[])["x", "y", "z"])
        {
            backend.On(name, async context =>
            {
                await all.ArriveAsync(); // none answers before all three are there
                await context.Response.Body.WriteAsync("1"u8.ToArray());
            });
        }

        using var gateway = MemoryGateway.Compose("calls: { x: a/x, y: a/y, z: a/z }", backend);
        var answer = await gateway.GetAsync();
        Assert.Equal("""{"x":1,"y":1,"z":1}""", answer.Body);
    }

    [Fact]
    public async Task DependentCall_StartsWhenItsInputIsThere_WhateverElseIsStillWaiting()
    {
        var backend = new MemoryService();
        var slow = backend.Hold("slow", "\"late\"");
        backend
            .On("user", """{"segment":"gold"}""")
            .On("segments", async context =>
            {
                await slow.Arrived;
                slow.Release(); // the slow call can only end because this one did not wait for it
                await context.Response.Body.WriteAsync("2"u8.ToArray());
            });
        using var gateway = MemoryGateway.Compose("calls: { slow: a/slow, segment: \"a/segments/{user.segment}\", user: a/user }", backend);
        var answer = await gateway.GetAsync();
        Assert.Equal("""{"slow":"late","segment":2,"user":{"segment":"gold"}}""", answer.Body);
    }

    [Fact]
    public async Task After_WaitsForSuccess_AndFailsWithoutIt()
    {
        var backend = new MemoryService();
        backend.On("second", "2").On("first", "1");
        using var gateway = MemoryGateway.Compose(
            "calls: { second: { request: a/second, after: [first], optional: true }, first: { request: a/first, optional: true } }",
            backend
        );
        Assert.Equal("""{"second":2,"first":1}""", (await gateway.GetAsync()).Body);
        Assert.Equal(["/first", "/second"], backend.Seen.Select(r => r.Target));

        backend.On("first", 500, "1");
        var failed = await gateway.GetAsync();
        Assert.Equal("""{"second":null,"first":null}""", failed.Body);
        Assert.Contains("err=missing-input", failed.Of("second"), StringComparison.Ordinal);
        Assert.Equal(1, backend.Count("second"));
    }

    [Theory]
    [InlineData("""{"vip":true}""", """{"user":{"vip":true},"gift":1,"thanks":1}""", "ok")]
    [InlineData("""{"vip":false}""", """{"user":{"vip":false},"gift":null,"thanks":1}""", "skipped")]
    [InlineData("""{}""", """{"user":{},"gift":null,"thanks":1}""", "skipped")]
    public async Task If_SkipsTheCall_AndThoseBehindItGoOn(string user, string expected, string state)
    {
        var backend = new MemoryService();
        backend.On("user", user).On("gift", "1").On("thanks", "1");
        using var gateway = MemoryGateway.Compose(
            "calls: { user: a/user, gift: { request: a/gift, if: user.vip }, thanks: { request: \"a/thanks?gift={gift}\" } }",
            backend
        );
        var answer = await gateway.GetAsync();
        Assert.Equal(expected, answer.Body);
        Assert.Equal(state == "skipped", answer.Of("gift").EndsWith(";skipped", StringComparison.Ordinal));
        Assert.Equal(state == "skipped" ? "/thanks" : "/thanks?gift=1", backend.SeenOnce("thanks").Target);
    }

    [Fact]
    public async Task Deadline_OfTheWhole_EndsCallsInWhateverTheyWait()
    {
        var backend = new MemoryService();
        var held = backend.Hold("slow");
        backend.On("fast", "1");
        var time = new FakeTimeProvider();
        using var gateway = MemoryGateway.Compose("deadline: 250s\ncalls: { fast: a/fast, slow: a/slow }", time, backend);
        var asked = gateway.GetAsync();
        await held.Arrived;
        time.Advance(TimeSpan.FromSeconds(249));
        Assert.False(asked.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(1));
        var answer = await asked;
        Assert.Equal(504, answer.Status);
        Assert.Contains("err=response-timeout", answer.Of("slow"), StringComparison.Ordinal);
        Assert.Contains("fast;s=200", answer.Composition, StringComparison.Ordinal);
        Assert.Contains("http_response_timeout", answer["Proxy-Status"], StringComparison.Ordinal);
        await held.Aborted;
    }

    [Theory]
    [InlineData("Request-Timeout", "0.2")]
    [InlineData("grpc-timeout", "200m")]
    public async Task Client_MayShortenTheDeadline(string header, string value)
    {
        var backend = new MemoryService();
        var held = backend.Hold("slow");
        var time = new FakeTimeProvider();
        using var gateway = MemoryGateway.Compose("calls: { slow: a/slow }", time, backend);
        var asked = gateway.GetAsync("/c/1", (header, value));
        await held.Arrived;
        time.Advance(TimeSpan.FromMilliseconds(200));
        Assert.Equal(504, (await asked).Status);
        await held.Aborted;
    }

    [Fact]
    public async Task Client_CannotLengthenTheDeadline()
    {
        var backend = new MemoryService();
        var held = backend.Hold("slow");
        var time = new FakeTimeProvider();
        using var gateway = MemoryGateway.Compose("deadline: 20s\ncalls: { slow: a/slow }", time, backend);
        var asked = gateway.GetAsync("/c/1", ("Request-Timeout", "100"));
        await held.Arrived;
        time.Advance(TimeSpan.FromSeconds(20));
        Assert.Equal(504, (await asked).Status);
    }

    [Fact]
    public async Task Timeout_OfOneCall_LeavesTheOthersTheirTime()
    {
        var backend = new MemoryService();
        var held = backend.Hold("short");
        var other = backend.Hold("long", "2");
        var time = new FakeTimeProvider();
        using var gateway = MemoryGateway.Compose(
            "calls: { short: { request: a/short, timeout: 10s, optional: true }, long: a/long }",
            time,
            backend
        );
        var asked = gateway.GetAsync();
        await Task.WhenAll(held.Arrived, other.Arrived);
        time.Advance(TimeSpan.FromSeconds(10));
        await held.Aborted;
        other.Release();
        var answer = await asked;
        Assert.Equal("""{"short":null,"long":2}""", answer.Body);
        Assert.Contains("err=response-timeout", answer.Of("short"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task RequiredFailure_CutsOffTheOthers_AndStartsNoMore()
    {
        var backend = new MemoryService();
        var held = backend.Hold("slow");
        backend
            .On("bad", async context =>
            {
                await held.Arrived;
                context.Response.StatusCode = 500;
            })
            .On("next", "1");
        using var gateway = MemoryGateway.Compose("calls: { bad: a/bad, slow: a/slow, next: \"a/next/{slow}\" }", backend);
        var answer = await gateway.GetAsync();
        Assert.Equal(502, answer.Status);
        Assert.Equal("slow;canceled", answer.Of("slow"));
        Assert.Equal("next;canceled", answer.Of("next"));
        await held.Aborted;
        Assert.Equal(0, backend.Count("next"));
        Assert.Equal(0, gateway.Busy);
    }

    [Fact]
    public async Task Client_ThatLeaves_TakesAllCallsWithIt()
    {
        var backend = new MemoryService();
        var (one, two, item) = (backend.Hold("one"), backend.Hold("two"), backend.Hold("item"));
        backend.On("list", "[1,2,3]");
        using var gateway = MemoryGateway.Compose(
            "calls: { one: a/one, two: { request: a/two, optional: true }, list: a/list, each: { request: \"a/item/{item}\", "
                + "forEach: list } }",
            backend
        );
        using var leaving = new CancellationTokenSource();
        var asked = gateway.GetAsync("/c/1", leaving.Token);
        await Task.WhenAll(one.Arrived, two.Arrived, item.Arrived);
        await leaving.CancelAsync();
        await Task.WhenAll(one.Aborted, two.Aborted, item.Aborted);
        await asked;
        Assert.Equal(0, gateway.Busy);
    }

    /// <summary>Three that wait for each other.</summary>
    private sealed class Barrier3
    {
        private readonly TaskCompletionSource _all = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _left = 3;

        public Task ArriveAsync()
        {
            if (Interlocked.Decrement(ref _left) == 0)
                _all.SetResult();
            return _all.Task.InTimeAsync();
        }
    }
}
