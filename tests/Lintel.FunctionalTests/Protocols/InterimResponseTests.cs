using System.Text;
using Lintel.TestKit;

namespace Lintel.FunctionalTests.Protocols;

/// <summary>Interim responses (RFC 9110 section 15.2) from a service through the gateway to an HTTP/1.1 client.</summary>
[EveryTransport]
public sealed class InterimResponseTests : IAsyncLifetime
{
    private readonly TaskCompletionSource _finish = new();
    private RawServer _server = null!;
    private InProcessGateway _gateway = null!;

    public async ValueTask InitializeAsync()
    {
        _server = new RawServer(
            async (socket, head) =>
            {
                async Task Send(string text) => await socket.SendAsync(Encoding.Latin1.GetBytes(text));
                await Send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n");
                if (head.StartsWith("GET /two", StringComparison.Ordinal))
                    await Send("HTTP/1.1 102 Processing\r\n\r\n");
                if (!head.StartsWith("GET /now", StringComparison.Ordinal))
                    await _finish.Task;
                await Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
            }
        );
        _gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: "{{_server.Address}}" }
            routes: { s: { match: "/{**rest}", forward: s } }
            """
        );
    }

    public async ValueTask DisposeAsync()
    {
        await _gateway.DisposeAsync();
        _server.Dispose();
    }

    [Fact]
    public async Task EarlyHints_ReachTheClientBeforeTheAnswer()
    {
        using var client = await _gateway.ConnectAsync();
        await client.SendAsync("GET /later HTTP/1.1\r\nHost: t\r\nSec-Fetch-Mode: navigate\r\n\r\n");
        var hints = await client.ReadHeadAsync(); // the service has not answered yet: it waits for the line below
        Assert.Equal(["HTTP/1.1 103 Early Hints", "Link: </a.css>; rel=preload"], hints);
        _finish.SetResult();
        var response = await client.ReadResponseAsync();
        Assert.Equal((200, "ok"), (response.Status, response.Body));
    }

    [Fact]
    public async Task SeveralInterimResponses_ComeInOrder_AndTheConnectionGoesOn()
    {
        _finish.SetResult();
        using var client = await _gateway.ConnectAsync();
        for (var i = 0; i < 3; i++)
        {
            await client.SendAsync("GET /two HTTP/1.1\r\nHost: t\r\nSec-Fetch-Mode: navigate\r\n\r\n");
            Assert.Equal("HTTP/1.1 103 Early Hints", (await client.ReadHeadAsync())[0]);
            Assert.Equal("HTTP/1.1 102 Processing", (await client.ReadHeadAsync())[0]);
            Assert.Equal("ok", (await client.ReadResponseAsync()).Body);
        }
    }

    [Theory]
    [InlineData("GET /now HTTP/1.0\r\nHost: t\r\nSec-Fetch-Mode: navigate\r\n\r\n")]
    [InlineData("GET /now HTTP/1.1\r\nHost: t\r\nSec-Fetch-Mode: cors\r\n\r\n")]
    [InlineData("GET /now HTTP/1.1\r\nHost: t\r\n\r\n")]
    [InlineData("GET /now HTTP/1.1\r\nHost: t\r\nSec-Fetch-Mode: navigate\r\nExpect: 100-continue\r\n\r\n")]
    public async Task ClientThatMustNotBeTold_GetsTheAnswerAlone(string request)
    {
        using var client = await _gateway.ConnectAsync();
        await client.SendAsync(request);
        Assert.Equal("ok", (await client.ReadResponseAsync()).Body);
    }
}
