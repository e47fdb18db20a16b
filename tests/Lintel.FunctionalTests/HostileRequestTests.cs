using System.Globalization;
using System.Text;
using System.Text.Json;
using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary>Hostile HTTP/1.1 over raw sockets: every line of <see cref="HostileRequests"/>, and the document made from it.</summary>
[EveryTransport]
public sealed class HostileRequestTests : IClassFixture<HostileRequestTests.SharedGateways>
{
    private readonly SharedGateways _shared;

    public HostileRequestTests(SharedGateways shared)
    {
        _shared = shared;
        _shared.Refusing.Service.Reset();
        _shared.Passing.Service.Reset();
    }

    public static TheoryData<int> Indexes => [.. Enumerable.Range(0, HostileRequests.All.Count)];

    [Theory]
    [MemberData(nameof(Indexes))]
    public async Task HostileRequest_OnAnyPart_IsRefusedAndNotForwarded(int index)
    {
        var hostile = HostileRequests.All[index];
        using var client = await Served(hostile).Gateway.ConnectAsync();
        await client.SendAsync(hostile.Bytes);
        await AssertRefusedAsync(client, hostile);
    }

    [Theory]
    [MemberData(nameof(Indexes))]
    public async Task HostileRequest_ByteByByteAfterAGoodOne_IsRefusedAndTheGoodOneAnswered(int index)
    {
        var hostile = HostileRequests.All[index];
        using var client = await Served(hostile).Gateway.ConnectAsync();
        await client.SendAsync("GET /s/good HTTP/1.1\r\nHost: t\r\n\r\n" + hostile.Bytes[..Math.Min(1, hostile.Bytes.Length)]);
        try
        {
            for (var i = 1; i < hostile.Bytes.Length; i += hostile.Bytes.Length > 500 ? 997 : 1)
                await client.SendAsync(hostile.Bytes[i..Math.Min(hostile.Bytes.Length, i + (hostile.Bytes.Length > 500 ? 997 : 1))]);
        }
        catch (IOException)
        {
            // It was refused before it was complete.
        }

        Assert.Equal(200, (await client.ReadResponseAsync()).Status);
        await AssertRefusedAsync(client, hostile);
    }

    [Theory]
    [InlineData("an empty line before the request", "\r\n\r\nGET /s HTTP/1.1\r\nHost: t\r\n\r\n")]
    [InlineData("HTTP/1.0", "GET /s HTTP/1.0\r\n\r\n")]
    [InlineData("absolute-form", "GET http://t/s HTTP/1.1\r\nHost: t\r\n\r\n")]
    [InlineData("absolute-form with a port", "GET http://t:80/s HTTP/1.1\r\nHost: t:80\r\n\r\n")]
    [InlineData("absolute-form with an IPv6 address", "GET http://[::1]:8080/s HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n")]
    [InlineData("absolute-form with the default port, beside a Host without", "GET http://t:80/s HTTP/1.1\r\nHost: t\r\n\r\n")]
    [InlineData("absolute-form without a port, beside a Host with the default one", "GET http://t/s HTTP/1.1\r\nHost: t:80\r\n\r\n")]
    [InlineData("absolute-form with an empty port", "GET http://t:/s HTTP/1.1\r\nHost: t\r\n\r\n")]
    [InlineData("an empty port", "GET /s HTTP/1.1\r\nHost: t:\r\n\r\n")]
    [InlineData("an empty port, and a body", "POST /s HTTP/1.1\r\nHost: t:\r\nContent-Length: 5\r\n\r\nhello")]
    [InlineData(
        "HTTP/1.0 that asks for another protocol",
        "GET /s HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
            + "AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )]
    [InlineData(
        "HTTP/1.0 that would wait for 100 (Continue)",
        "POST /s HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello"
    )]
    [InlineData("IPv6 host", "GET /s HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n")]
    [InlineData("no space after the colon", "GET /s HTTP/1.1\r\nHost:t\r\nX-A:b\r\n\r\n")]
    [InlineData("much space around the value", "GET /s HTTP/1.1\r\nHost: \t t \t\r\n\r\n")]
    [InlineData("an empty value", "GET /s HTTP/1.1\r\nHost: t\r\nX-A:\r\n\r\n")]
    [InlineData("bytes above ASCII in a value", "GET /s HTTP/1.1\r\nHost: t\r\nX-A: äöü\r\n\r\n")]
    [InlineData("chunked in capitals", "POST /s HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n")]
    [InlineData(
        "chunk extensions",
        "POST /s HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5;a;b=c;d=\"e\\\"f\"\r\nhello\r\n0;z\r\n\r\n"
    )]
    [InlineData(
        "leading zeros of a chunk's size",
        "POST /s HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n0005\r\nhello\r\n000\r\n\r\n"
    )]
    [InlineData("trailers", "POST /s HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n")]
    [InlineData("leading zeros of a length", "POST /s HTTP/1.1\r\nHost: t\r\nContent-Length: 005\r\n\r\nhello")]
    [InlineData(
        "a wish for h2c with a body",
        "POST /s HTTP/1.1\r\nHost: t\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: "
            + "AAMAAABkAAQCAAAAAAIAAAAA\r\nContent-Length: 5\r\n\r\nhello"
    )]
    public async Task UnusualRequest_ThatIsRight_Passes(string what, string request)
    {
        Assert.NotEmpty(what);
        foreach (var step in new[] { request.Length, 1 })
        {
            using var client = await _shared.Refusing.Gateway.ConnectAsync();
            for (var i = 0; i < request.Length; i += step)
                await client.SendAsync(request[i..(i + step)]);
            var response = await client.ReadResponseAsync();
            Assert.Equal((200, "ok"), (response.Status, response.Body));
            Assert.Equal(request.StartsWith("POST", StringComparison.Ordinal) ? "hello" : "", _shared.Refusing.Service.Seen.Last().Body);
            if (request.Contains("HTTP/1.0", StringComparison.Ordinal))
                continue;
            Assert.Equal(200, (await client.GetAsync("/s/next")).Status); // nothing was taken too much or too little
        }
    }

    /// <summary>The same mutilations each time, so that a commit is judged by what it changed; LINTEL_FUZZ_SEED looks for others.</summary>
    [Fact]
    public async Task MutilatedRequest_OfAnyKind_IsServedOrRefusedWithAProblem()
    {
        string[] seeds =
        [
            "GET /s/a?b=c HTTP/1.1\r\nHost: t\r\nX-A: b\r\nConnection: keep-alive\r\n\r\n",
            "POST /s HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhello",
            "POST /s HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-T: u\r\n\r\n",
            "GET http://t/s HTTP/1.0\r\nHost: t\r\nConnection: close, X-A\r\nUpgrade: h2c\r\n\r\n",
        ];
        const string Bits = "\r\n\0 \t:;,=%/?#@[]{}\"<>\\|^`~+-._0159afxzAFXZ\x7f\x80\xff*";
        var seed = int.TryParse(Environment.GetEnvironmentVariable("LINTEL_FUZZ_SEED"), CultureInfo.InvariantCulture, out var other)
            ? other
            : 1;
        var random = new Random(seed);
        for (var round = 0; round < 1200; round++)
        {
            var text = seeds[random.Next(seeds.Length)];
            for (var changes = random.Next(1, 4); changes > 0; changes--)
            {
                var at = random.Next(text.Length);
                var bit = Bits[random.Next(Bits.Length)].ToString();
                text = random.Next(4) switch
                {
                    0 => text.Remove(at, 1),
                    1 => text.Insert(at, bit),
                    2 => text.Remove(at, 1).Insert(at, bit),
                    _ => text.Insert(at, text.Substring(at, random.Next(text.Length - at))),
                };
            }

            using var client = await _shared.Passing.Gateway.ConnectAsync();

            // Whatever the change left open is ended by a request that closes: no answer at all would be a hang.
            await client.SendAsync(
                text + "\r\n\r\n0\r\n\r\nGET /s HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n" + new string('\n', 64)
            );
            client.Socket.LingerState = new(true, 0);
            var response = await client.ReadResponseAsync();
            Assert.True(
                response.Status is 200 or 404
                    || response["Content-Type"] == "application/problem+json"
                    || (response.Status == 0 && MayStayOpen(text)),
                $"seed {seed}, round {round}: {response.Status} {string.Join('|', response.Head)} for {text}"
            );
        }

        // A length that became larger than what is sent makes the gateway wait for more, as it must.
        static bool MayStayOpen(string text) =>
            text.Contains("Content-Length", StringComparison.OrdinalIgnoreCase)
            || text.Contains("chunked", StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void Document_OfHostileRequests_IsMadeFromTheTable()
    {
        var file = Path.Combine(GatewayProcess.Repository, "docs", "hostile-requests.md");
        var text = new StringBuilder(
            """
            # Hostile requests and their answers

            Made from `tests/Lintel.FunctionalTests/HostileRequests.cs`, whose every line is sent to a gateway over a raw socket, at once and byte by byte behind a
            good request (`HostileRequestTests`). The answers are `application/problem+json`; the last part of the problem's type stands below. Nothing of a refused head reaches a service. HTTP/2 has
            a table of its own: `hostile-frames.md`.

            """
        );
        foreach (var group in HostileRequests.All.GroupBy(h => h.Group))
        {
            text.Append($"\n## {group.Key}\n\n| what is sent | status | problem | connection |\n| --- | --- | --- | --- |\n");
            foreach (var hostile in group)
                text.Append(
                    $"| {hostile.What.Replace("|", "\\|", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal)} "
                        + $"| {hostile.Status} | `{hostile.Slug}` | {(hostile.Closes ? "closes" : "stays")} |\n"
                );
        }

        if (Environment.GetEnvironmentVariable("LINTEL_UPDATE_GOLDEN") == "1")
            File.WriteAllText(file, text.ToString());
        Assert.Equal(text.ToString(), File.ReadAllText(file));
    }

    private ServedGateway Served(HostileRequest hostile) => hostile.IsInBody ? _shared.Passing : _shared.Refusing;

    private async Task AssertRefusedAsync(RawClient client, HostileRequest hostile)
    {
        var response = await client.ReadResponseAsync();
        Assert.Equal(hostile.Status, response.Status);
        Assert.Equal("application/problem+json", response["Content-Type"]);
        var problem = JsonDocument.Parse(response.Body).RootElement;
        Assert.Equal("urn:problem-type:lintel:" + hostile.Slug, problem.GetProperty("type").GetString());
        if (hostile.Closes)
        {
            Assert.Equal("close", response["Connection"]);
            Assert.Equal(-1, await client.ReadByteAsync());
        }
        else
        {
            Assert.Equal(200, (await client.GetAsync("/s/next")).Status);
        }

        var seen = Served(hostile).Service.Seen;
        Assert.DoesNotContain(seen, s => s.Target == "/smuggled");
        if (!hostile.IsInBody)
            Assert.DoesNotContain(seen, s => s.Target is not ("/s/good" or "/s/next"));
    }

    /// <summary>For all tests: a refused request leaves no state that another request could see.</summary>
    public sealed class SharedGateways()
        : HostileGateways(service =>
            $$"""
                services: { s: "{{service}}" }
                routes:
                  s: { match: "/s/{**rest}", forward: s, limits: { body: 1000B } }
                  smuggled: { match: "/smuggled", forward: s }
                """
        );
}
