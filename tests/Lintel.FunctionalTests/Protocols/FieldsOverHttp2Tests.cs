using Lintel.TestKit;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Lintel.FunctionalTests.Protocols;

/// <summary>
/// Fields between an HTTP/1.1 client and an HTTP/2 service: all that may pass do, whichever object of .NET's carries them.
/// </summary>
[EveryTransport]
public sealed class FieldsOverHttp2Tests
{
    [Fact]
    public async Task Fields_OfContent_OfARequestWithoutContent_ReachTheService()
    {
        await using var service = await TestService.StartAsync(listen: static l => l.Protocols = HttpProtocols.Http2);
        await using var gateway = await StartAsync(service);
        var client = await gateway.ConnectAsync();
        await client.SendAsync(
            "GET /a HTTP/1.1\r\nHost: g\r\nContent-Type: a/b\r\nContent-Language: de\r\nContent-Encoding: x\r\nAllow: "
                + "GET\r\nExpires: never\r\nLast-Modified: once\r\nX-Own: 1\r\n\r\n"
        );
        var answer = await client.ReadResponseAsync();
        Assert.True(answer.Status == 200, answer.Body + string.Join('\n', gateway.Log));
        Assert.True(service.Seen.TryDequeue(out var seen));
        var names = new[] { "Content-Type", "Content-Language", "Content-Encoding", "Allow", "Expires", "Last-Modified", "X-Own" };
        Assert.Equal("a/b de x GET never once 1", string.Join(' ', names.Select(n => seen[n])));
    }

    [Fact]
    public async Task Fields_ThatAreEmpty_OfAnAnswer_ReachTheClient()
    {
        await using var service = await TestService.StartAsync(
            static context =>
            {
                context.Response.Headers["X-Empty"] = "";
                context.Response.Headers.ContentLanguage = "";
                return Task.CompletedTask;
            },
            static l => l.Protocols = HttpProtocols.Http2
        );
        await using var gateway = await StartAsync(service);
        var client = await gateway.ConnectAsync();
        await client.SendAsync("GET /a HTTP/1.1\r\nHost: g\r\n\r\n");
        var head = await client.ReadHeadAsync();
        Assert.Contains("X-Empty: ", head, StringComparer.OrdinalIgnoreCase);
        Assert.Contains("Content-Language: ", head, StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>No <c>Host</c> of a client causes an internal error.</summary>
    [Theory]
    [InlineData("a~b")]
    [InlineData("h..")]
    [InlineData("a_b:80")]
    [InlineData("[::1]:80")]
    [InlineData("x!$&'()*+,;=y")]
    public async Task Host_OfAnySpelling_IsPassedOnOrTheClientsMistake(string host)
    {
        await using var service = await TestService.StartAsync(listen: static l => l.Protocols = HttpProtocols.Http2);
        await using var gateway = await StartAsync(service);
        var client = await gateway.ConnectAsync();
        await client.SendAsync($"GET /a HTTP/1.1\r\nHost: {host}\r\n\r\n");
        var status = (await client.ReadHeadAsync())[0].Split(' ')[1];
        Assert.True(status is "400" || (status is "200" && service.Seen.Single().Host == host), status);
    }

    private static Task<InProcessGateway> StartAsync(TestService service) =>
        InProcessGateway.StartAsync(
            $$"""
            services: { s: { instances: ["{{service.Address}}"], protocol: http2 } }
            routes: { r: { match: "/{**rest}", forward: s } }
            """
        );
}
