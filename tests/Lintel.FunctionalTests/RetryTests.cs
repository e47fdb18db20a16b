using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Lintel.Control.Status;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;

namespace Lintel.FunctionalTests;

/// <summary>Retries, circuit breakers and bulkheads, over real sockets.</summary>
[EveryTransport]
public sealed class RetryTests
{
    private const string Fast = "backoff: { base: 1ms, max: 2ms }";

    [Theory]
    [InlineData("GET", null, 200)]
    [InlineData("DELETE", null, 200)]
    [InlineData("POST", null, 503)] // the service may have done it
    [InlineData("POST", "Idempotency-Key: 1", 200)]
    public async Task Status_IsRetriedOnAnotherInstance_IfTheRequestMayBeSentTwice(string method, string? field, int expected)
    {
        await using var bad = await FailingAsync(503);
        await using var good = await TestService.StartAsync();
        await using var gateway = await StartAsync(
            $"instances: [\"{bad.Address}\", \"{good.Address}\"], balancing: roundRobin, retry: {{ {Fast} }}"
        );
        using var request = new HttpRequestMessage(new HttpMethod(method), "/a?b=c");
        if (field is not null)
            request.Headers.Add(field.Split(": ")[0], field.Split(": ")[1]);
        using var response = await gateway.Client.SendAsync(request);
        Assert.Equal(expected, (int)response.StatusCode);
        Assert.Single(bad.Seen);
        Assert.Equal(expected == 200 ? 1 : 0, good.Seen.Count);
    }

    [Theory]
    [InlineData(1000, true, true)]
    [InlineData(1000, false, true)] // chunked
    [InlineData(64 * 1024, true, true)]
    [InlineData(64 * 1024 + 1, true, false)] // more than is kept
    [InlineData(200_000, false, false)]
    public async Task Body_IsSentAgain_IfAllOfItWasKept(int length, bool hasLength, bool isRetried)
    {
        await using var bad = await FailingAsync(503);
        await using var good = await TestService.StartAsync();
        await using var gateway = await StartAsync(
            $"instances: [\"{bad.Address}\", \"{good.Address}\"], balancing: roundRobin, retry: {{ {Fast} }}"
        );
        var text = string.Concat(Enumerable.Range(0, length).Select(i => (char)('a' + (i % 26))));
        using var request = new HttpRequestMessage(HttpMethod.Put, "/a") { Content = new StringContent(text, Encoding.ASCII) };
        request.Headers.TransferEncodingChunked = !hasLength;
        using var response = await gateway.Client.SendAsync(request);
        Assert.Equal(isRetried ? 200 : 503, (int)response.StatusCode);
        if (isRetried)
            Assert.Equal(text, Assert.Single(good.Seen).Body);
        Assert.Equal(isRetried ? "ok" : "no", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task LastResponse_IsPassedUntouched()
    {
        await using var bad = await FailingAsync(503);
        await using var gateway = await StartAsync($"instances: [\"{bad.Address}\"], retry: {{ attempts: 3, {Fast} }}");
        using var response = await gateway.Client.GetAsync(new Uri("/a", UriKind.Relative));
        Assert.Equal((503, "no"), ((int)response.StatusCode, await response.Content.ReadAsStringAsync()));
        Assert.Equal("7", response.Headers.GetValues("X-Number").Single());
        Assert.Equal(3, bad.Seen.Count);
    }

    [Fact]
    public async Task RetryAfter_ReplacesTheBackoff_AndIsPassedOnIfItIsTooLong()
    {
        var wait = "0";
        await using var bad = await TestService.StartAsync(context =>
        {
            context.Response.StatusCode = 503;
            context.Response.Headers.RetryAfter = wait;
            return Task.CompletedTask;
        });
        await using var gateway = await StartAsync(
            $"instances: [\"{bad.Address}\"], retry: {{ backoff: {{ base: 1m, max: 1m }} }}, timeouts: {{ request: 20s }}"
        );
        using var soon = await gateway.Client.GetAsync(new Uri("/a", UriKind.Relative));
        Assert.Equal((503, 3), ((int)soon.StatusCode, bad.Seen.Count)); // a minute would have been too long
        wait = "30";
        using var late = await gateway.Client.GetAsync(new Uri("/a", UriKind.Relative));
        Assert.Equal(("30", 4), (late.Headers.RetryAfter!.ToString(), bad.Seen.Count));
    }

    [Theory]
    [InlineData("GET", true)]
    [InlineData("POST", false)]
    public async Task Reset_AfterTheRequest_IsRetried_IfTheRequestMayBeSentTwice(string method, bool isRetried)
    {
        using var bad = new RawServer((_, _) => Task.CompletedTask); // reads the head and closes
        await using var good = await TestService.StartAsync();
        await using var gateway = await StartAsync(
            $"instances: [\"{bad.Address}\", \"{good.Address}\"], balancing: roundRobin, retry: {{ {Fast} }}"
        );
        using var request = new HttpRequestMessage(new HttpMethod(method), "/a");
        using var response = await gateway.Client.SendAsync(request);
        Assert.Equal(isRetried ? HttpStatusCode.OK : HttpStatusCode.BadGateway, response.StatusCode);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Attempt_WithoutAResponseInItsTime_IsRetried(bool hasBody)
    {
        var never = new TaskCompletionSource();
        await using var slow = await TestService.StartAsync(async context =>
        {
            await context.Request.Body.CopyToAsync(Stream.Null);
            await never.Task;
        });
        await using var good = await TestService.StartAsync();
        await using var gateway = await StartAsync(
            $"instances: [\"{slow.Address}\", \"{good.Address}\"], balancing: roundRobin, "
                + $"retry: {{ attempts: 10, on: [timeout], perTryTimeout: 300ms, {Fast} }}"
        );
        using var request = new HttpRequestMessage(HttpMethod.Put, "/a") { Content = hasBody ? new StringContent("text") : null };
        using var response = await gateway.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(hasBody ? "text" : "", good.Seen.Last().Body); // a busy machine may cut its first attempt off, too
        never.SetResult();
    }

    [Fact]
    public async Task Deadline_OfTheRequest_EndsTheLastAttempt()
    {
        var never = new TaskCompletionSource();
        await using var slow = await TestService.StartAsync(_ => never.Task);
        await using var gateway = await StartAsync(
            $"instances: [\"{slow.Address}\"], timeouts: {{ request: 1s }}, retry: {{ on: [timeout], attempts: 10, perTryTimeout: 400ms, {Fast} }}"
        );
        using var response = await gateway.Client.GetAsync(new Uri("/a", UriKind.Relative));
        Assert.Equal(HttpStatusCode.GatewayTimeout, response.StatusCode);
        Assert.InRange(slow.Seen.Count, 2, 3);
        never.SetResult();
    }

    [Fact]
    public async Task Storm_MakesAtMostAFifthMoreRequests()
    {
        await using var bad = await FailingAsync(503);
        await using var gateway = await StartAsync($"instances: [\"{bad.Address}\"], retry: {{ attempts: 5, {Fast} }}");
        const int Requests = 400;
        await Task.WhenAll(
            Enumerable
                .Range(0, 8)
                .Select(async _ =>
                {
                    for (var i = 0; i < Requests / 8; i++)
                        (await gateway.Client.GetAsync(new Uri("/a", UriKind.Relative))).Dispose();
                })
        );
        Assert.InRange(bad.Seen.Count, Requests + 50, (Requests * 1.2) + 30 + 8); // 3/s over ten seconds always, and what is concurrent
    }

    [Fact]
    public async Task Breaker_OpensAfterFailures_AnswersAtOnce_AndClosesWhenProbesSucceed()
    {
        var isWell = false;
        await using var service = await TestService.StartAsync(context =>
        {
            context.Response.StatusCode = isWell ? 200 : 500;
            return Task.CompletedTask;
        });
        await using var gateway = await StartAsync(
            $"instances: [\"{service.Address}\"], breaker: {{ minimumRequests: 4, openFor: 1s, probes: 2 }}"
        );
        for (var i = 0; i < 4; i++)
            Assert.Equal(500, await StatusAsync(gateway));
        using var refused = await gateway.Client.GetAsync(new Uri("/a", UriKind.Relative));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Equal("1", refused.Headers.RetryAfter!.ToString());
        Assert.Contains("destination_unavailable", refused.Headers.GetValues("Proxy-Status").Single(), StringComparison.Ordinal);
        Assert.Contains("circuit-open", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(4, service.Seen.Count);
        isWell = true;
        while (await StatusAsync(gateway) != 200)
            await Task.Yield();
        for (var i = 0; i < 10; i++)
            Assert.Equal(200, await StatusAsync(gateway));
        await Until.TrueAsync(() => gateway.Log.Any(l => l.Contains("Circuit breaker of service s is closed", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Bulkhead_QueuesAFew_AndRefusesTheRest()
    {
        var go = new TaskCompletionSource();
        await using var service = await TestService.StartAsync(_ => go.Task);
        await using var gateway = await StartAsync(
            $"instances: [\"{service.Address}\"], limits: {{ concurrent: 2, queue: 1, queueTimeout: 1m }}"
        );
        var admitted = Enumerable.Range(0, 2).Select(_ => StatusAsync(gateway)).ToList();
        await Until.TrueAsync(() => service.Seen.Count == 2);
        using var left = new CancellationTokenSource();
        var leaving = gateway.Client.GetAsync(new Uri("/a", UriKind.Relative), left.Token);
        await Until.TrueAsync(() => Queued(gateway) == 1);
        using var refused = await gateway.Client.GetAsync(new Uri("/a", UriKind.Relative));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Contains("service-busy", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        await left.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaving);
        await Until.TrueAsync(() => Queued(gateway) == 0);
        var waiting = StatusAsync(gateway);
        await Until.TrueAsync(() => Queued(gateway) == 1);
        go.SetResult();
        var statuses = await Task.WhenAll([.. admitted, waiting]);
        Assert.Equal([200, 200, 200], statuses);
        Assert.Equal(3, service.Seen.Count);
    }

    /// <summary>A service that works on four requests at a time: the limit falls below the number of clients, and is kept by a reload.</summary>
    [Fact]
    public async Task AdaptiveLimit_OfABusyService_IsFound_AndTheRestIsRefused()
    {
        using var workers = new SemaphoreSlim(4);
        await using var service = await TestService.StartAsync(async context =>
        {
            await workers.WaitAsync(context.RequestAborted);
            await Task.Delay(5, context.RequestAborted); // the work that takes a worker's time
            workers.Release();
            await context.Response.WriteAsync("done");
        });
        await using var gateway = await StartAsync($"instances: [\"{service.Address}\"], limits: {{ adaptive: true, concurrent: 500 }}");
        Assert.Equal((500, 32, null), Limits(gateway));
        using var found = new CancellationTokenSource();
        var statuses = new ConcurrentDictionary<int, int>();
        var clients = Enumerable
            .Range(0, 100)
            .Select(async _ =>
            {
                while (!found.IsCancellationRequested)
                    statuses.AddOrUpdate(await StatusAsync(gateway), 1, (_, n) => n + 1);
            })
            .ToList();
        await Until.TrueAsync(() => Limits(gateway) is { NoLoad: not null, Adaptive: not 32 } && statuses.ContainsKey(503));
        await found.CancelAsync();
        await Task.WhenAll(clients).InTimeAsync();
        Assert.Equal([200, 503], statuses.Keys.Order());
        var limits = Limits(gateway);
        Assert.InRange(limits.Adaptive!.Value, 4, 99);
        await gateway.ReloadAsync("services: { s: {", "services: { s: { timeouts: { request: 5s },");
        Assert.Equal(limits, Limits(gateway));
        Assert.Equal(200, await StatusAsync(gateway));

        static (int Most, int? Adaptive, double? NoLoad) Limits(InProcessGateway gateway) =>
            gateway.Gateway.FindService("s")!.Limits is { } limits
                ? (limits.Concurrent, limits.Adaptive, limits.NoLoadLatencyMs)
                : throw new InvalidOperationException("there is no limit");
    }

    [Fact]
    public async Task Reload_KeepsTheBreaker_AndTheRequestsInFlight()
    {
        await using var service = await FailingAsync(500);
        await using var gateway = await StartAsync(
            $"instances: [\"{service.Address}\"], breaker: {{ minimumRequests: 2, openFor: 1h }}, limits: {{ concurrent: 2 }}"
        );
        for (var i = 0; i < 2; i++)
            Assert.Equal(500, await StatusAsync(gateway));
        await gateway.ReloadAsync("services: { s: {", "services: { s: { timeouts: { request: 5s },");
        Assert.Equal(503, await StatusAsync(gateway));
    }

    [Fact]
    public async Task Composition_RetriesItsCalls_AndItsOptionalCallsSurviveABreaker()
    {
        var failures = 1;
        await using var service = await TestService.StartAsync(async context =>
        {
            if (context.Request.Path == "/bad")
                context.Response.StatusCode = 500;
            else if (Interlocked.Decrement(ref failures) >= 0)
                context.Response.StatusCode = 503;
            else
                await context.Response.WriteAsJsonAsync(new { id = 1 });
        });
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            listeners: { public: "http://127.0.0.1:0" }
            services:
              s: { instances: ["{{service.Address}}"], retry: { {{Fast}} } }
              t: { instances: ["{{service.Address}}"], breaker: { minimumRequests: 2, openFor: 1h } }
            routes:
              c:
                match: /c
                compose: { calls: { a: s/good, b: { request: t/bad, optional: true } } }
            """
        );
        for (var i = 0; i < 3; i++)
        {
            using var response = await gateway.Client.GetAsync(new Uri("/c", UriKind.Relative));
            Assert.Equal("""{"a":{"id":1},"b":null}""", await response.Content.ReadAsStringAsync());
            Assert.Contains(
                i < 2 ? "b;s=500" : "b;err=circuit-open",
                response.Headers.GetValues("Composition").Single(),
                StringComparison.Ordinal
            );
        }
    }

    private static int? Queued(InProcessGateway gateway) => gateway.Gateway.FindService("s")!.Limits!.Queued;

    private static async Task<int> StatusAsync(InProcessGateway gateway)
    {
        using var response = await gateway.Client.GetAsync(new Uri("/a", UriKind.Relative));
        return (int)response.StatusCode;
    }

    private static Task<TestService> FailingAsync(int status) =>
        TestService.StartAsync(async context =>
        {
            await context.Request.Body.CopyToAsync(Stream.Null);
            context.Response.StatusCode = status;
            context.Response.Headers["X-Number"] = "7";
            await context.Response.WriteAsync("no");
        });

    private static Task<InProcessGateway> StartAsync(string service) =>
        InProcessGateway.StartAsync(
            $$"""
            listeners: { public: "http://127.0.0.1:0" }
            services: { s: { {{service}} } }
            routes: { all: { match: "/{**rest}", forward: s } }
            """
        );
}
