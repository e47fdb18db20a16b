using System.Diagnostics;
using Lintel.TestKit;

namespace Lintel.FunctionalTests.Composition;

/// <summary>When calls begin and end: the graph, the deadlines, and the end before the end.</summary>
[EveryTransport]
public sealed class OrderTests
{
    [Fact]
    public async Task After_ACallThatWasSkipped_Runs_AndAfterOneThatFailedDoesNot()
    {
        await using var backend = await Backend.StartAsync();
        backend.On("next", "2").On("bad", 500, "");
        await using var gateway = await ComposedGateway.StartAsync(
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
        await using var backend = await Backend.StartAsync();
        var all = new Barrier3();
        foreach (var name in (string[])["x", "y", "z"])
        {
            backend.On(name, async context =>
            {
                await all.ArriveAsync(); // none answers before all three are there
                await context.Response.Body.WriteAsync("1"u8.ToArray());
            });
        }

        await using var gateway = await ComposedGateway.StartAsync("calls: { x: a/x, y: a/y, z: a/z }", backend);
        var answer = await gateway.GetAsync();
        Assert.Equal("""{"x":1,"y":1,"z":1}""", answer.Body);
    }

    [Fact]
    public async Task DependentCall_StartsWhenItsInputIsThere_WhateverElseIsStillWaiting()
    {
        await using var backend = await Backend.StartAsync();
        var slow = backend.Hold("slow", "\"late\"");
        backend
            .On("user", """{"segment":"gold"}""")
            .On("segments", async context =>
            {
                await slow.Arrived;
                slow.Release(); // the slow call can only end because this one did not wait for it
                await context.Response.Body.WriteAsync("2"u8.ToArray());
            });
        await using var gateway = await ComposedGateway.StartAsync(
            "calls: { slow: a/slow, segment: \"a/segments/{user.segment}\", user: a/user }",
            backend
        );
        var answer = await gateway.GetAsync();
        Assert.Equal("""{"slow":"late","segment":2,"user":{"segment":"gold"}}""", answer.Body);
    }

    [Fact]
    public async Task After_WaitsForSuccess_AndFailsWithoutIt()
    {
        await using var backend = await Backend.StartAsync();
        backend.On("second", "2").On("first", "1");
        await using var gateway = await ComposedGateway.StartAsync(
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
        await using var backend = await Backend.StartAsync();
        backend.On("user", user).On("gift", "1").On("thanks", "1");
        await using var gateway = await ComposedGateway.StartAsync(
            "calls: { user: a/user, gift: { request: a/gift, if: user.vip }, thanks: { request: \"a/thanks?gift={gift}\" } }",
            backend
        );
        var answer = await gateway.GetAsync();
        Assert.Equal(expected, answer.Body);
        Assert.Equal(state == "skipped", answer.Of("gift").EndsWith(";skipped", StringComparison.Ordinal));
        Assert.Equal(state == "skipped" ? "/thanks" : "/thanks?gift=1", backend.Single("thanks").Target);
    }

    [Fact]
    public async Task Deadline_OfTheWhole_EndsCallsInWhateverTheyWait()
    {
        await using var backend = await Backend.StartAsync();
        var held = backend.Hold("slow");
        backend.On("fast", "1");
        await using var gateway = await ComposedGateway.StartAsync("deadline: 250ms\ncalls: { fast: a/fast, slow: a/slow }", backend);
        var answer = await gateway.GetAsync();
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
        await using var backend = await Backend.StartAsync();
        var held = backend.Hold("slow");
        await using var gateway = await ComposedGateway.StartAsync("calls: { slow: a/slow }", backend);
        var started = Stopwatch.GetTimestamp();
        var answer = await gateway.GetAsync("/c/1", (header, value));
        Assert.Equal(504, answer.Status);
        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(15));
        await held.Aborted;
    }

    [Fact]
    public async Task Client_CannotLengthenTheDeadline()
    {
        await using var backend = await Backend.StartAsync();
        backend.Hold("slow");
        await using var gateway = await ComposedGateway.StartAsync("deadline: 200ms\ncalls: { slow: a/slow }", backend);
        Assert.Equal(504, (await gateway.GetAsync("/c/1", ("Request-Timeout", "100"))).Status);
    }

    [Fact]
    public async Task Deadline_IsNotRestartedByBytesThatDrip()
    {
        await using var backend = await Backend.StartAsync();
        backend.On("drip", async context =>
        {
            using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
            while (await tick.WaitForNextTickAsync(context.RequestAborted))
            {
                await context.Response.Body.WriteAsync(" "u8.ToArray(), context.RequestAborted);
                await context.Response.Body.FlushAsync(context.RequestAborted);
            }
        });
        await using var gateway = await ComposedGateway.StartAsync("calls: { drip: { request: a/drip, timeout: 300ms } }", backend);
        var answer = await gateway.GetAsync();
        Assert.Equal(504, answer.Status);
        Assert.Contains("err=response-timeout", answer.Of("drip"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Timeout_OfOneCall_LeavesTheOthersTheirTime()
    {
        await using var backend = await Backend.StartAsync();
        var held = backend.Hold("short");
        var other = backend.Hold("long", "2");
        await using var gateway = await ComposedGateway.StartAsync(
            "calls: { short: { request: a/short, timeout: 100ms, optional: true }, long: a/long }",
            backend
        );
        var asked = gateway.GetAsync();
        await held.Aborted;
        other.Release();
        var answer = await asked;
        Assert.Equal("""{"short":null,"long":2}""", answer.Body);
        Assert.Contains("err=response-timeout", answer.Of("short"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task RequiredFailure_CutsOffTheOthers_AndStartsNoMore()
    {
        await using var backend = await Backend.StartAsync();
        var held = backend.Hold("slow");
        backend
            .On("bad", async context =>
            {
                await held.Arrived;
                context.Response.StatusCode = 500;
            })
            .On("next", "1");
        await using var gateway = await ComposedGateway.StartAsync("calls: { bad: a/bad, slow: a/slow, next: \"a/next/{slow}\" }", backend);
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
        await using var backend = await Backend.StartAsync();
        var (one, two, item) = (backend.Hold("one"), backend.Hold("two"), backend.Hold("item"));
        backend.On("list", "[1,2,3]");
        await using var gateway = await ComposedGateway.StartAsync(
            "calls: { one: a/one, two: { request: a/two, optional: true }, list: a/list, each: { request: \"a/item/{item}\", "
                + "forEach: list } }",
            backend
        );
        using (var client = await gateway.Process.ConnectAsync())
        {
            await client.SendAsync("GET /c/1 HTTP/1.1\r\nHost: x\r\n\r\n");
            await Task.WhenAll(one.Arrived, two.Arrived, item.Arrived);
        }

        await Task.WhenAll(one.Aborted, two.Aborted, item.Aborted);
        await Until.TrueAsync(() => gateway.Busy == 0);
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
