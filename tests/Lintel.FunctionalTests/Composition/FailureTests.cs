using System.Net;
using System.Net.Sockets;

namespace Lintel.FunctionalTests.Composition;

/// <summary>What the client learns of calls that fail on the wire; the rest is shown in memory.</summary>
[EveryTransport]
public sealed class FailureTests
{
    [Theory]
    [InlineData(503, 503, "call-unavailable")]
    public async Task RequiredCall_WithAnErrorStatus_IsTheAnswersFailure(int status, int expected, string error)
    {
        await using var backend = await Backend.StartAsync();
        backend.On("x", status, status == 304 ? "" : "{}").On("y", "1");
        await using var gateway = await ComposedGateway.StartAsync("calls: { x: a/x, y: a/y }", backend);
        var answer = await gateway.GetAsync();
        Assert.Equal(expected, answer.Status);
        Assert.Equal("application/problem+json", answer["Content-Type"]);
        Assert.Equal("urn:problem-type:lintel:" + error, (string?)answer.Json["type"]);
        Assert.Contains("`x`", (string?)answer.Json["detail"], StringComparison.Ordinal);
        Assert.Contains($"x;s={status};err={error};d=", answer.Composition, StringComparison.Ordinal);
        Assert.Contains($"received-status={status}", answer["Proxy-Status"], StringComparison.Ordinal);
        Assert.Equal("no-store", answer["Cache-Control"]);
    }

    [Fact]
    public async Task TwoContentTypes_AreAMalformedAnswer()
    {
        await using var backend = await Backend.StartAsync();
        using var service = new RawServer(
            (socket, _) =>
                socket.SendAsync(
                    (
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Type: text/plain\r\nContent-Length: "u8
                        + "1\r\n\r\n1"u8
                    ).ToArray()
                )
        );
        await using var gateway = await ComposedGateway.StartAsync("/c", "calls: { x: a/x }", [service.Address]);
        var answer = await gateway.GetAsync("/c");
        Assert.Equal(502, answer.Status);
        Assert.Contains("err=malformed-answer", answer.Of("x"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task InstanceThatRefuses_GivesWayToAnother()
    {
        using var closed = new TcpListener(IPAddress.Loopback, 0);
        closed.Start();
        var refusing = $"http://127.0.0.1:{((IPEndPoint)closed.LocalEndpoint).Port}";
        closed.Stop();
        await using var backend = await Backend.StartAsync();
        backend.On("x", "1");
        await using var gateway = await ComposedGateway.StartYamlAsync(
            $$"""
            services: { a: { instances: ["{{refusing}}", "{{backend.Address}}"], balancing: roundRobin } }
            routes: { c: { match: "/c/{id}", compose: { calls: { x: "a/x", y: "POST a/x" } } } }
            """
        );
        for (var i = 0; i < 4; i++)
            Assert.Equal((200, """{"x":1,"y":1}"""), await StatusAndBody(gateway));
    }

    [Fact]
    public async Task Service_ThatIsDown_IsTold()
    {
        using var closed = new TcpListener(IPAddress.Loopback, 0);
        closed.Start();
        var refusing = $"http://127.0.0.1:{((IPEndPoint)closed.LocalEndpoint).Port}";
        closed.Stop();
        await using var gateway = await ComposedGateway.StartAsync("/c/{id}", "calls: { x: a/x }", [refusing]);
        var answer = await gateway.GetAsync();
        Assert.Equal(502, answer.Status);
        Assert.Contains("error=connection_refused", answer["Proxy-Status"], StringComparison.Ordinal);
    }

    private static async Task<(int Status, string Body)> StatusAndBody(ComposedGateway gateway)
    {
        var answer = await gateway.GetAsync();
        return (answer.Status, answer.Body);
    }
}
