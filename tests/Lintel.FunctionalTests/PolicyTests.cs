using System.Diagnostics.Metrics;
using System.Net;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Lintel.FunctionalTests;

/// <summary>Policies over real connections: the common properties of every answer of a route, whatever produces it.</summary>
[EveryTransport]
public sealed class PolicyTests
{
    [Theory]
    [InlineData("/forwarded", "1.1", 200)]
    [InlineData("/forwarded", "2.0", 200)]
    [InlineData("/over-http2", "1.1", 200)]
    [InlineData("/composed", "1.1", 200)]
    [InlineData("/streamed", "1.1", 200)]
    [InlineData("/moved", "1.1", 307)]
    [InlineData("/fixed", "1.1", 200)]
    [InlineData("/dead", "1.1", 502)]
    [InlineData("/dead-call", "2.0", 502)]
    public async Task Head_OfEveryAnswer_HasWhatTheRouteSays(string path, string version, int status)
    {
        await using var service = await TestService.StartAsync(AnswerAsync);
        await using var http2 = await TestService.StartAsync(AnswerAsync, static l => l.Protocols = HttpProtocols.Http2);
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            listeners: { public: "http://127.0.0.1:0", h2: { address: "http://127.0.0.1:0", protocols: [http2] } }
            services:
              s: {{service.Address}}
              h2: { instances: ["{{http2.Address}}"], protocol: http2 }
              dead: "http://127.0.0.1:1"
            policies:
              web: { cors: { origins: "https://shop.example.com" } }
              hardened: { securityHeaders: {} }
            defaults: { policies: [web, hardened] }
            routes:
              forwarded: { match: /forwarded, forward: s, transform: { response: { setHeaders: { X-Set: "new" }, removeHeaders: [Server] } } }
              over-http2: { match: /over-http2, forward: h2, transform: { response: { setHeaders: { X-Set: "new" }, removeHeaders: [Server] } } }
              composed: { match: /composed, compose: { calls: { one: { request: s/1 } } }, transform: { response: { setHeaders: { X-Set: "new" } } } }
              streamed: { match: /streamed, compose: { stream: true, calls: { one: { request: s/1 } } }, transform: { response: { setHeaders: { X-Set: "new" } } } }
              moved: { match: /moved, redirect: /fixed, transform: { response: { setHeaders: { X-Set: "new" } } } }
              fixed: { match: /fixed, respond: { body: x }, transform: { response: { setHeaders: { X-Set: "new" } } } }
              dead: { match: /dead, forward: dead, transform: { response: { setHeaders: { X-Set: "new" } } } }
              dead-call: { match: /dead-call, compose: { calls: { one: { request: dead/1 } } }, transform: { response: { setHeaders: { X-Set: "new" } } } }
            """
        );
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(gateway.AddressOf(version == "2.0" ? "h2" : "public"), path))
        {
            Version = Version.Parse(version),
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        request.Headers.Add("Origin", "https://shop.example.com");
        using var answer = await gateway.Client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal("https://shop.example.com", Assert.Single(answer.Headers.GetValues("Access-Control-Allow-Origin")));
        Assert.Equal("nosniff", Assert.Single(answer.Headers.GetValues("X-Content-Type-Options")));
        Assert.Equal("new", Assert.Single(answer.Headers.GetValues("X-Set")));
        Assert.Contains("Origin", answer.Headers.Vary);
        Assert.False(answer.Headers.Contains("Server"));
    }

    private static async Task AnswerAsync(HttpContext context)
    {
        context.Response.Headers.AccessControlAllowOrigin = "*";
        context.Response.Headers.Server = "old";
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync("""{"a":1}""");
    }

    [Fact]
    public async Task Preflight_OverHttp_IsAnsweredWithoutTheService_AndHasItsLogLine()
    {
        await using var gateway = await LoggedGateway.StartAsync(
            """
            services: { dead: "http://127.0.0.1:1" }
            policies: { web: { cors: { origins: "https://shop.example.com", headers: Content-Type } }, nobody: { access: { deny: ["0.0.0.0/0", "::/0"] } } }
            routes: { r: { match: "PUT /items/{id}", forward: dead, policies: [nobody, web] } }
            """
        );
        foreach (
            var (origin, status) in new[]
            {
                ("https://shop.example.com", HttpStatusCode.NoContent),
                ("https://evil.example", HttpStatusCode.Forbidden),
            }
        )
        {
            using var request = new HttpRequestMessage(HttpMethod.Options, "/items/1");
            request.Headers.Add("Origin", origin);
            request.Headers.Add("Access-Control-Request-Method", "PUT");
            using var answer = await gateway.Running.Client.SendAsync(request, TestContext.Current.CancellationToken);
            Assert.Equal(status, answer.StatusCode);
        }

        var lines = await gateway.StopAsync();
        Assert.Equal(
            [("r", 204, null), ("r", 403, "cross-origin-denied")],
            lines.Select(l =>
                (
                    l.GetProperty("route").GetString(),
                    l.GetProperty("status").GetInt32(),
                    l.TryGetProperty("error", out var e) ? e.GetString() : null
                )
            )
        );
    }

    [Fact]
    public async Task Fault_OverHttp_DelaysAndRefuses_AndItsCausesAreTold()
    {
        await using var service = await TestService.StartAsync(AnswerAsync);
        await using var gateway = await LoggedGateway.StartAsync(
            $$"""
            drainTimeout: 100ms
            services: { s: "{{service.Address}}" }
            policies:
              slow: { fault: { delay: 1h } }
              late: { fault: { delay: 1ms } }
              refused: { fault: { abort: 418, when: { headers: { X-Drill: "1" } } } }
            routes:
              slow: { match: /slow, forward: s, policies: [slow] }
              late: { match: /late, forward: s, policies: [late, refused] }
            """
        );
        using (var late = await gateway.Running.Client.GetAsync(new Uri("/late", UriKind.Relative)))
            Assert.Equal(HttpStatusCode.OK, late.StatusCode);
        using var drill = new HttpRequestMessage(HttpMethod.Post, "/late") { Content = new StringContent(new string('x', 100_000)) };
        drill.Headers.Add("X-Drill", "1");
        using (var refused = await gateway.Running.Client.SendAsync(drill))
        {
            Assert.Equal(418, (int)refused.StatusCode);
            Assert.Contains("fault-injected", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        Assert.Single(service.Seen);
        using var held = await gateway.ConnectAsync();
        await held.SendAsync("GET /slow HTTP/1.1\r\nHost: t\r\n\r\n");
        using (var left = await gateway.ConnectAsync())
        {
            await left.SendAsync("GET /slow HTTP/1.1\r\nHost: t\r\n\r\n");
            await Until.TrueAsync(() => InFlight(gateway) == 2);
        }

        await Until.TrueAsync(() => InFlight(gateway) == 1);
        var lines = await gateway.StopAsync();
        Assert.Equal(
            [("late", 200, null), ("late", 418, "fault-injected"), ("slow", 499, "client-aborted"), ("slow", 503, "stopped")],
            lines.Select(l =>
                (
                    l.GetProperty("route").GetString(),
                    l.GetProperty("status").GetInt32(),
                    l.TryGetProperty("error", out var e) ? e.GetString() : null
                )
            )
        );
        Assert.Single(service.Seen);
        Assert.Contains(gateway.Running.Log, l =>
            l.StartsWith("Information: ", StringComparison.Ordinal) && l.Contains("fault-injected", StringComparison.Ordinal)
        );
    }

    private static long InFlight(LoggedGateway gateway)
    {
        var sum = 0L;
        using var listener = new MeterListener();
        listener.SetMeasurementEventCallback<long>((_, value, _, _) => sum += value);
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Name == "http.server.active_requests" && ReferenceEquals(instrument.Meter, gateway.Running.Meter))
                l.EnableMeasurementEvents(instrument);
        };
        listener.Start();
        listener.RecordObservableInstruments();
        return sum;
    }
}
