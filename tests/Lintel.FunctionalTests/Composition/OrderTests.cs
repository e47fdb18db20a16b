using Lintel.TestKit;

namespace Lintel.FunctionalTests.Composition;

/// <summary>Behavior that only a connection shows: a client that disconnects, and bytes that trickle in.</summary>
[EveryTransport]
public sealed class OrderTests
{
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
}
