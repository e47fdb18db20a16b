using System.Net;
using System.Text;
using System.Text.Json;
using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary>
/// Answers whose status or length defines no content, or less than they have; whatever the service sends, the client and the
/// log see the same.
/// </summary>
[EveryTransport]
public sealed class AnswerContentTests
{
    [Theory]
    [InlineData("204 No Content\r\nContent-Length: 5\r\n\r\n", 204, null)]
    [InlineData("204 No Content\r\nContent-Length: 5\r\n\r\nhello", 204, null)]
    [InlineData("204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 204, null)]
    [InlineData("205 Reset Content\r\nContent-Length: 5\r\n\r\nhello", 205, "0")]
    [InlineData("205 Reset Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 205, "0")]
    [InlineData("205 Reset Content\r\n\r\n", 205, "0")]
    [InlineData("304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, "5")]
    public async Task Answer_WithoutContentByItsStatus_HasNone(string answer, int status, string? length)
    {
        using var server = new RawServer(async (socket, _) => await socket.SendAsync(Encoding.Latin1.GetBytes("HTTP/1.1 " + answer)));
        await using var gateway = await LoggedGateway.StartAsync(Yaml(server.Address));
        foreach (var method in new[] { "GET", "HEAD" })
        {
            using var client = await gateway.ConnectAsync();
            await client.SendAsync($"{method} /s HTTP/1.1\r\nHost: t\r\n\r\n");
            var response = await client.ReadResponseAsync(hasBody: method != "HEAD");
            Assert.Equal((status, length, ""), (response.Status, response["Content-Length"], response.Body));
            await client.SendAsync("GET /ok HTTP/1.1\r\nHost: t\r\n\r\n"); // the client's connection goes on
            Assert.Equal("fine", (await client.ReadResponseAsync()).Body);
        }

        Assert.Equal(status, await StatusOverHttp2Async(gateway));
        Assert.Equal([200, 200, status, status, status], (await gateway.StopAsync()).Select(Status).Order());
    }

    [Fact]
    public async Task Answer_MalformedFromItsFirstChunkOn_Is502()
    {
        using var server = new RawServer(
            async (socket, _) => await socket.SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"u8.ToArray())
        );
        await using var gateway = await LoggedGateway.StartAsync(Yaml(server.Address));
        using var client = await gateway.ConnectAsync();
        Assert.SkipWhen(Transport.IsSockets, "the forwarder has passed the head on before .NET's handler looks");
        Assert.Equal(502, (await client.GetAsync("/s")).Status);
        Assert.Equal([502], (await gateway.StopAsync()).Select(Status));
    }

    [Theory]
    [InlineData("Content-Length: 100\r\n\r\n8 bytes!", "8 bytes!")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n8\r\n8 bytes!\r\n", "8\r\n8 bytes!\r\n")]
    public async Task Answer_CutOff_DeliversWhatCame(string answer, string received)
    {
        Assert.SkipWhen(Transport.IsSockets, "Kestrel's sockets throw away what they have when they are aborted");
        using var server = new RawServer(
            async (socket, _) => await socket.SendAsync(Encoding.Latin1.GetBytes("HTTP/1.1 200 OK\r\n" + answer))
        );
        await using var gateway = await LoggedGateway.StartAsync(Yaml(server.Address));
        using var client = await gateway.ConnectAsync();
        await client.SendAsync("GET /s HTTP/1.1\r\nHost: t\r\n\r\n");
        var text = await ReadWhatComesAsync(client);
        Assert.StartsWith("HTTP/1.1 200 OK\r\n", text, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\n" + received, text, StringComparison.Ordinal);
        Assert.Equal(["response-incomplete"], (await gateway.StopAsync()).Select(l => l.GetProperty("error").GetString()));
    }

    [Fact]
    public async Task Upgrade_ThatIsRequired_IsTold()
    {
        using var server = new RawServer(
            async (socket, _) =>
                await socket.SendAsync(
                    "HTTP/1.1 426 Upgrade Required\r\nUpgrade: TLS/1.3\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n"u8.ToArray()
                )
        );
        await using var gateway = await LoggedGateway.StartAsync(Yaml(server.Address));
        using var client = await gateway.ConnectAsync();
        var response = await client.GetAsync("/s");
        Assert.Equal((426, "TLS/1.3"), (response.Status, response["Upgrade"]));
        Assert.Equal(426, await StatusOverHttp2Async(gateway));
    }

    [Fact]
    public async Task ReasonPhrase_OfTheService_ReachesHttp1Clients()
    {
        using var server = new RawServer(
            async (socket, _) => await socket.SendAsync("HTTP/1.1 422 Stock exhausted\r\nContent-Length: 0\r\n\r\n"u8.ToArray())
        );
        await using var gateway = await LoggedGateway.StartAsync(Yaml(server.Address));
        using var client = await gateway.ConnectAsync();
        Assert.Equal("HTTP/1.1 422 Stock exhausted", (await client.GetAsync("/s")).Head[0]);
        Assert.Equal("HTTP/1.1 200 OK", (await client.GetAsync("/ok")).Head[0]);
        Assert.Equal(422, await StatusOverHttp2Async(gateway));
    }

    [Fact]
    public async Task Blanks_BeforeTheColonOfAField_AreRemoved()
    {
        Assert.SkipWhen(Transport.IsSockets, ".NET's handler refuses them");
        using var server = new RawServer(
            async (socket, _) => await socket.SendAsync("HTTP/1.1 200 OK\r\nX-P : 1\r\nContent-Length \t: 2\r\n\r\nok"u8.ToArray())
        );
        await using var gateway = await LoggedGateway.StartAsync(Yaml(server.Address));
        using var client = await gateway.ConnectAsync();
        var response = await client.GetAsync("/s");
        Assert.Equal((200, "1", "ok"), (response.Status, response["X-P"], response.Body));
    }

    internal static int Status(JsonElement line) => line.GetProperty("status").GetInt32();

    private static async Task<int> StatusOverHttp2Async(LoggedGateway gateway)
    {
        using var client = new HttpClient
        {
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        using var response = await client.GetAsync(new Uri(gateway.Running.AddressOf("h2"), "/s"), TestContext.Current.CancellationToken);
        Assert.Equal("", await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        return (int)response.StatusCode;
    }

    private static async Task<string> ReadWhatComesAsync(RawClient client)
    {
        var text = new StringBuilder();
        try
        {
            for (int b; (b = await client.ReadByteAsync()) >= 0; )
                text.Append((char)b);
        }
        catch (IOException)
        {
            // A reset shows the cut as well as an end does.
        }

        return text.ToString();
    }

    private static string Yaml(string service) =>
        $$"""
            listeners: { public: "http://127.0.0.1:0", h2: { address: "http://127.0.0.1:0", protocols: [http2] } }
            services: { s: "{{service}}" }
            routes:
              ok: { match: "/ok", respond: { body: fine } }
              s: { match: "/{**rest}", forward: s }
            """;
}
