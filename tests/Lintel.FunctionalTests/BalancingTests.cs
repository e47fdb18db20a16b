using System.Net;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;

namespace Lintel.FunctionalTests;

/// <summary>The choice of instances, over real sockets.</summary>
[EveryTransport]
public sealed class BalancingTests : IAsyncLifetime
{
    private readonly List<TestService> _services = [];
    private TestService? _stopped;

    public async ValueTask InitializeAsync()
    {
        for (var i = 0; i < 3; i++)
            _services.Add(await TestService.StartAsync(c => c.Response.WriteAsJsonAsync("ok")));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var service in _services.Where(s => s != _stopped))
            await service.DisposeAsync();
    }

    [Fact]
    public async Task Requests_WithOneHeader_GoToOneInstance()
    {
        await using var gateway = await StartAsync("balancing: { consistentHash: { header: X-User, boundedLoad: 1000% } }");
        for (var user = 0; user < 20; user++)
        {
            var before = Counts();
            for (var i = 0; i < 3; i++)
                await GetAsync(gateway, ("X-User", $"user-{user}"));
            Assert.Equal([0, 0, 3], Counts().Zip(before, (after, old) => after - old).Order());
        }

        Assert.DoesNotContain(0, Counts()); // twenty users, three instances
    }

    [Fact]
    public async Task Client_WithAffinity_StaysWithItsInstance_AlsoInCompositions()
    {
        await using var gateway = await StartAsync("affinity: { cookie: stick, lifetime: 1h }");
        using var first = await GetAsync(gateway);
        var cookie = Assert.Single(first.Headers.GetValues("Set-Cookie"));
        Assert.Matches("^stick=[0-9a-f]{32}; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax$", cookie);
        var pinned = Array.IndexOf(Counts(), 1);
        for (var i = 0; i < 5; i++)
        {
            using var next = await GetAsync(gateway, ("Cookie", "a=1; " + cookie.Split(';')[0]));
            using var composed = await GetAsync(gateway, "/composed", ("Cookie", cookie.Split(';')[0]));
            Assert.False(next.Headers.Contains("Set-Cookie"));
            Assert.False(composed.Headers.Contains("Set-Cookie"));
        }

        Assert.Equal(11, Counts()[pinned]);
        Assert.DoesNotContain(_services[pinned].Seen, r =>
            r.Headers.GetValueOrDefault("Cookie")?[0].Contains("stick", StringComparison.Ordinal) == true
        );
        using var anew = await GetAsync(gateway, "/composed");
        Assert.StartsWith("stick=", Assert.Single(anew.Headers.GetValues("Set-Cookie")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Level_ThatFails_IsReplacedByTheNextOne()
    {
        var address = _services[0].Address;
        await using var gateway = await StartAsync(
            "health: { passive: { consecutiveFailures: 1, maxEjected: 100% } }",
            $"[{{ address: \"{address}\" }}, {{ address: \"{_services[1].Address}\", priority: 1 }}]"
        );
        for (var i = 0; i < 5; i++)
            await GetAsync(gateway);
        Assert.Equal([5, 0, 0], Counts());
        _stopped = _services[0];
        await _stopped.DisposeAsync();
        for (var i = 0; i < 5; i++)
            await GetAsync(gateway); // the first one is tried, fails, and goes on to the next level
        Assert.Equal([5, 5, 0], Counts());
    }

    private int[] Counts() => [.. _services.Select(s => s.Seen.Count)];

    private static Task<HttpResponseMessage> GetAsync(InProcessGateway gateway, params (string Name, string Value)[] headers) =>
        GetAsync(gateway, "/a", headers);

    private static async Task<HttpResponseMessage> GetAsync(
        InProcessGateway gateway,
        string path,
        params (string Name, string Value)[] headers
    )
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        foreach (var (name, value) in headers)
            request.Headers.Add(name, value);
        var response = await gateway.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return response;
    }

    private Task<InProcessGateway> StartAsync(string settings, string? instances = null) =>
        InProcessGateway.StartAsync(
            $$"""
            listeners: { public: "http://127.0.0.1:0" }
            services:
              s:
                instances: {{instances ?? "[" + string.Join(", ", _services.Select(s => $"\"{s.Address}\"")) + "]"}}
                {{settings}}
            routes:
              composed: { match: /composed, compose: { forwardHeaders: [Cookie], calls: { it: { request: s/json } } } }
              all: { match: "/{**rest}", forward: s }
            """
        );
}
