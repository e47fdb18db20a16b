using System.Globalization;
using System.Text;
using Lintel.Control.Status;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Lintel.FunctionalTests.Composition;

/// <summary>
/// Many clients, some of which disconnect, over services some of which fail: every answer belongs to its request, and nothing
/// leaks.
/// </summary>
[EveryTransport]
public sealed class StressTests
{
    private const int Clients = 64;
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(5);

    [Fact]
    public async Task ManyClients_WithFaultsAndAborts_GetTheirOwnAnswers()
    {
        await using var one = await Backend.StartAsync();
        await using var two = await Backend.StartAsync(l => l.Protocols = HttpProtocols.Http2);
        foreach (var backend in (Backend[])[one, two])
            backend
                .On("part", AnswerAsync)
                .On("list", context =>
                    context.Response.WriteAsync(
                        $"[{context.Request.Query["k"]}1,{context.Request.Query["k"]}2,{context.Request.Query["k"]}1]"
                    )
                );
        await using var gateway = await ComposedGateway.StartYamlAsync(
            $$"""
            services:
              a: { instances: ["{{one.Address}}", "{{one.Address.Replace("127.0.0.1", "localhost", StringComparison.Ordinal)}}"] }
              b: { instances: ["{{two.Address}}"], protocol: http2 }
            routes:
              plain: { match: "/plain/{k}", compose: { calls: { x: "a/part?k={k}&c=x", y: { request: "b/part?k={k}&c=y&fault={query:fault}", optional: true, timeout: 2s }, z: "a/part?k={x.k}&c=z" } } }
              required: { match: "/required/{k}", compose: { calls: { y: { request: "b/part?k={k}&c=y&fault={query:fault}", timeout: 2s }, x: "a/part?k={k}&c=x", z: "b/part?k={k}&c=z&slow=1" } } }
              fan: { match: "/fan/{k}", compose: { calls: { list: "b/list?k={k}", each: { forEach: list, request: "a/part?k={item}&c=e&fault={query:fault}", optional: true, timeout: 2s } } } }
              hedge: { match: "/hedge/{k}", compose: { calls: { x: { request: "a/part?k={k}&c=x&slow=1", hedge: { after: 2ms, budget: 100% } }, y: { request: "b/part?k={k}&c=x&slow=1", hedge: { after: 2ms, budget: 100% } } } } }
              shared: { match: "/shared/{k}", compose: { calls: { x: { request: "b/part?k=1&c=x&slow=1", collapse: true }, again: { request: "b/part?k=1&c=x&slow=1", collapse: true }, y: "a/part?k={k}&c=y" } } }
              stream: { match: "/stream/{k}", compose: { stream: true, calls: { x: "a/part?k={k}&c=x", y: { request: "b/part?k={k}&c=y&fault={query:fault}", optional: true, timeout: 2s } } } }
              stale: { match: "/stale/{k}", compose: { calls: { x: { request: "a/part?k=1&c=x&fault={query:fault}", timeout: 2s, optional: true, fallback: stale }, y: "b/part?k={k}&c=y" } } }
            """
        );
        using var over = new CancellationTokenSource(Duration);
        var counts = await Task.WhenAll(Enumerable.Range(0, Clients).Select(i => RunAsync(gateway, i, over.Token)));
        Assert.True(counts.Sum(c => c.Whole) > Clients * 3, $"{counts.Sum(c => c.Whole)} whole answers");
        Assert.True(counts.Sum(c => c.Left) > Clients, $"{counts.Sum(c => c.Left)} clients left");
        await Until.TrueAsync(() => gateway.Busy == 0);
        Assert.True(
            gateway.Process.Gateway.Errors.All(e => e.Error != "internal"),
            gateway.Process.Log.FirstOrDefault(l => l.Contains("internal", StringComparison.Ordinal))
        );
        Assert.Equal(200, (await gateway.GetAsync("/plain/42")).Status);
    }

    /// <summary>A text that is only this request's, of a length that is only this request's: bytes of another one would show.</summary>
    private static string Part(string k, string c) =>
        $$"""{"k":"{{k}}","c":"{{c}}","text":"{{new StringBuilder().Insert(0, k + c, 1 + (int.Parse(k, CultureInfo.InvariantCulture) % 700))}}"}""";

    private static async Task AnswerAsync(HttpContext context)
    {
        var query = context.Request.Query;
        if (query["slow"] == "1")
            await Task.Delay(Random.Shared.Next(6), context.RequestAborted);
        context.Response.ContentType = "application/json";
        switch ((string?)query["fault"])
        {
            case "status":
                context.Response.StatusCode = 500;
                break;
            case "abort":
                context.Abort();
                return;
            case "hang":
                await Task.Delay(Timeout.Infinite, context.RequestAborted);
                return;
            case "malformed":
                await context.Response.WriteAsync("{\"k\":");
                return;
            case "cut":
                await context.Response.WriteAsync(Part("9", "cut"));
                await context.Response.Body.FlushAsync();
                context.Abort();
                return;
        }

        await context.Response.WriteAsync(Part(query["k"]!, query["c"]!));
    }

    private static async Task<(int Whole, int Left)> RunAsync(ComposedGateway gateway, int client, CancellationToken over)
    {
        string[] faults = ["", "", "", "status", "abort", "hang", "malformed", "cut"];
        string[] routes = ["plain", "required", "fan", "hedge", "shared", "stream", "stale"];
        var random = new Random(client);
        var (whole, left) = (0, 0);
        for (var round = 0; !over.IsCancellationRequested; round++)
        {
            var route = routes[random.Next(routes.Length)];
            var fault = faults[random.Next(faults.Length)];
            var k = ((client * 1000) + (round % 1000)).ToString(CultureInfo.InvariantCulture);
            using var connection = random.Next(4) == 0 ? await gateway.Process.ConnectAsync() : null;
            if (connection is not null)
            {
                await connection.SendAsync($"GET /{route}/{k}?fault={fault} HTTP/1.1\r\nHost: x\r\n\r\n");
                await Task.Delay(random.Next(4), CancellationToken.None); // leaves in the midst of it
                left++;
                continue;
            }

            var answer = await gateway.GetAsync($"/{route}/{k}?fault={fault}");
            Check(route, fault, k, answer);
            whole++;
        }

        return (whole, left);
    }

    private static void Check(string route, string fault, string k, Answer answer)
    {
        var (x, y) = (Part(k, "x"), fault.Length == 0 ? Part(k, "y") : "null");
        if (route == "required" && fault.Length > 0)
        {
            Assert.True(answer.Status is 502 or 504, answer.Body);
            return;
        }

        Assert.True(answer.Status == 200, $"{route} {fault} {answer.Composition} {answer.Body}");
        var body = answer.Body;
        switch (route)
        {
            case "plain":
                Assert.Equal($$"""{"x":{{x}},"y":{{y}},"z":{{Part(k, "z")}}}""", body);
                break;
            case "required":
                Assert.Equal($$"""{"y":{{y}},"x":{{x}},"z":{{Part(k, "z")}}}""", body);
                break;
            case "fan":
                var items = fault.Length == 0 ? $"{Part(k + "1", "e")},{Part(k + "2", "e")}" : "";
                Assert.Equal($$"""{"list":[{{k}}1,{{k}}2,{{k}}1],"each":{{(fault.Length == 0 ? $"[{items}]" : "null")}}}""", body);
                break;
            case "hedge":
                Assert.Equal($$"""{"x":{{x}},"y":{{x}}}""", body);
                break;
            case "shared":
                Assert.Equal($$"""{"x":{{Part("1", "x")}},"again":{{Part("1", "x")}},"y":{{Part(k, "y")}}}""", body);
                break;
            case "stream":
                Assert.Equal([$$"""{"x":{{x}}}""", $$"""{"y":{{y}}}"""], body.Split('\n')[..2].Order(StringComparer.Ordinal));
                break;
            case "stale":
                Assert.True(
                    body == $$"""{"x":{{Part("1", "x")}},"y":{{Part(k, "y")}}}"""
                        || (fault.Length > 0 && body == $$"""{"x":null,"y":{{Part(k, "y")}}}"""),
                    body
                );
                break;
        }
    }
}
