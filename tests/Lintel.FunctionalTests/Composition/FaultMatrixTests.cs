using System.Net.Sockets;
using System.Text;

namespace Lintel.FunctionalTests.Composition;

/// <summary>
/// Everything that a service can do wrong, for required and optional calls, with each kind of fallback; and the gateway is as good as
/// before.
/// </summary>
[EveryTransport]
public sealed class FaultMatrixTests
{
    /// <summary>A fault that only the timeout ends is waited for; others end before it, however busy the machine is.</summary>
    private static string Routes(bool isWaitedFor) =>
        """
            routes:
              required: { match: /required, compose: { deadline: 10s, limits: { call: 64KiB }, calls: { x: { request: f/x, timeout: 700ms }, y: g/y } } }
              none: { match: /none, compose: { deadline: 10s, limits: { call: 64KiB }, respond: { errors: true }, calls: { x: { request: f/x, timeout: 700ms, optional: true }, y: g/y } } }
              value: { match: /value, compose: { deadline: 10s, limits: { call: 64KiB }, respond: { errors: true }, calls: { x: { request: f/x, timeout: 700ms, optional: true, fallback: { value: { "v": 1.0 } } }, y: g/y } } }
              stale: { match: /stale, compose: { deadline: 10s, limits: { call: 64KiB }, respond: { errors: true }, calls: { x: { request: f/x, timeout: 700ms, optional: true, fallback: stale }, y: g/y } } }
              looked: { match: /looked, compose: { deadline: 10s, limits: { call: 64KiB }, respond: { body: { x: x.good, y: y } }, calls: { x: { request: f/x, timeout: 700ms, optional: true }, y: g/y } } }
            """.Replace("700ms", isWaitedFor ? "700ms" : "8s", StringComparison.Ordinal);

    /// <summary>Fault, the status of a required call's failure, and the kind of error.</summary>
    public static TheoryData<string, int, string> Faults { get; } =
        new()
        {
            { "down", 502, "connection-terminated" },
            { "slow", 504, "response-timeout" },
            { "half a head", 504, "response-timeout" },
            { "500", 502, "call-failed" },
            { "404", 502, "call-failed" },
            { "media type", 502, "malformed-answer" },
            { "malformed", 502, "malformed-answer" },
            { "two documents", 502, "malformed-answer" },
            { "truncated", 502, "response-incomplete" },
            { "huge", 502, "answer-too-large" },
            { "huge chunks", 502, "answer-too-large" },
            { "utf-8", 502, "malformed-answer" },
            { "not gzip", 502, "malformed-answer" },
            { "chunks", 502, "response-incomplete" },
            { "reset", 502, "response-incomplete" },
            { "deep", 502, "malformed-answer" },
            { "deep xml", 502, "malformed-answer" },
            { "stalled", 504, "response-timeout" },
            { "garbage", 502, "protocol-error" },
            { "switch", 502, "protocol-error" },
        };

    private string _fault = "good";

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task Fault_OfOneCall_IsToldAsWhatItIs(string fault, int status, string error)
    {
        using var faulty = new RawServer(AnswerAsync);
        await using var good = await Backend.StartAsync();
        good.On("y", "\"y\"");
        await using var gateway = await ComposedGateway.StartYamlAsync(
            $"services: {{ f: \"{faulty.Address}\", g: \"{good.Address}\" }}\n{Routes(status == 504)}"
        );
        await ExpectGoodAsync(gateway);

        _fault = fault;
        var required = await gateway.GetAsync("/required");
        Assert.Equal((status, "application/problem+json"), (required.Status, required["Content-Type"]));
        ExpectError(error, required);
        Assert.NotNull(required["Proxy-Status"]);
        await ExpectPartAsync(gateway, "/none", "null", error);
        await ExpectPartAsync(gateway, "/value", """{"v":1.0}""", error);
        await ExpectPartAsync(gateway, "/stale", fault == "404" ? "null" : """{"good": 1.50}""", error); // a 404 is an answer, and no outage
        var looked = await gateway.GetAsync("/looked");
        Assert.Equal((200, """{"x":null,"y":"y"}"""), (looked.Status, looked.Body));

        _fault = "good";
        await ExpectGoodAsync(gateway);
        Assert.Equal(0, gateway.Busy);
    }

    [Theory]
    [InlineData("empty")]
    [InlineData("close delimited")]
    [InlineData("interim")]
    [InlineData("many chunks")]
    public async Task WhatOnlyLooksOdd_IsNoFault(string oddity)
    {
        using var faulty = new RawServer(AnswerAsync);
        await using var good = await Backend.StartAsync();
        good.On("y", "\"y\"");
        await using var gateway = await ComposedGateway.StartYamlAsync(
            $"services: {{ f: \"{faulty.Address}\", g: \"{good.Address}\" }}\n{Routes(isWaitedFor: false)}"
        );
        _fault = oddity;
        var answer = await gateway.GetAsync("/required");
        Assert.Equal(
            (200, oddity == "empty" ? """{"x":null,"y":"y"}""" : """{"x":{"good": 1.50},"y":"y"}"""),
            (answer.Status, answer.Body)
        );
    }

    private static async Task ExpectPartAsync(ComposedGateway gateway, string path, string x, string error)
    {
        var answer = await gateway.GetAsync(path);
        Assert.Equal(200, answer.Status);
        Assert.StartsWith($$"""{"x":{{x}},"y":"y","_errors":[""", answer.Body, StringComparison.Ordinal);
        ExpectError(error, answer);
        Assert.Equal("/x", (string?)answer.Json["_errors"]![0]!["pointer"]);
        Assert.Equal("no-store", answer["Cache-Control"]);
    }

    /// <summary>
    /// .NET's handler, which sends calls on systems without event loops, does not distinguish a closed connection from an invalid
    /// answer.
    /// </summary>
    private static void ExpectError(string error, Answer answer)
    {
        var told = answer.Of("x");
        var isReported =
            told.Contains(";err=" + error + ";", StringComparison.Ordinal)
            || (Transport.IsSockets && error is "protocol-error" && told.Contains(";err=connection-terminated;", StringComparison.Ordinal));
        Assert.True(isReported, $"`{error}` is expected, not `{told}`");
    }

    private static async Task ExpectGoodAsync(ComposedGateway gateway)
    {
        foreach (var path in (string[])["/required", "/stale"])
        {
            var answer = await gateway.GetAsync(path);
            Assert.Equal((200, """{"x":{"good": 1.50},"y":"y"}"""), (answer.Status, answer.Body));
        }
    }

    private async Task AnswerAsync(Socket socket, string head)
    {
        const string Good = "{\"good\": 1.50}";
        switch (_fault)
        {
            case "good":
                await SendAsync(Response(Good));
                return;
            case "down":
                return; // closes without a word
            case "slow":
                await GoneAsync();
                return;
            case "half a head":
                await SendAsync("HTTP/1.1 200 OK\r\nContent-Ty");
                await GoneAsync();
                return;
            case "500" or "404":
                await SendAsync(Response(Good, "HTTP/1.1 " + _fault + " No"));
                return;
            case "media type":
                await SendAsync(Response(Good, type: "image/png"));
                return;
            case "malformed":
                await SendAsync(Response("{\"good\": 1.50"));
                return;
            case "two documents":
                await SendAsync(Response(Good + Good));
                return;
            case "truncated":
                await SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{Good}");
                return;
            case "stalled":
                await SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{Good}");
                await GoneAsync();
                return;
            case "huge":
                await SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n[");
                await GoneAsync();
                return;
            case "huge chunks":
                await SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                while (true)
                    await SendAsync("1000\r\n" + new string(' ', 4096) + "\r\n");
            case "utf-8":
                await SendAsync(Response("\"\xff\xfe\""));
                return;
            case "not gzip":
                await SendAsync(Response(Good, more: "Content-Encoding: gzip\r\n"));
                return;
            case "chunks":
                await SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"goo\r\nzz\r\n");
                return;
            case "reset":
                await SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{Good}");
                socket.LingerState = new LingerOption(true, 0);
                return;
            case "deep":
                await SendAsync(Response(new string('[', 5000) + new string(']', 5000)));
                return;
            case "deep xml":
                await SendAsync(
                    Response(
                        string.Concat(Enumerable.Repeat("<a>", 9000)) + string.Concat(Enumerable.Repeat("</a>", 9000)),
                        type: "application/xml"
                    )
                );
                return;
            case "garbage":
                await SendAsync("SSH-2.0-OpenSSH_9.6\r\n\r\n");
                return;
            case "switch":
                await SendAsync("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n");
                await GoneAsync();
                return;
            case "empty":
                await SendAsync(Response(""));
                return;
            case "close delimited":
                await SendAsync("HTTP/1.1 200 OK\r\n\r\n" + Good);
                return;
            case "interim":
                await SendAsync("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + Response(Good));
                return;
            case "many chunks":
                await SendAsync(
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                        + string.Concat(Good.Select(c => $"1;x=y\r\n{c}\r\n"))
                        + "0\r\nTrailer: t\r\n\r\n"
                );
                return;
        }

        async Task SendAsync(string text)
        {
            for (var rest = Encoding.Latin1.GetBytes(text).AsMemory(); !rest.IsEmpty; )
                rest = rest[await socket.SendAsync(rest)..];
        }

        // Until the gateway times out.
        async Task GoneAsync()
        {
            while (await socket.ReceiveAsync(new byte[1024]) > 0) { }
        }
    }

    private static string Response(string body, string line = "HTTP/1.1 200 OK", string type = "application/json", string more = "") =>
        $"{line}\r\nContent-Type: {type}\r\nContent-Length: {body.Length}\r\n{more}Connection: close\r\n\r\n{body}";
}
