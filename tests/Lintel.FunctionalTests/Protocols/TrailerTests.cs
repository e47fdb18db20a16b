using Lintel.TestKit;
using Microsoft.AspNetCore.Http;

namespace Lintel.FunctionalTests.Protocols;

/// <summary>Trailers of chunked HTTP/1.1 messages, both ways.</summary>
[EveryTransport]
public sealed class TrailerTests
{
    [Theory]
    [InlineData("TE: trailers\r\n", true)]
    [InlineData("", false)]
    public async Task Trailers_OfAResponse_ReachAnHttp1ClientThatWantsThem(string te, bool wanted)
    {
        using var server = new RawServer(
            async (socket, _) =>
            {
                await socket.SendAsync(
                    (
                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, X-Other\r\nConnection: "u8
                        + "close\r\n\r\n5\r\nhello\r\n5\r\n0\r\n\r\n\r\n0\r\nX-Sum: 42\r\nX-Other: a\r\nConnection: x\r\n\r\n"u8
                    ).ToArray()
                );
            }
        );
        await using var gateway = await StartAsync(server.Address);
        using var client = await gateway.ConnectAsync();
        for (var i = 0; i < 3; i++)
        {
            await client.SendAsync($"GET /s HTTP/1.1\r\nHost: t\r\n{te}\r\n");
            var response = await client.ReadResponseAsync();
            Assert.Equal("hello0\r\n\r\n", response.Body);
            Assert.Equal(wanted ? ["X-Sum: 42", "X-Other: a"] : [], response.Trailers);
        }
    }

    [Fact]
    public async Task Trailers_OfARequest_ReachAnHttp1Service()
    {
        var seen = new List<string>();
        await using var service = await TestService.StartAsync(async c =>
        {
            using var reader = new StreamReader(c.Request.Body);
            seen.Add(
                $"{await reader.ReadToEndAsync(c.RequestAborted)} {c.Request.GetTrailer("X-Sum")} {c.Request.GetTrailer("X-Forwarded-For")}"
            );
            await c.Response.WriteAsync("ok");
        });
        await using var gateway = await StartAsync(service.Address);
        using var client = await gateway.ConnectAsync();
        for (var i = 0; i < 2; i++)
        {
            await client.SendAsync(
                "POST /s HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: "
                    + "42\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n"
            );
            Assert.Equal("ok", (await client.ReadResponseAsync()).Body);
        }

        Assert.Equal(["hello 42 ", "hello 42 "], seen);
    }

    private static Task<InProcessGateway> StartAsync(string service) =>
        InProcessGateway.StartAsync(
            $$"""
            services: { s: "{{service}}" }
            routes: { s: { match: "/{**rest}", forward: s } }
            """
        );
}
