using System.Text;
using Lintel.Control.Status;
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

    [Fact]
    public async Task ClientsBody_ThatNobodyLooksInto_NeedNotBeJson()
    {
        await using var backend = await Backend.StartAsync();
        backend.On("raw", EchoAsync);
        await using var gateway = await ComposedGateway.StartAsync("calls: { raw: { request: POST a/raw, body: request } }", backend);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/c/1")
        {
            Content = new StringContent("a=b", Encoding.ASCII, "application/x-www-form-urlencoded"),
        };
        Assert.Equal("a=b", (string?)(await gateway.SendAsync(request)).Json["raw"]!["body"]);
    }

    [Theory]
    [InlineData("{", 400)]
    [InlineData("\xff", 200)]
    public async Task ClientsBody_ThatIsNoJson_IsTheClientsMistake(string text, int status)
    {
        await using var backend = await Backend.StartAsync();
        backend.On("made", EchoAsync);
        await using var gateway = await ComposedGateway.StartAsync(
            "calls: { made: { request: POST a/made, body: { x: request } } }",
            backend
        );
        using var request = new HttpRequestMessage(HttpMethod.Post, "/c/1")
        {
            Content = new StringContent(status == 200 ? "\"" + text + "\"" : text),
        };
        Assert.Equal(status, (await gateway.SendAsync(request)).Status);
    }

    [Fact]
    public async Task ClientsBody_BeyondTheLimit_IsRefused()
    {
        await using var backend = await Backend.StartAsync();
        backend.On("raw", EchoAsync);
        await using var gateway = await ComposedGateway.StartAsync(
            "limits: { call: 1KiB }\ncalls: { raw: { request: POST a/raw, body: request } }",
            backend
        );
        using var request = new HttpRequestMessage(HttpMethod.Post, "/c/1") { Content = new ByteArrayContent(new byte[1025]) };
        Assert.Equal(413, (await gateway.SendAsync(request)).Status);
        Assert.Empty(backend.Seen);
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

    [Fact]
    public async Task Undoing_ThatFails_IsTold_AndTheOthersAreStillUndone()
    {
        await using var backend = await Backend.StartAsync();
        backend
            .On("one", "1")
            .On("two", "2")
            .On("bad", 500, "")
            .On("undo", context =>
            {
                context.Response.StatusCode = context.Request.Path.Value!.EndsWith('2') ? 500 : 204;
                return Task.CompletedTask;
            });
        await using var gateway = await ComposedGateway.StartAsync(
            """
            calls:
              one: { request: POST a/one, compensate: "DELETE a/undo/1" }
              two: { request: POST a/two, after: [one], compensate: "DELETE a/undo/2" }
              bad: { request: POST a/bad, after: [two] }
            """,
            backend
        );
        var answer = await gateway.SendAsync(new HttpRequestMessage(HttpMethod.Post, "/c/1"));
        Assert.EndsWith(";compensated=?0", answer.Of("two"), StringComparison.Ordinal);
        Assert.EndsWith(";compensated", answer.Of("one"), StringComparison.Ordinal);
        await Until.TrueAsync(() => gateway.Process.Gateway.Errors.Any(e => e.Error == "call-failed")); // told after the answer
    }

    [Fact]
    public async Task NothingIsUndone_WhereOnlyAnOptionalCallFailed()
    {
        await using var backend = await Backend.StartAsync();
        backend.On("one", "1").On("bad", 500, "").On("undo", 204, "");
        await using var gateway = await ComposedGateway.StartAsync(
            "calls: { one: { request: POST a/one, compensate: DELETE a/undo }, bad: { request: POST a/bad, optional: true } }",
            backend
        );
        Assert.Equal("""{"one":1,"bad":null}""", (await gateway.SendAsync(new HttpRequestMessage(HttpMethod.Post, "/c/1"))).Body);
        Assert.Equal(0, backend.Count("undo"));
    }

    private static async Task EchoAsync(HttpContext context)
    {
        var body = await Backend.BodyOf(context);
        await context.Response.WriteAsync(System.Text.Json.JsonSerializer.Serialize(new { body, type = context.Request.ContentType }));
    }
}
