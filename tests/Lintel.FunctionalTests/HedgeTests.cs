using System.Net;
using Lintel.Services;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Lintel.FunctionalTests;

/// <summary>Hedged requests, over real sockets: HTTP/1.1 on loops and on .NET's handler, HTTP/2.</summary>
[EveryTransport]
public sealed class HedgeTests
{
    private const string Soon = "hedge: { after: 5ms, budget: 100% }";

    private readonly TaskCompletionSource _release = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _cutOff;
    private int _held;

    [Theory]
    [InlineData("http1")]
    [InlineData("http2")]
    public async Task SlowInstance_IsOvertakenByAnother_AndCutOff(string protocol)
    {
        await using var slow = await ServeAsync(protocol, HoldAsync);
        await using var good = await ServeAsync(protocol, async context =>
        {
            await Until.SeenAsync(() => _held == 1 ? "" : null); // an attempt without a connection is cut off unseen
            await context.Response.WriteAsync(new string('x', 300_000));
        });
        await using var gateway = await LoggedGateway.StartAsync(Config(protocol, Soon, slow, good));
        using var response = await gateway.Running.Client.GetAsync(new Uri("/a?b=c", UriKind.Relative));
        Assert.Equal((200, 300_000), ((int)response.StatusCode, (await response.Content.ReadAsStringAsync()).Length));
        await Until.SeenAsync(() => _cutOff == 1 ? "" : null);
        Assert.Equal("/a?b=c", Assert.Single(good.Seen).Target);
        var line = Assert.Single(await gateway.StopAsync());
        Assert.Equal((200, 2), (line.GetProperty("status").GetInt32(), line.GetProperty("attempts").GetInt32()));
        Assert.Equal(good.Address, line.GetProperty("instance").GetString());
        Assert.False(line.TryGetProperty("error", out _));
    }

    [Theory]
    [InlineData("http1")]
    [InlineData("http2")]
    public async Task FirstInstance_ThatAnswersBeforeTheHedge_Wins(string protocol)
    {
        await using var first = await ServeAsync(protocol, ReleasedAsync);
        await using var slower = await ServeAsync(protocol, HoldAsync);
        await using var gateway = await LoggedGateway.StartAsync(Config(protocol, Soon, first, slower));
        var asking = gateway.Running.Client.GetStringAsync(new Uri("/a", UriKind.Relative));
        await Until.SeenAsync(() => _held == 1 ? "" : null);
        _release.SetResult();
        Assert.Equal("released", await asking);
        await Until.SeenAsync(() => _cutOff == 1 ? "" : null);
        Assert.Equal(first.Address, Assert.Single(await gateway.StopAsync()).GetProperty("instance").GetString());
    }

    [Theory]
    [InlineData("http1")]
    [InlineData("http2")]
    public async Task FailedHedge_LeavesTheFirstInstanceItsTime(string protocol)
    {
        await using var first = await ServeAsync(protocol, ReleasedAsync);
        await using var bad = await ServeAsync(protocol, Fails);
        await using var gateway = await LoggedGateway.StartAsync(Config(protocol, Soon, first, bad));
        var asking = gateway.Running.Client.GetStringAsync(new Uri("/a", UriKind.Relative));
        await Until.SeenAsync(() => bad.Seen.Count == 1 && Active(gateway.Running) == 1 ? "" : null);
        _release.SetResult();
        Assert.Equal("released", await asking);
    }

    [Theory]
    [InlineData("http1")]
    [InlineData("http2")]
    public async Task FirstInstance_ThatFails_LeavesTheAnswerToTheHedge(string protocol)
    {
        await using var bad = await ServeAsync(protocol, async context =>
        {
            await _release.Task;
            await Fails(context);
        });
        var second = new TaskCompletionSource();
        await using var good = await ServeAsync(protocol, _ => second.Task);
        await using var gateway = await LoggedGateway.StartAsync(Config(protocol, Soon, bad, good));
        var asking = gateway.Running.Client.GetAsync(new Uri("/a", UriKind.Relative));
        await Until.SeenAsync(() => good.Seen.Count == 1 ? "" : null);
        _release.SetResult();
        await Until.SeenAsync(() => Active(gateway.Running) <= 2 ? "" : null);
        second.SetResult();
        using var response = await asking;
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Theory]
    [InlineData("http1")]
    [InlineData("http2")]
    public async Task FailureOfAll_IsTheLastOnesResponse(string protocol)
    {
        await using var first = await ServeAsync(protocol, async context =>
        {
            await _release.Task;
            await Fails(context);
        });
        await using var bad = await ServeAsync(protocol, Fails);
        await using var gateway = await LoggedGateway.StartAsync(Config(protocol, Soon, first, bad));
        var asking = gateway.Running.Client.GetAsync(new Uri("/a", UriKind.Relative));
        await Until.SeenAsync(() => bad.Seen.Count == 1 && Active(gateway.Running) == 1 ? "" : null);
        _release.SetResult();
        using var response = await asking;
        Assert.Equal((503, "no"), ((int)response.StatusCode, await response.Content.ReadAsStringAsync()));
    }

    [Theory]
    [InlineData("POST", false)]
    [InlineData("PUT", true)]
    public async Task Request_ThatMayNotBeSentTwice_IsNotHedged(string method, bool hasBody)
    {
        await using var first = await ServeAsync("http1", ReleasedAsync);
        await using var other = await ServeAsync("http1", HoldAsync);
        await using var gateway = await LoggedGateway.StartAsync(Config("http1", "hedge: { after: 1ms, budget: 100% }", first, other));
        using var request = new HttpRequestMessage(new HttpMethod(method), "/a") { Content = hasBody ? new StringContent("b") : null };
        var asking = gateway.Running.Client.SendAsync(request);
        await Until.SeenAsync(() => first.Seen.Count == 1 ? "" : null);
        using (var later = await gateway.Running.Client.GetAsync(new Uri("/quick", UriKind.Relative))) // a request that is hedged meanwhile
            Assert.Equal(HttpStatusCode.OK, later.StatusCode);
        _release.SetResult();
        using var response = await asking;
        var line = (await gateway.StopAsync()).Single(l => l.GetProperty("path").GetString() == "/a");
        Assert.Equal(1, line.GetProperty("attempts").GetInt32());
    }

    [Theory]
    [InlineData("http1")]
    [InlineData("http2")]
    public async Task ClientDisconnect_CutsOffAllAttempts(string protocol)
    {
        await using var a = await ServeAsync(protocol, HoldAsync);
        await using var b = await ServeAsync(protocol, HoldAsync);
        await using var c = await ServeAsync(protocol, HoldAsync);
        await using var gateway = await LoggedGateway.StartAsync(
            Config(protocol, "hedge: { after: 5ms, max: 2, budget: 100% }, limits: { concurrent: 100 }", a, b, c)
        );
        foreach (var i in Enumerable.Range(0, 10)) // fills the budget: a single request may be hedged once
            await gateway.Running.Client.GetStringAsync(new Uri("/quick", UriKind.Relative));
        using (var client = await gateway.ConnectAsync())
        {
            await client.SendAsync("GET /a HTTP/1.1\r\nHost: t\r\n\r\n");
            await Until.SeenAsync(() => _held == 3 ? "" : null);
        }

        await Until.SeenAsync(() => _cutOff == 3 && Active(gateway.Running) == 0 ? "" : null);
        var line = (await gateway.StopAsync()).Single(l => l.GetProperty("path").GetString() == "/a");
        Assert.Equal((499, 3), (line.GetProperty("status").GetInt32(), line.GetProperty("attempts").GetInt32()));
    }

    /// <summary>Answers around the delay: first attempts and hedges win, lose and end at the same time.</summary>
    [Theory]
    [InlineData("http1")]
    [InlineData("http2")]
    public async Task ManyRaces_EachEndWithTheResponseOfTheirRequest(string protocol)
    {
        var random = new Random(7);
        async Task AnswerAsync(HttpContext context)
        {
            int draw;
            lock (random)
                draw = random.Next(100);
            if (draw < 30)
                await Task.Delay(TimeSpan.FromMilliseconds(draw % 5), context.RequestAborted);
            if (draw > 95)
                context.Abort();
            context.Response.StatusCode = draw is > 90 and <= 95 ? 503 : 200;
            context.Response.Headers["X-Path"] = context.Request.Path.Value;
            await context.Response.WriteAsync(string.Concat(Enumerable.Repeat(context.Request.Path.Value, 1 + (draw * 10))));
        }

        await using var a = await ServeAsync(protocol, AnswerAsync);
        await using var b = await ServeAsync(protocol, AnswerAsync);
        await using var c = await ServeAsync(protocol, AnswerAsync);
        await using var gateway = await LoggedGateway.StartAsync(
            Config(protocol, "hedge: { after: 1ms, max: 2, budget: 100% }, retry: { attempts: 5 }", a, b, c)
        );
        await Parallel.ForEachAsync(
            Enumerable.Range(0, 600),
            new ParallelOptions { MaxDegreeOfParallelism = 16 },
            async (i, cancellation) =>
            {
                using var response = await gateway.Running.Client.GetAsync(new Uri($"/r{i}", UriKind.Relative), cancellation);
                var text = await response.Content.ReadAsStringAsync(cancellation);
                if (!response.Headers.TryGetValues("X-Path", out var path))
                    return; // the gateway's own error, after all attempts failed
                Assert.Equal($"/r{i}", path.Single());
                Assert.Empty(text.Replace($"/r{i}", "", StringComparison.Ordinal));
            }
        );
        await Until.SeenAsync(() => Active(gateway.Running) == 0 ? "" : null);
        Assert.Equal(600, (await gateway.StopAsync()).Length);
    }

    private static int Active(InProcessGateway gateway)
    {
        var config = gateway.Gateway.Config!;
        var registry = gateway.Service<ServiceRegistry>();
        return registry.Find("s", config.Services["s"], config.Defaults.Timeouts)!.Instances.All.Sum(i => i.Active);
    }

    private static string Config(string protocol, string options, params TestService[] instances) =>
        $$"""
            listeners: { public: "http://127.0.0.1:0" }
            services: { s: { instances: [{{string.Join(
                ", ",
                instances.Select(i => $"\"{i.Address}\"")
            )}}], protocol: {{protocol}}, balancing: roundRobin, {{options}} } }
            routes: { all: { match: "/{**rest}", forward: s } }
            """;

    private static Task<TestService> ServeAsync(string protocol, RequestDelegate handler) =>
        TestService.StartAsync(
            context => context.Request.Path == "/quick" ? Task.CompletedTask : handler(context),
            protocol == "http2" ? l => l.Protocols = HttpProtocols.Http2 : null
        );

    private static Task Fails(HttpContext context)
    {
        context.Response.StatusCode = 503;
        return context.Response.WriteAsync("no");
    }

    private async Task ReleasedAsync(HttpContext context)
    {
        await _release.Task;
        await context.Response.WriteAsync("released");
    }

    private async Task HoldAsync(HttpContext context)
    {
        var ended = new TaskCompletionSource();
        Interlocked.Increment(ref _held);
        await using var registration = context.RequestAborted.Register(ended.SetResult);
        await ended.Task;
        Interlocked.Increment(ref _cutOff);
    }
}
