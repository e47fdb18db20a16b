using System.Text.Json;

namespace Lintel.FunctionalTests.Composition;

/// <summary>
/// What goes from the client, and from one service's answer, into requests on the wire: no value leaves its segment, its parameter or its
/// line. Every place and many more values are shown in memory.
/// </summary>
[EveryTransport]
public sealed class InputTests
{
    [Theory]
    [InlineData("a\r\nX-Evil: 1")]
    [InlineData("a\r\n\r\nGET /evil HTTP/1.1")]
    [InlineData("a?b=c&d#e")]
    [InlineData("a b")]
    [InlineData("\0")]
    [InlineData("%0d%0a")]
    [InlineData("日本")]
    public async Task Value_OfClientOrAnswer_StaysInItsPlace(string value)
    {
        await using var backend = await Backend.StartAsync();
        backend.On("source", JsonSerializer.Serialize(new { v = value })).On("answers", "1").On("clients", "1").On("headed", "1");
        await using var gateway = await ComposedGateway.StartAsync(
            """
            calls:
              source: a/source
              answers: "a/answers/?v={source.v}&after=2"
              clients: "a/clients/?v={query:v}&after=2"
              headed: { request: a/headed, headers: { X-Out: "{query:v}" }, optional: true }
            """,
            backend
        );
        using var client = await gateway.Process.ConnectAsync();
        Assert.Equal(200, (await client.GetAsync("/c/7?v=" + Uri.EscapeDataString(value))).Status);
        foreach (var call in (string[])["answers", "clients"])
            Assert.Equal($"/{call}/?v={Uri.EscapeDataString(value)}&after=2", backend.SeenOnce(call).Target);

        Assert.InRange(backend.Seen.Count, 3, 4); // a value that fits into no line is not sent in one
        Assert.All(backend.Seen, r => Assert.Null(r["X-Evil"]));
    }

    [Fact]
    public async Task Headers_OfTheClient_PassByTheList_AndNoOthers()
    {
        await using var backend = await Backend.StartAsync();
        backend.On("x", "1").On("y", "1");
        await using var gateway = await ComposedGateway.StartAsync(
            """
            forwardHeaders: [Authorization, Accept-Language, X-Tenant, X-Real-IP, X-Hop]
            calls: { x: a/x, y: { request: a/y, headers: { Authorization: "Bearer own", X-Id: "{id}", X-None: "{query:none}" } } }
            """,
            backend
        );
        using var client = await gateway.Process.ConnectAsync();
        var answer = await client.GetAsync(
            "/c/7",
            "Authorization: Bearer me\r\nCookie: s=1\r\nX-Tenant: t1\r\nX-Tenant: t2\r\nX-Other: o\r\nX-Real-IP: 6.6.6.6\r\nX-Hop: "
                + "h\r\nConnection: keep-alive, X-Hop\r\nAccept-Encoding: gzip\r\nIf-None-Match: \"q\"\r\nRange: "
                + "bytes=0-0\r\nContent-Type: text/x\r\nTE: trailers\r\nX-Forwarded-For: 6.6.6.6\r\ntraceparent: "
                + "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"
        );
        Assert.Equal(200, answer.Status);
        var x = backend.SeenOnce("x");
        Assert.Equal(
            ("Bearer me", "t1|t2", "identity"),
            (x["Authorization"], x["X-Tenant"]?.Replace(", ", "|", StringComparison.Ordinal), x["Accept-Encoding"])
        ); // two lines, or one: the same list
        Assert.All(
            (string[])
                [
                    "Cookie",
                    "X-Other",
                    "X-Real-IP",
                    "X-Hop",
                    "If-None-Match",
                    "Range",
                    "Content-Type",
                    "TE",
                    "Accept-Language",
                    "Content-Length",
                ],
            h => Assert.Null(x[h])
        );
        Assert.DoesNotContain("6.6.6.6", x["X-Forwarded-For"], StringComparison.Ordinal);
        Assert.StartsWith("00-0af7651916cd43dd8448eb211c80319c-", x["traceparent"], StringComparison.Ordinal);
        var y = backend.SeenOnce("y");
        Assert.Equal(("Bearer own", "7", null), (y["Authorization"], y["X-Id"], y["X-None"]));
    }
}
