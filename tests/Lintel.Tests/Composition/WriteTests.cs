using Lintel.TestKit;
using Microsoft.AspNetCore.Http;

namespace Lintel.Tests.Composition;

/// <summary>Calls with bodies and effects, and how they are undone.</summary>
public sealed class WriteTests
{
    [Fact]
    public async Task ClientsBody_ThatNobodyLooksInto_NeedNotBeJson()
    {
        var backend = new MemoryService();
        backend.On("raw", EchoAsync);
        using var gateway = MemoryGateway.Compose("calls: { raw: { request: POST a/raw, body: request } }", backend);
        var answer = await gateway.SendAsync("POST", "/c/1", "a=b", ("Content-Type", "application/x-www-form-urlencoded"));
        Assert.Equal("a=b", (string?)answer.Json["raw"]!["body"]);
    }

    [Theory]
    [InlineData("{", 400)]
    [InlineData("\xff", 200)]
    public async Task ClientsBody_ThatIsNoJson_IsTheClientsMistake(string text, int status)
    {
        var backend = new MemoryService();
        backend.On("made", EchoAsync);
        using var gateway = MemoryGateway.Compose("calls: { made: { request: POST a/made, body: { x: request } } }", backend);
        var answer = await gateway.SendAsync("POST", "/c/1", status == 200 ? "\"" + text + "\"" : text);
        Assert.Equal(status, answer.Status);
    }

    [Fact]
    public async Task ClientsBody_BeyondTheLimit_IsRefused()
    {
        var backend = new MemoryService();
        backend.On("raw", EchoAsync);
        using var gateway = MemoryGateway.Compose(
            "limits: { call: 1KiB }\ncalls: { raw: { request: POST a/raw, body: request } }",
            backend
        );
        Assert.Equal(413, (await gateway.SendAsync("POST", "/c/1", new string('x', 1025))).Status);
        Assert.Empty(backend.Seen);
    }

    [Fact]
    public async Task Undoing_ThatFails_IsTold_AndTheOthersAreStillUndone()
    {
        var backend = new MemoryService();
        backend
            .On("one", "1")
            .On("two", "2")
            .On("bad", 500, "")
            .On("undo", context =>
            {
                context.Response.StatusCode = context.Request.Path.Value!.EndsWith('2') ? 500 : 204;
                return Task.CompletedTask;
            });
        using var gateway = MemoryGateway.Compose(
            """
            calls:
              one: { request: POST a/one, compensate: "DELETE a/undo/1" }
              two: { request: POST a/two, after: [one], compensate: "DELETE a/undo/2" }
              bad: { request: POST a/bad, after: [two] }
            """,
            backend
        );
        var answer = await gateway.SendAsync("POST", "/c/1", null);
        Assert.EndsWith(";compensated=?0", answer.Of("two"), StringComparison.Ordinal);
        Assert.EndsWith(";compensated", answer.Of("one"), StringComparison.Ordinal);
        await Until.TrueAsync(() => gateway.Failures.Contains("call-failed")); // told after the answer
    }

    [Fact]
    public async Task NothingIsUndone_WhereOnlyAnOptionalCallFailed()
    {
        var backend = new MemoryService();
        backend.On("one", "1").On("bad", 500, "").On("undo", 204, "");
        using var gateway = MemoryGateway.Compose(
            "calls: { one: { request: POST a/one, compensate: DELETE a/undo }, bad: { request: POST a/bad, optional: true } }",
            backend
        );
        Assert.Equal("""{"one":1,"bad":null}""", (await gateway.SendAsync("POST", "/c/1", null)).Body);
        Assert.Equal(0, backend.Count("undo"));
    }

    private static async Task EchoAsync(HttpContext context)
    {
        var body = await ScriptedAnswers.BodyOf(context);
        await context.Response.WriteAsync(System.Text.Json.JsonSerializer.Serialize(new { body, type = context.Request.ContentType }));
    }
}
