using System.Text;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;

namespace Lintel.FunctionalTests.Composition;

/// <summary>Calls with bodies and effects, and how they are undone.</summary>
[EveryTransport]
public sealed class WriteTests
{
    private static readonly string[] Undone = ["/cancel/3", "/cancel/2", "/cancel/1"];
    private static readonly string[] MaybePaid = ["/cancel/pay", .. Undone];

    [Fact]
    public async Task ClientsBody_GoesToTheCallsThatNameIt_ByteForByte()
    {
        await using var backend = await Backend.StartAsync();
        backend.On("raw", EchoAsync).On("made", EchoAsync).On("plain", EchoAsync);
        await using var gateway = await ComposedGateway.StartAsync(
            """
            calls:
              raw: { request: POST a/raw, body: request }
              made: { request: PUT a/made, body: { first: "request.items[0]", list: ["request.n", "'x'"], raw: raw.body } }
              plain: POST a/plain
            """,
            backend
        );
        using var request = new HttpRequestMessage(HttpMethod.Post, "/c/1")
        {
            Content = new StringContent("{ \"n\": 1.50, \"items\": [ {\"k\":\"\\u0061\"} ] }", Encoding.UTF8, "application/json"),
        };
        var answer = await gateway.SendAsync(request);
        Assert.Equal(200, answer.Status);
        Assert.Equal("{ \"n\": 1.50, \"items\": [ {\"k\":\"\\u0061\"} ] }", (string?)answer.Json["raw"]!["body"]);
        Assert.Equal("application/json; charset=utf-8", (string?)answer.Json["raw"]!["type"]);
        Assert.Equal(
            "{\"first\":{\"k\":\"\\u0061\"},\"list\":[1.50,\"x\"],\"raw\":" + answer.Json["raw"]!["body"]!.ToJsonString() + "}",
            (string?)answer.Json["made"]!["body"]
        );
        Assert.Equal("", (string?)answer.Json["plain"]!["body"]);
        Assert.Equal("no-store", answer["Cache-Control"]);
    }

    [Theory]
    [InlineData("status")]
    [InlineData("deadline")]
    [InlineData("client leaves")]
    public async Task EarlierCalls_AreUndone_InReverseOrder(string failure)
    {
        await using var backend = await Backend.StartAsync();
        var held = backend.Hold("pay");
        foreach (var (name, id) in (ReadOnlySpan<(string, int)>)[("room", 1), ("flight", 2), ("car", 3)])
            backend.On(name, $$"""{"id":{{id}}}""");
        backend.On("cancel", EchoAsync);
        if (failure == "status")
            backend.On("pay", 503, "{}");
        await using var gateway = await ComposedGateway.StartAsync(
            $$"""
            deadline: {{(failure == "deadline" ? "500ms" : "20s")}}
            calls:
              pay: { request: POST a/pay, after: [car], compensate: { request: "DELETE a/cancel/pay", timeout: 200ms } }
              car: { request: POST a/car, after: [flight], compensate: "DELETE a/cancel/{car.id}" }
              room: { request: POST a/room, compensate: { request: "POST a/cancel/{room.id}", body: { room: room.id, why: "'failed'" } } }
              flight: { request: POST a/flight, after: [room], compensate: "DELETE a/cancel/{flight.id}" }
            """,
            backend
        );
        if (failure == "client leaves")
        {
            using var client = await gateway.Process.ConnectAsync();
            await client.SendAsync("POST /c/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
            await held.Arrived;
        }
        else
        {
            var answer = await gateway.SendAsync(new HttpRequestMessage(HttpMethod.Post, "/c/1"));
            Assert.Equal(failure == "status" ? 503 : 504, answer.Status);
            Assert.All((string[])["car", "room", "flight"], c => Assert.EndsWith(";compensated", answer.Of(c), StringComparison.Ordinal));
            Assert.Equal(failure != "status", answer.Of("pay").EndsWith(";uncertain;compensated", StringComparison.Ordinal));
        }

        var expected = failure == "status" ? Undone : MaybePaid; // nobody knows whether a payment without an answer was made
        await Until.TrueAsync(() => backend.Count("cancel") == expected.Length);
        Assert.Equal(expected, backend.Seen.Select(r => r.Target).Where(t => t.StartsWith("/cancel", StringComparison.Ordinal)));
        await Until.TrueAsync(() => gateway.Busy == 0);
    }

    private static async Task EchoAsync(HttpContext context)
    {
        var body = await Backend.BodyOf(context);
        await context.Response.WriteAsync(System.Text.Json.JsonSerializer.Serialize(new { body, type = context.Request.ContentType }));
    }
}
