using System.Net.Sockets;
using System.Text;
using Lintel.TestKit;

namespace Lintel.FunctionalTests.Protocols;

/// <summary>Other protocols than WebSocket: <c>docker attach</c> asks for <c>tcp</c>, <c>kubectl exec</c> for <c>SPDY/3.1</c>.</summary>
[EveryTransport]
public sealed class UpgradeTests
{
    private const string Switched =
        "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: ";

    [Theory]
    [InlineData("[tcp]", "tcp", "tcp", "tcp")]
    [InlineData("[websocket, SPDY]", "SPDY/3.1", "SPDY/3.1", "SPDY/3.1")]
    [InlineData("[websocket, spdy/3.1]", "foo, SPDY/3.1", "SPDY/3.1", "spdy/3.1")]
    [InlineData(null, "foo, WebSocket", "websocket", "WebSocket")]
    public async Task Protocol_ThatIsAllowed_BecomesATunnel(string? allowed, string asked, string sent, string answered)
    {
        using var service = new RawServer(
            async (socket, head) =>
            {
                Assert.Contains($"Upgrade: {sent}\r\n", head, StringComparison.Ordinal);
                await socket.SendAsync(Encoding.ASCII.GetBytes($"{Switched}{answered}\r\n\r\nfirst "));
                await EchoAsync(socket);
            }
        );
        await using var gateway = await StartAsync(service, allowed);
        using var client = await gateway.ConnectAsync();
        await client.SendAsync($"POST /attach HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: {asked}\r\nContent-Length: 0\r\n\r\n");
        var head = await client.ReadHeadAsync();
        Assert.StartsWith("HTTP/1.1 101 ", head[0], StringComparison.Ordinal);
        Assert.Contains($"Upgrade: {sent}", head, StringComparer.OrdinalIgnoreCase);
        Assert.Contains("Content-Type: application/vnd.docker.raw-stream", head);
        Assert.Equal("first ", await client.ReadAsync(6));
        for (var i = 0; i < 3; i++)
        {
            await client.SendAsync("ping");
            Assert.Equal("ping", await client.ReadAsync(4));
        }

        await client.SendAsync("quit");
        Assert.Equal("bye", await client.ReadToEndAsync());
    }

    [Theory]
    [InlineData(null, "tcp", "")]
    [InlineData("[tcp]", "websocket", "")]
    [InlineData("[]", "websocket", "")]
    [InlineData("[tcp]", "h2c", "")]
    [InlineData("[tcp]", "tcp", "mirrored")]
    public async Task Protocol_ThatIsNotAllowed_IsPassedOver(string? allowed, string asked, string kind)
    {
        var heads = new List<string>();
        using var service = new RawServer(
            async (socket, head) =>
            {
                lock (heads)
                    heads.Add(head);
                await socket.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"u8.ToArray());
            }
        );
        await using var gateway = await StartAsync(service, allowed, kind);
        using var client = await gateway.ConnectAsync();
        await client.SendAsync($"GET /attach HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: {asked}\r\n\r\n");
        var answer = await client.ReadResponseAsync();
        Assert.Equal((200, "ok"), (answer.Status, answer.Body));
        if (kind.Length == 0)
            Assert.DoesNotContain("Upgrade", Assert.Single(heads), StringComparison.OrdinalIgnoreCase);
        else
            // the service's answer; the mirror, which never switches, got nothing
            Assert.Contains("Upgrade: tcp\r\n", Assert.Single(heads), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("websocket")]
    [InlineData("SPDY/2")]
    public async Task Answer_SwitchingToSomethingElse_IsRefused(string answered)
    {
        using var service = new RawServer((socket, _) => socket.SendAsync(Encoding.ASCII.GetBytes($"{Switched}{answered}\r\n\r\n")));
        await using var gateway = await StartAsync(service, "[SPDY/3.1, websocket]");
        using var client = await gateway.ConnectAsync();
        await client.SendAsync("GET /attach HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n");
        var answer = await client.ReadResponseAsync();
        Assert.Equal(502, answer.Status);
        Assert.Contains("upgrade-failed", answer.Body, StringComparison.Ordinal);
    }

    private static async Task EchoAsync(Socket socket)
    {
        var buffer = new byte[1024];
        int count;
        while ((count = await socket.ReceiveAsync(buffer)) > 0 && !buffer.AsSpan(0, count).StartsWith("quit"u8))
            await socket.SendAsync(buffer.AsMemory(0, count));
        await socket.SendAsync("bye"u8.ToArray());
    }

    private static Task<InProcessGateway> StartAsync(RawServer service, string? upgrades, string kind = "") =>
        InProcessGateway.StartAsync(
            $$"""
            services: { s: "{{service.Address}}" }
            routes:
              r:
                match: "/{**rest}"
                forward: { service: s{{(kind.Length == 0 ? "" : ", mirror: { service: s }")}} }
                {{(upgrades is null ? "" : $"upgrades: {upgrades}")}}
            """
        );
}
