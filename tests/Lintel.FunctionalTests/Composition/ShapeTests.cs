namespace Lintel.FunctionalTests.Composition;

/// <summary>HEAD, whose answer is cut short by the server.</summary>
[EveryTransport]
public sealed class ShapeTests
{
    [Fact]
    public async Task Head_IsGetWithoutItsBody_AndACallMayBeHeadItself()
    {
        await using var backend = await Backend.StartAsync();
        backend
            .On("x", 200, "{\"a\":1}", ("ETag", "\"1\""))
            .On("head", context =>
            {
                context.Response.ContentLength = 1000;
                context.Response.Headers.ETag = "\"2\"";
                return Task.CompletedTask;
            });
        await using var gateway = await ComposedGateway.StartAsync("calls: { x: a/x, head: HEAD a/head }", backend);
        var got = await gateway.GetAsync();
        Assert.Equal("""{"x":{"a":1},"head":null}""", got.Body);
        var answer = await gateway.SendAsync(new HttpRequestMessage(HttpMethod.Head, "/c/7"));
        Assert.Equal((200, "", got["Content-Length"], got["ETag"]), (answer.Status, answer.Body, answer["Content-Length"], answer["ETag"]));
        Assert.Equal("GET", backend.Seen.First(r => r.Target == "/x").Method);
    }
}
