using System.Net;
using System.Net.Sockets;
using Lintel.TestKit;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Lintel.FunctionalTests.Composition;

/// <summary>
/// Whatever a composition did, or may have done, is undone when it fails: in every order in which a write, a failure and the client's
/// leaving can come.
/// </summary>
[EveryTransport]
public sealed class UndoTests
{
    /// <summary>
    /// A write that the test holds, and a read that ends only by being cut off: its end says that the composition has failed.
    /// </summary>
    private const string Racing = """
        deadline: 20s
        calls:
          write: { request: POST a/write, compensate: "DELETE a/undo/{write.id}" }
          slow: a/slow
          bad: { request: a/bad, optional: true }
        """;

    [Theory]
    [InlineData("http1")]
    [InlineData("http2")]
    public async Task WriteUnderWay_WhenAnotherCallFails_IsAwaited_AndUndone(string protocol)
    {
        await using var backend = await Backend.StartAsync(l =>
            l.Protocols = protocol == "http2" ? HttpProtocols.Http2 : HttpProtocols.Http1
        );
        var (write, slow, bad) = (backend.Hold("write", """{"id":3}"""), backend.Hold("slow"), backend.Hold("bad", "", 500));
        backend.On("undo", 204, "");
        await using var gateway = await StartAsync(backend, Racing.Replace(", optional: true", "", StringComparison.Ordinal), protocol);
        var asked = gateway.GetAsync("/c");
        await Task.WhenAll(write.Arrived, slow.Arrived, bad.Arrived);
        bad.Release();
        await slow.Aborted;
        Assert.Equal(0, backend.Count("undo"));
        write.Release();
        var answer = await asked;
        Assert.Equal(502, answer.Status);
        Assert.Matches("^write;s=200;d=[0-9]+;compensated$", answer.Of("write"));
        Assert.Equal("the call `bad` failed; compensated: `write`", (string?)answer.Json["detail"]);
        Assert.Equal("/undo/3", backend.Single("undo").Target);
    }

    [Theory]
    [InlineData("http1", "http1")]
    [InlineData("http1", "http2")]
    [InlineData("http2", "http1")]
    public async Task WriteUnderWay_WhenTheClientLeaves_IsAwaited_AndUndone(string client, string service)
    {
        await using var backend = await Backend.StartAsync(l =>
            l.Protocols = service == "http2" ? HttpProtocols.Http2 : HttpProtocols.Http1
        );
        var (write, slow) = (backend.Hold("write", """{"id":3}"""), backend.Hold("slow"));
        backend.On("undo", 204, "").On("bad", "1");
        await using var gateway = await StartAsync(backend, Racing, service);
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false, ConnectCallback = LeavingClient.ConnectAsync })
        {
            BaseAddress = gateway.Process.AddressOf(client == "http2" ? "two" : "public"),
            DefaultRequestVersion = client == "http2" ? HttpVersion.Version20 : HttpVersion.Version11,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        using var leaving = new CancellationTokenSource();
        var asked = http.GetAsync(new Uri("/c", UriKind.Relative), leaving.Token);
        await Task.WhenAll(write.Arrived, slow.Arrived);
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);
        await slow.Aborted;
        write.Release();
        await Until.TrueAsync(() => backend.Count("undo") == 1);
        Assert.Equal("/undo/3", backend.Single("undo").Target);
        await Until.TrueAsync(() => gateway.Busy == 0);
    }

    [Fact]
    public async Task WriteUnderWay_WhenTheDeadlinePasses_IsAwaited_AndUndone()
    {
        await using var backend = await Backend.StartAsync();
        var (write, slow) = (backend.Hold("write", """{"id":3}"""), backend.Hold("slow"));
        backend.On("undo", 204, "").On("bad", "1");
        await using var gateway = await StartAsync(backend, Racing.Replace("20s", "300ms", StringComparison.Ordinal));
        var asked = gateway.GetAsync("/c");
        await slow.Aborted;
        write.Release();
        var answer = await asked;
        Assert.Equal(504, answer.Status);
        Assert.EndsWith(";compensated", answer.Of("write"), StringComparison.Ordinal);
        Assert.Equal("/undo/3", backend.Single("undo").Target);
    }

    [Fact]
    public async Task WriteAlone_ThatIsAnsweredAfterTheDeadline_FailsTheAnswer_AndIsUndone()
    {
        await using var backend = await Backend.StartAsync();
        backend
            .On("undo", 204, "")
            .On("write", async context =>
            {
                await Task.Delay(150); // it takes three times what the composition may: nothing else tells that the deadline has passed
                context.Response.ContentType = "application/json";
                await context.Response.Body.WriteAsync("{\"id\":9}"u8.ToArray());
            });
        await using var gateway = await StartAsync(
            backend,
            "deadline: 50ms\ncalls: { write: { request: POST a/write, compensate: \"DELETE a/undo/{write.id}\" } }"
        );
        var answer = await gateway.GetAsync("/c");
        Assert.Equal(504, answer.Status);
        Assert.Matches("^write;s=200;err=response-timeout;d=[0-9]+;compensated$", answer.Of("write"));
        Assert.Equal("/undo/9", backend.Single("undo").Target);
    }

    [Theory]
    [InlineData("timeout", 504, "err=response-timeout")]
    [InlineData("cut", 502, "err=connection-terminated")]
    [InlineData("half", 502, "err=response-incomplete")]
    [InlineData("502", 502, "s=502;err=call-failed")]
    [InlineData("504", 504, "s=504;err=call-timeout")]
    public async Task WriteWhoseOutcomeNobodyKnows_IsUndone_AndToldSo(string outcome, int status, string told)
    {
        await using var backend = await Backend.StartAsync();
        backend.On("undo", 204, "");
        using var service = new RawServer(
            async (socket, _) =>
            {
                var text = outcome switch
                {
                    "half" => "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
                    "502" or "504" => $"HTTP/1.1 {outcome} No\r\nContent-Length: 0\r\n\r\n",
                    _ => "",
                };
                await socket.SendAsync(System.Text.Encoding.ASCII.GetBytes(text));
                if (outcome == "timeout")
                    await socket.ReceiveAsync(new byte[1]); // until the gateway gives up
            }
        );
        await using var gateway = await ComposedGateway.StartAsync(
            "/c",
            """
            calls: { write: { request: POST a/write, timeout: 300ms, compensate: "DELETE b/undo/{header:X-Key}" } }
            """,
            [service.Address, backend.Address]
        );
        var answer = await gateway.GetAsync("/c", ("X-Key", "k1"));
        Assert.Equal(status, answer.Status);
        Assert.StartsWith("write;" + told, answer.Of("write"), StringComparison.Ordinal);
        Assert.EndsWith(";uncertain;compensated", answer.Of("write"), StringComparison.Ordinal);
        Assert.Equal("/undo/k1", backend.Single("undo").Target);
    }

    [Theory]
    [InlineData(500)]
    [InlineData(409)]
    [InlineData(503)]
    public async Task WriteThatTheServiceRefused_IsNotUndone(int status)
    {
        await using var backend = await Backend.StartAsync();
        backend.On("write", status, "{}").On("undo", 204, "");
        await using var gateway = await StartAsync(backend, "calls: { write: { request: POST a/write, compensate: DELETE a/undo } }");
        Assert.DoesNotContain("compensated", (await gateway.GetAsync("/c")).Of("write"), StringComparison.Ordinal);
        Assert.Equal(0, backend.Count("undo"));
    }

    [Fact]
    public async Task WriteThatWasNeverSent_IsNotUndone()
    {
        using var closed = new TcpListener(IPAddress.Loopback, 0);
        closed.Start();
        var refusing = $"http://127.0.0.1:{((IPEndPoint)closed.LocalEndpoint).Port}";
        closed.Stop();
        await using var backend = await Backend.StartAsync();
        backend.On("undo", 204, "");
        await using var gateway = await ComposedGateway.StartAsync(
            "/c",
            "calls: { write: { request: POST a/write, compensate: DELETE b/undo } }",
            [refusing, backend.Address]
        );
        Assert.Equal(502, (await gateway.GetAsync("/c")).Status);
        Assert.Equal(0, backend.Count("undo"));
    }

    [Fact]
    public async Task WriteThatIsNeverAnswered_IsAwaitedNoLongerThanItsUndoingMayTake()
    {
        await using var backend = await Backend.StartAsync();
        var write = backend.Hold("write");
        backend
            .On("undo", 204, "")
            .On("slow", "1")
            .On("bad", async context =>
            {
                await write.Arrived;
                context.Response.StatusCode = 500;
            });
        await using var gateway = await StartAsync(
            backend,
            """
            calls:
              write: { request: POST a/write, compensate: { request: DELETE a/undo, timeout: 200ms } }
              bad: a/bad
            """
        );
        var answer = await gateway.GetAsync("/c");
        Assert.Equal(502, answer.Status);
        Assert.EndsWith(";uncertain;compensated", answer.Of("write"), StringComparison.Ordinal);
        await write.Aborted;
    }

    [Theory]
    [InlineData("respond: { body: length(write.id) }", "expression-failed")]
    [InlineData("respond: { headers: { X-Id: length(write.id) } }", "expression-failed")]
    [InlineData("limits: { total: 1KiB }\nrespond: { body: \"[write.text, write.text, write.text]\" }", null)]
    public async Task AnswerThatCannotBeMade_LeavesNothingDone(string respond, string? error)
    {
        await using var backend = await Backend.StartAsync();
        backend.On("write", $$"""{"id":3,"text":"{{new string('x', 600)}}"}""").On("undo", 204, "");
        await using var gateway = await StartAsync(
            backend,
            "calls: { write: { request: POST a/write, compensate: \"DELETE a/undo/{write.id}\" } }\n" + respond
        );
        var answer = await gateway.GetAsync("/c");
        Assert.Equal(502, answer.Status);
        if (error is not null)
            Assert.EndsWith(error, (string?)answer.Json["type"], StringComparison.Ordinal);
        Assert.EndsWith(";compensated", answer.Of("write"), StringComparison.Ordinal);
        Assert.EndsWith("; compensated: `write`", (string?)answer.Json["detail"], StringComparison.Ordinal);
        Assert.Equal("/undo/3", backend.Single("undo").Target);
    }

    [Theory]
    [InlineData("compensate: \"DELETE a/undo/{item}\"", "/undo/2", "/undo/1")]
    [InlineData("compensate: \"DELETE a/undo/{each.id}\"", "/undo/20", "/undo/10")]
    public async Task Items_ThatSucceededBeforeAnotherFailed_AreUndone_InReverseOrder(string compensate, params string[] expected)
    {
        await using var backend = await Backend.StartAsync();
        backend
            .On("list", "[1,2,3,4]")
            .On("undo", 204, "")
            .On("write", async context =>
            {
                var id = context.Request.Path.Value!.Split('/')[^1];
                context.Response.StatusCode = id == "3" ? 409 : 200;
                context.Response.ContentType = "application/json";
                await context.Response.Body.WriteAsync(System.Text.Encoding.ASCII.GetBytes($$"""{"id":{{id}}0}"""));
            });
        await using var gateway = await StartAsync(
            backend,
            $$"""
            calls:
              list: a/list
              each: { request: "POST a/write/{item}", forEach: list, concurrency: 1, {{compensate}} }
            """
        );
        var answer = await gateway.GetAsync("/c");
        Assert.Equal(502, answer.Status);
        Assert.Matches("^each;n=4;failed=1;err=call-failed;d=[0-9]+;compensated$", answer.Of("each"));
        Assert.Equal(expected, backend.Seen.Select(r => r.Target).Where(t => t.StartsWith("/undo", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task ItemUnderWay_WhenAnotherItemFails_IsAwaited_AndUndone()
    {
        await using var backend = await Backend.StartAsync();
        var (one, two) = (backend.Hold("one", "1"), backend.Hold("two", "{}", 500));
        var slow = backend.Hold("slow");
        backend.On("undo", 204, "").On("list", """["one","two"]""");
        await using var gateway = await StartAsync(
            backend,
            """
            calls:
              list: a/list
              each: { request: "POST a/{item}", forEach: list, compensate: "DELETE a/undo/{item}" }
              slow: a/slow
            """
        );
        var asked = gateway.GetAsync("/c");
        await Task.WhenAll(one.Arrived, two.Arrived, slow.Arrived);
        two.Release();
        await slow.Aborted;
        one.Release();
        var answer = await asked;
        Assert.Matches("^each;n=2;failed=1;err=call-failed;d=[0-9]+;compensated$", answer.Of("each"));
        Assert.Equal("/undo/one", backend.Single("undo").Target);
    }

    [Fact]
    public async Task OptionalWriteWhoseOutcomeNobodyKnows_IsUndone_ThoughTheAnswerHolds()
    {
        await using var backend = await Backend.StartAsync();
        backend.Hold("write");
        backend.On("undo", 204, "").On("other", "1");
        await using var gateway = await StartAsync(
            backend,
            """
            calls:
              other: { request: POST a/other, compensate: DELETE a/undo/other }
              write: { request: POST a/write, optional: true, timeout: 100ms, compensate: DELETE a/undo/write }
            """
        );
        var answer = await gateway.GetAsync("/c");
        Assert.Equal((200, """{"other":1,"write":null}"""), (answer.Status, answer.Body));
        Assert.EndsWith(";uncertain;compensated", answer.Of("write"), StringComparison.Ordinal);
        Assert.Equal("/undo/write", backend.Single("undo").Target);
    }

    [Fact]
    public async Task WhatCouldNotBeUndone_IsInTheAnswer_AndInTheErrorLog()
    {
        await using var backend = await Backend.StartAsync();
        backend.On("write", "1").On("bad", 500, "").On("undo", 503, "");
        await using var gateway = await StartAsync(
            backend,
            "calls: { write: { request: POST a/write, compensate: DELETE a/undo }, bad: { request: a/bad, after: write } }"
        );
        var answer = await gateway.GetAsync("/c");
        Assert.Equal("the call `bad` failed; not compensated: `write`", (string?)answer.Json["detail"]);
        Assert.EndsWith(";compensated=?0", answer.Of("write"), StringComparison.Ordinal);
        var told = Assert.Single(gateway.Process.Gateway.Errors, e => e.Error == "not-undone");
        Assert.Contains("the call `write` was not compensated: call-unavailable", told.LastDetail, StringComparison.Ordinal);
        Assert.Equal(("a", backend.Address), (told.Service, told.Instance));
    }

    private static Task<ComposedGateway> StartAsync(Backend backend, string compose, string protocol = "http1") =>
        ComposedGateway.StartYamlAsync(
            $$"""
            listeners: { public: "http://127.0.0.1:0", two: { address: "http://127.0.0.1:0", protocols: [http2] } }
            services: { a: { instances: ["{{backend.Address}}"], protocol: {{protocol}} } }
            routes:
              c:
                match: /c
                compose:
            {{ComposedGateway.Indent(compose, 6)}}
            """
        );
}
