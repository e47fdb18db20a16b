namespace Lintel.FunctionalTests.Composition;

/// <summary>
/// Answers that are kept and stand in for others, over sockets; for whom and for which request is shown in memory.
/// </summary>
[AnyTransport]
public sealed class KeptAnswerTests
{
    private const string Stale = "calls: { x: { request: a/x, optional: true, fallback: stale } }";

    [Theory]
    [InlineData(503)]
    public async Task Stale_InAnOutage_StandsIn(int status)
    {
        await using var backend = await Backend.StartAsync();
        await using var gateway = await ComposedGateway.StartAsync(Stale, backend);
        backend.On("x", "\"old\"");
        await gateway.GetAsync();
        backend.On("x", status, "{}");
        for (var i = 0; i < 2; i++)
            Assert.Equal("""{"x":"old"}""", (await gateway.GetAsync()).Body);
    }

    [Fact]
    public async Task KeptAnswer_OfAServiceThatMovedToAnotherAddress_IsNeverUsed()
    {
        await using var before = await Backend.StartAsync();
        await using var after = await Backend.StartAsync();
        before.On("x", "\"before\"");
        after.On("x", 503, "{}");
        await using var gateway = await ComposedGateway.StartAsync(Stale, before);
        Assert.Equal("""{"x":"before"}""", (await gateway.GetAsync()).Body);
        await gateway.Process.ReloadAsync(before.Address, after.Address);
        Assert.Equal("""{"x":null}""", (await gateway.GetAsync()).Body);
        Assert.Equal(1, after.Count("x"));
    }
}
