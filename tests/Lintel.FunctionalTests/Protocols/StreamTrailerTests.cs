using System.Collections.Concurrent;
using System.Text.Json;
using Lintel.Config;
using Lintel.TestKit;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using static Lintel.FunctionalTests.FrameClient;

namespace Lintel.FunctionalTests.Protocols;

/// <summary>Trailers of HTTP/2 requests: under the syntax of headers, and never what belongs before the body.</summary>
[EveryTransport]
public sealed class StreamTrailerTests
{
    [Theory]
    [InlineData("a: 1\r\n\r\npost /x?", "HTTP/1.1", null)]
    [InlineData("a: 1\r\n\r\npost /x?", "HTTP/1.1", "5")]
    [InlineData("x:t", "1", null)]
    [InlineData(" x", "1", "5")]
    [InlineData("x", "1\u0007", null)]
    public async Task Trailers_ThatAreMalformed_ResetTheStreamAtOnce(string name, string value, string? length)
    {
        var received = new ConcurrentQueue<string>();
        using var server = new RawServer(
            async (socket, head) =>
            {
                var buffer = new byte[4096];
                try
                {
                    for (int count; (count = await socket.ReceiveAsync(buffer)) > 0; )
                        head += System.Text.Encoding.Latin1.GetString(buffer, 0, count);
                }
                finally
                {
                    received.Enqueue(head);
                }
            }
        );
        await using var gateway = await LoggedGateway.StartAsync(Yaml(server.Address));
        using (var client = await ConnectAsync(gateway.Address))
        {
            await client.SendAsync(Request(length, (name, value)));
            Assert.Equal("reset PROTOCOL_ERROR", await client.OutcomeAsync(1));
            await client.SendAsync(Frame(Headers, EndHeaders | EndStream, 3, Get("/ok"))); // the connection goes on
            Assert.Equal("200", await client.OutcomeAsync(3));
        }

        var lines = await gateway.StopAsync();
        Assert.Equal(2, lines.Length);
        var refused = Assert.Single(lines, l => Error(l) == "bad-framing"); // the next stream may end before it
        Assert.Equal(400, refused.GetProperty("status").GetInt32());
        Assert.Contains("in the trailers", refused.GetProperty("detail").GetString(), StringComparison.Ordinal);

        // Neither the end of chunks nor all of the bytes that were promised.
        Assert.All(received, r =>
            Assert.False(
                r.Contains("\r\n0\r\n", StringComparison.Ordinal) || (r.EndsWith("hello", StringComparison.Ordinal) && length is not null),
                r
            )
        );
    }

    [Fact]
    public async Task Trailers_ThatFrameRouteOrAuthenticate_AreNotForwarded()
    {
        var seen = new ConcurrentQueue<string>();
        await using var service = await TestService.StartAsync(async c =>
        {
            await c.Request.Body.CopyToAsync(Stream.Null);
            seen.Enqueue(
                string.Join(
                    ",",
                    c.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpRequestTrailersFeature>()!
                        .Trailers.Select(t => t.Key)
                        .Order(StringComparer.Ordinal)
                )
            );
        });
        await using var gateway = await LoggedGateway.StartAsync(Yaml(service.Address));
        using var client = await ConnectAsync(gateway.Address);
        await client.SendAsync(
            Request(
                null,
                ("x-sum", "1"),
                ("authorization", "Basic eDp5"),
                ("host", "u"),
                ("content_length", "7"),
                ("forwarded", "for=1.2.3.4"),
                ("cookie", "a=b"),
                ("content-type", "x")
            )
        );
        Assert.Equal("200", await client.OutcomeAsync(1));
        Assert.Equal("x-sum", Assert.Single(seen), ignoreCase: true);
    }

    [Fact]
    public async Task Body_OfKnownLength_PassesWhateverItsPieces()
    {
        await using var service = await TestService.StartAsync();
        await using var gateway = await LoggedGateway.StartAsync(Yaml(service.Address));
        using var client = await ConnectAsync(gateway.Address);
        var head = Frame(Headers, EndHeaders, 1, Post("5"));
        await client.SendAsync((byte[])[.. head, .. Frame(Data, 0, 1, "he"u8), .. Frame(Data, 0, 1, "llo"u8)]);
        await client.SendAsync(Frame(Data, EndStream, 1, []));
        Assert.Equal("200", await client.OutcomeAsync(1));
        await client.SendAsync((byte[])[.. Frame(Headers, EndHeaders, 3, Post("5")), .. Frame(Data, EndStream, 3, "hello"u8)]);
        Assert.Equal("200", await client.OutcomeAsync(3));
        await client.SendAsync((byte[])[.. Frame(Headers, EndHeaders, 5, Post(null)), .. Frame(Data, EndStream, 5, "hello"u8)]);
        Assert.Equal("200", await client.OutcomeAsync(5));
        Assert.Equal(["hello", "hello", "hello"], service.Seen.Select(s => s.Body));
    }

    /// <summary>The check is the pipeline's: another host's listeners are no way around it.</summary>
    [Fact]
    public async Task Trailers_ThatAreMalformed_ResetTheStreamInsideAnotherHost()
    {
        await using var service = await TestService.StartAsync();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(o => o.Listen(System.Net.IPAddress.Loopback, 0, l => l.Protocols = HttpProtocols.Http2));
        builder.Services.AddLintel(
            new GatewayConfig
            {
                Services = new() { ["s"] = new ServiceConfig { Instances = [new InstanceConfig { Address = new Uri(service.Address) }] } },
                Routes = new()
                {
                    ["s"] = new RouteConfig
                    {
                        Match = new MatchConfig { Paths = ["/{**rest}"] },
                        Forward = new ForwardConfig { Service = "s" },
                    },
                },
            }
        );
        await using var application = builder.Build();
        application.MapLintel();
        await application.StartAsync(TestContext.Current.CancellationToken);
        using var client = await ConnectAsync(new Uri(application.Urls.First()));
        await client.SendAsync(Request(null, ("a: 1\r\n\r\npost /x?", "HTTP/1.1")));
        Assert.Equal("reset PROTOCOL_ERROR", await client.OutcomeAsync(1));
        Assert.DoesNotContain(service.Seen, s => s.Body is not null);
    }

    private static byte[] Post(string? length) =>
        Block([
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/s"),
            (":authority", "t"),
            .. length is null ? Array.Empty<(string, string)>() : [("content-length", length)],
        ]);

    private static byte[] Request(string? length, params (string Name, string Value)[] trailers) =>
        [
            .. Frame(Headers, EndHeaders, 1, Post(length)),
            .. Frame(Data, 0, 1, "hello"u8),
            .. Frame(Headers, EndHeaders | EndStream, 1, Block(trailers)),
        ];

    private static string? Error(JsonElement line) => line.TryGetProperty("error", out var error) ? error.GetString() : null;

    private static string Yaml(string service) =>
        $$"""
            listeners: { public: { address: "http://127.0.0.1:0", protocols: [http2] } }
            services: { s: "{{service}}" }
            routes:
              ok: { match: "/ok", respond: { body: fine } }
              s: { match: "/{**rest}", forward: s }
            """;
}
