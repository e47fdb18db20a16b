using System.Net.Sockets;
using Lintel.Control.Status;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;

namespace Lintel.FunctionalTests;

/// <summary>
/// Clients that close their side of the connection after a complete request (RFC 9112 section 9.6), as <c>nc -N</c> and many simple clients
/// do.
/// </summary>
[EveryTransport]
public sealed class HalfCloseTests
{
    private const string Routes = """
        routes:
          forward: { match: "/f/{**rest}", forward: "s/{rest}" }
          composed: { match: "/c/{**rest}", compose: { calls: { a: "s/{rest}", b: "s/small" } } }
          stream: { match: "/s/{**rest}", compose: { stream: true, calls: { a: "s/{rest}", b: "s/small" } } }
          # A stream that never has a part for longer than this: what its client is then sent tells that it has gone.
          hurried: { match: "/h/{**rest}", compose: { stream: true, deadline: 1s, calls: { a: "s/{rest}", b: "s/small" } } }
          own: { match: /own, respond: { body: own } }
        """;

    [Theory]
    [InlineData("/f/small", 1)]
    [InlineData("/f/late", 1)]
    [InlineData("/f/large", 1)]
    [InlineData("/f/pieces", 1)]
    [InlineData("/c/late", 1)]
    [InlineData("/c/large", 1)]
    [InlineData("/s/late", 1)]
    [InlineData("/own", 1)]
    [InlineData("/f/late", 3)]
    [InlineData("/c/late", 3)]
    [InlineData("/own", 3)]
    public async Task EndOfSending_AfterWholeRequests_GetsTheAnswersAndTheEnd(string path, int requests)
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var service = await StartAsync(ended.Task);
        await using var gateway = await InProcessGateway.StartAsync($"services: {{ s: \"http://127.0.0.1:{service.Port}\" }}\n{Routes}");
        using var client = await gateway.ConnectAsync();
        await client.SendAsync(string.Concat(Enumerable.Repeat($"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n", requests)));
        client.Socket.Shutdown(SocketShutdown.Send);
        ended.SetResult();
        for (var i = 0; i < requests; i++)
        {
            var answer = await client.ReadResponseAsync();
            Assert.Equal((200, true), (answer.Status, answer.IsWhole));
            Assert.True(answer.Body.Length > 0);
            if (path.StartsWith("/s/", StringComparison.Ordinal))
                Assert.Contains("_composition", answer.Body, StringComparison.Ordinal);
            if (path.EndsWith("large", StringComparison.Ordinal))
                Assert.True(answer.Body.Length >= 3_000_000);
        }

        Assert.Equal(-1, await client.ReadByteAsync());
    }

    [Fact]
    public async Task EndOfSending_WithinABody_EndsTheRequest()
    {
        await using var service = await StartAsync();
        await using var gateway = await InProcessGateway.StartAsync($"services: {{ s: \"http://127.0.0.1:{service.Port}\" }}\n{Routes}");
        using var client = await gateway.ConnectAsync();
        await client.SendAsync("POST /f/small HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\nhalf");
        client.Socket.Shutdown(SocketShutdown.Send);
        try
        {
            Assert.DoesNotContain(" 200 ", await client.ReadToEndAsync(), StringComparison.Ordinal);
        }
        catch (IOException)
        {
            // A reset means the same.
        }

        await Until.TrueAsync(() => gateway.Gateway.Services.Single().Instances.Sum(i => i.RequestsInFlight) == 0);
    }

    /// <summary>A client that resets the connection has disconnected, also after closing its sending side.</summary>
    [Theory]
    [InlineData("/f/never")]
    [InlineData("/c/never")]
    [InlineData("/s/never")]
    public async Task Reset_AfterTheEndOfSending_CutsOffTheExchange(string path)
    {
        await using var service = await StartAsync();
        await using var gateway = await InProcessGateway.StartAsync($"services: {{ s: \"http://127.0.0.1:{service.Port}\" }}\n{Routes}");
        using var client = await gateway.ConnectAsync();
        await client.SendAsync($"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n");
        client.Socket.Shutdown(SocketShutdown.Send);
        await Until.TrueAsync(() => gateway.Gateway.Services.Single().Instances.Sum(i => i.RequestsInFlight) > 0);
        client.Dispose(); // a reset
        await Until.TrueAsync(() => gateway.Gateway.Services.Single().Instances.Sum(i => i.RequestsInFlight) == 0);
    }

    /// <summary>A client that has ended both sides without a reset is noticed by what is sent to it.</summary>
    [Theory]
    [InlineData("/f/endless")]
    [InlineData("/h/endless")]
    public async Task Close_WhileAnAnswerFlows_CutsOffTheExchange(string path)
    {
        await using var service = await StartAsync();
        await using var gateway = await InProcessGateway.StartAsync($"services: {{ s: \"http://127.0.0.1:{service.Port}\" }}\n{Routes}");
        using var client = await gateway.ConnectAsync();
        await client.SendAsync($"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n");
        client.Socket.Shutdown(SocketShutdown.Send);
        Assert.Equal("HTTP/1.1 200 OK", await client.ReadLineAsync());
        client.Socket.LingerState = new LingerOption(false, 0);
        client.Dispose();
        await Until.TrueAsync(() => gateway.Gateway.Services.Single().Instances.Sum(i => i.RequestsInFlight) == 0);
    }

    /// <param name="late">What the answer of <c>/late</c> waits for: at once where it is left out.</param>
    private static Task<TestService> StartAsync(Task? late = null) =>
        TestService.StartAsync(async c =>
        {
            c.Response.ContentType = "application/json";
            switch (c.Request.Path.Value)
            {
                case "/small":
                    await c.Response.WriteAsync("{\"small\":1}");
                    break;
                case "/late":
                    await (late ?? Task.CompletedTask);
                    await c.Response.WriteAsync("{\"late\":1}");
                    break;
                case "/large":
                    await c.Response.WriteAsync("\"" + new string('x', 3_000_000) + "\"");
                    break;
                case "/pieces":
                    for (var i = 0; i < 5; i++)
                    {
                        await c.Response.WriteAsync("piece");
                        await c.Response.Body.FlushAsync();
                    }

                    break;
                case "/endless":
                    using (var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(5)))
                    {
                        while (!c.RequestAborted.IsCancellationRequested)
                        {
                            await c.Response.WriteAsync("        ");
                            await c.Response.Body.FlushAsync();
                            await pace.WaitForNextTickAsync();
                        }
                    }

                    break;
                default:
                    await Task.Delay(Timeout.Infinite, c.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
                    break;
            }
        });
}
