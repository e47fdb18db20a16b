using System.Text;
using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary>Services that close idle connections just as the next request arrives, as Node does after 5 s.</summary>
[EveryTransport]
public sealed class KeptConnectionTests
{
    /// <summary>No request fails that was not sent, no loop is held, and no time limit fires.</summary>
    [Theory]
    [InlineData("/f")]
    [InlineData("/c")]
    public async Task Posts_ThatComeAsTheServiceEndsIdleConnections_AreAnswered(string path)
    {
        using var service = new RawServer(
            async (socket, head) =>
            {
                var buffer = new byte[4096];
                while (true)
                {
                    var needed = head.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4 + 2;
                    while (head.Length < needed)
                        head += Encoding.Latin1.GetString(buffer, 0, await socket.ReceiveAsync(buffer));
                    await socket.SendAsync("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"u8.ToArray());
                    using var idle = new CancellationTokenSource(TimeSpan.FromMilliseconds(10));
                    try
                    {
                        var count = await socket.ReceiveAsync(buffer, idle.Token);
                        if (count == 0)
                            return;
                        head = Encoding.Latin1.GetString(buffer, 0, count);
                    }
                    catch (OperationCanceledException)
                    {
                        return;
                    }
                }
            }
        );
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: "{{service.Address}}" }
            routes:
              forward: { match: /f, forward: s/x }
              composed: { match: /c, compose: { calls: { a: { request: POST s/x, body: request } } } }
            """
        );
        var statuses = await Task.WhenAll(
                Enumerable
                    .Range(0, 8)
                    .Select(async n =>
                    {
                        using var client = await gateway.ConnectAsync();
                        var seen = new List<int>();
                        for (var i = 0; i < 40; i++)
                        {
                            await client.SendAsync(
                                $"POST {path} HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
                            );
                            seen.Add((await client.ReadResponseAsync()).Status);
                            await Task.Delay(10);
                        }

                        return seen;
                    })
            )
            .WaitAsync(TimeSpan.FromSeconds(60));

        // A POST that met the end on its way is not sent again (RFC 9110 section 9.2.2): 502, at once.
        Assert.All(statuses.SelectMany(s => s), s => Assert.True(s is 200 or 502, $"{s}"));
        Assert.DoesNotContain(gateway.Log, l => l.Contains("has been blocked", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Connections_OfAService_AreNoMoreThanItsMax_AndEndWhenTheyAreIdle()
    {
        await using var service = await TestService.StartAsync(async c => await Task.Delay(5));
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: { instances: ["http://127.0.0.1:{{service.Port}}"], connections: { max: 1, idle: 100ms, lifetime: 10m } } }
            routes: { r: { match: /, forward: s } }
            """
        );
        await Task.WhenAll(
            Enumerable
                .Range(0, 20)
                .Select(async _ => Assert.True((await gateway.Client.GetAsync(new Uri("/", UriKind.Relative))).IsSuccessStatusCode))
        );
        Assert.InRange(service.Connections, 1, Environment.ProcessorCount); // each loop has one at least
        var before = service.Connections;
        using var deadline = new CancellationTokenSource(GatewayProcess.Patience);
        using var idle = new PeriodicTimer(TimeSpan.FromMilliseconds(300));
        do
        {
            await idle.WaitForNextTickAsync(deadline.Token);
            Assert.True((await gateway.Client.GetAsync(new Uri("/", UriKind.Relative))).IsSuccessStatusCode);
        } while (service.Connections == before);
    }
}
