using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;

namespace Lintel.FunctionalTests;

/// <summary>Stopping as load balancers expect it, seen from raw connections.</summary>
[EveryTransport]
public sealed class DrainTests
{
    private const int SigTerm = 15;

    private static readonly CancellationToken None = CancellationToken.None;

    private static string Yaml(string drainDelay, string service = "http://127.0.0.1:1") =>
        $$"""
            drainDelay: {{drainDelay}}
            drainTimeout: 30s
            services: { s: "{{service}}" }
            routes:
              r: { match: /x, respond: { body: hi } }
              s: { match: "/s/{**rest}", forward: s }
            """;

    [Fact]
    public async Task Delay_AfterTerm_ServesOnWhileReadinessSaysNo_AndAsksClientsToLeave()
    {
        await using var gateway = await LocalProgram.StartAsync(Yaml("2s"));
        using var admin = new HttpClient { BaseAddress = gateway.Admin };
        using var kept = await RawClient.ConnectAsync(gateway.Address);
        Assert.Null((await kept.GetAsync("/x"))["Connection"]);

        var before = Stopwatch.GetTimestamp();
        gateway.Signal(SigTerm);
        await Until.TrueAsync(() => IsNotReadyAsync(admin));
        var onKept = await kept.GetAsync("/x");
        Assert.Equal((200, "close"), (onKept.Status, onKept["Connection"]));
        Assert.Equal(-1, await kept.ReadByteAsync());
        using var late = await RawClient.ConnectAsync(gateway.Address);
        var onLate = await late.GetAsync("/nowhere");
        Assert.Equal((404, "close"), (onLate.Status, onLate["Connection"]));
        Assert.Equal(0, await gateway.ExitCodeAsync());
        Assert.True(Stopwatch.GetElapsedTime(before) >= TimeSpan.FromSeconds(2));
    }

    [Fact]
    public async Task Delay_AfterTerm_SendsGoAwayOnHttp2_AndEndsItsStreams()
    {
        var release = new TaskCompletionSource();
        await using var service = await TestService.StartAsync(async c =>
        {
            await release.Task;
            await c.Response.WriteAsync("whole");
        });
        await using var gateway = await LocalProgram.StartAsync(
            Yaml("2s", service.Address) + "\nlisteners: { public: { address: \"http://127.0.0.1:0\", protocols: [http2] } }"
        );
        using var admin = new HttpClient { BaseAddress = gateway.Admin };
        using var client = await RawClient.ConnectAsync(gateway.Address);
        await client.SendAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0");
        gateway.Signal(SigTerm);
        await Until.TrueAsync(() => IsNotReadyAsync(admin));

        // GET /s/1 with the authority "a", in HPACK's static table and literals; END_STREAM and END_HEADERS.
        await client.SendAsync("\0\0\u000b\u0001\u0005\0\0\0\u0001\u0082\u0086\u0044\u0004/s/1\u0041\u0001a");
        while (await ReadFrameAsync(client) is var type && type != 7) // GOAWAY
            Assert.InRange(type, 2, 8); // none of the response yet

        release.SetResult();
        var frames = new List<int>();
        while (await ReadFrameAsync(client) is >= 0 and var type)
            frames.Add(type);
        Assert.Contains(1, frames); // HEADERS
        Assert.Contains(0, frames); // DATA
        Assert.Equal(0, await gateway.ExitCodeAsync());
    }

    [Theory]
    [InlineData("0s")]
    [InlineData("300ms")]
    public async Task Term_UnderLoadOnKeptConnections_LosesNoAnswerHalfway(string delay)
    {
        await using var service = await TestService.StartAsync(c => c.Response.WriteAsync(new string('y', 5000)));
        await using var gateway = await LocalProgram.StartAsync(Yaml(delay, service.Address));
        var begun = new TaskCompletionSource();
        var answers = 0;
        var clients = Enumerable
            .Range(0, 24)
            .Select(async n =>
            {
                using var client = await RawClient.ConnectAsync(gateway.Address);
                while (true)
                {
                    RawResponse response;
                    try
                    {
                        response = await client.GetAsync(n % 2 == 0 ? "/s/" : "/x");
                    }
                    catch (IOException e)
                        when (e.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionReset or SocketError.Shutdown })
                    {
                        return true; // closed while the request was on its way, and nothing of an answer was read
                    }

                    if (response.Status == 0)
                        return true; // closed before any byte
                    if (response.Status != 200 || !response.IsWhole)
                        return false;
                    if (Interlocked.Increment(ref answers) > 500)
                        begun.TrySetResult();
                    if (response["Connection"] == "close")
                        return await client.ReadByteAsync() == -1;
                }
            })
            .ToList();
        await begun.Task.InTimeAsync();
        gateway.Signal(SigTerm);
        Assert.DoesNotContain(false, await Task.WhenAll(clients).InTimeAsync());
        Assert.Equal(0, await gateway.ExitCodeAsync());
    }

    [Fact]
    public async Task Term_WithARequestInFlight_EndsItWithClose_AndClosesIdleConnections()
    {
        var release = new TaskCompletionSource();
        var arrived = new TaskCompletionSource();
        await using var service = await TestService.StartAsync(async c =>
        {
            arrived.SetResult();
            await release.Task;
            await c.Response.WriteAsync("whole");
        });
        await using var gateway = await LocalProgram.StartAsync(Yaml("0s", service.Address));
        using var idle = await RawClient.ConnectAsync(gateway.Address);
        await idle.GetAsync("/x");
        using var busy = await RawClient.ConnectAsync(gateway.Address);
        var answer = busy.GetAsync("/s/1");
        await arrived.Task.InTimeAsync();
        gateway.Signal(SigTerm);
        Assert.Equal(-1, await idle.ReadByteAsync());
        await Assert.ThrowsAnyAsync<SocketException>(() => RawClient.ConnectAsync(gateway.Address));
        release.SetResult();
        var whole = await answer;
        Assert.Equal((200, "whole", "close"), (whole.Status, whole.Body, whole["Connection"]));
        Assert.Equal(0, await gateway.ExitCodeAsync());
    }

    private static async Task<bool> IsNotReadyAsync(HttpClient admin)
    {
        using var response = await admin.GetAsync(new Uri("/health/ready", UriKind.Relative), None);
        return response.StatusCode != HttpStatusCode.OK;
    }

    /// <summary>The type of the next HTTP/2 frame; -1 at the end.</summary>
    private static async Task<int> ReadFrameAsync(RawClient client)
    {
        var head = await client.ReadAsync(9);
        if (head.Length < 9)
            return -1;
        await client.ReadAsync((head[0] << 16) | (head[1] << 8) | head[2]);
        return head[3];
    }
}
