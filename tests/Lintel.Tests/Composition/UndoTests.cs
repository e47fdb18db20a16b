using Lintel.Control.Status;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Composition;

/// <summary>
/// All writes that a composition made, or may have made, are compensated when it fails: in every order of a write, a failure and the
/// deadline.
/// </summary>
public sealed class UndoTests
{
    /// <summary>
    /// A write that the test holds, and a read that ends only by cancellation: its end shows that the composition has failed.
    /// </summary>
    private const string Racing = """
        deadline: 20s
        calls:
          write: { request: POST a/write, compensate: "DELETE a/undo/{write.id}" }
          slow: a/slow
          bad: { request: a/bad, optional: true }
        """;

    [Fact]
    public async Task WriteUnderWay_WhenTheDeadlinePasses_IsAwaited_AndUndone()
    {
        var backend = new MemoryService();
        var (write, slow) = (backend.Hold("write", """{"id":3}"""), backend.Hold("slow"));
        backend.On("undo", 204, "").On("bad", "1");
        var time = new FakeTimeProvider();
        using var gateway = MemoryGateway.Compose(Racing, time, backend);
        var asked = gateway.GetAsync("/c/1");
        await Task.WhenAll(write.Arrived, slow.Arrived);
        time.Advance(TimeSpan.FromSeconds(20));
        await slow.Aborted;
        write.Release();
        var answer = await asked;
        Assert.Equal(504, answer.Status);
        Assert.EndsWith(";compensated", answer.Of("write"), StringComparison.Ordinal);
        Assert.Equal("/undo/3", backend.SeenOnce("undo").Target);
    }

    [Fact]
    public async Task WriteAlone_ThatIsAnsweredAfterTheDeadline_FailsTheAnswer_AndIsUndone()
    {
        var time = new FakeTimeProvider();
        var backend = new MemoryService();
        backend
            .On("undo", 204, "")
            .On("write", async context =>
            {
                time.Advance(TimeSpan.FromSeconds(6)); // nothing else tells that the deadline has passed
                context.Response.ContentType = "application/json";
                await context.Response.Body.WriteAsync("{\"id\":9}"u8.ToArray());
            });
        using var gateway = MemoryGateway.Compose(
            "deadline: 5s\ncalls: { write: { request: POST a/write, compensate: \"DELETE a/undo/{write.id}\" } }",
            time,
            backend
        );
        var answer = await gateway.GetAsync("/c/1");
        Assert.Equal(504, answer.Status);
        Assert.Matches("^write;s=200;err=response-timeout;d=[0-9]+;compensated$", answer.Of("write"));
        Assert.Equal("/undo/9", backend.SeenOnce("undo").Target);
    }

    [Theory]
    [InlineData(500)]
    [InlineData(409)]
    [InlineData(503)]
    public async Task WriteThatTheServiceRefused_IsNotUndone(int status)
    {
        var backend = new MemoryService();
        backend.On("write", status, "{}").On("undo", 204, "");
        using var gateway = MemoryGateway.Compose("calls: { write: { request: POST a/write, compensate: DELETE a/undo } }", backend);
        Assert.DoesNotContain("compensated", (await gateway.GetAsync("/c/1")).Of("write"), StringComparison.Ordinal);
        Assert.Equal(0, backend.Count("undo"));
    }

    [Fact]
    public async Task WriteThatWasNeverSent_IsNotUndone()
    {
        var backend = new MemoryService();
        backend.On("undo", 204, "");
        using var gateway = MemoryGateway.Compose(
            "calls: { write: { request: POST a/write, compensate: DELETE b/undo } }",
            new MemoryNet(backend),
            TimeProvider.System,
            "http://nobody.test",
            backend.Address
        );
        Assert.Equal(502, (await gateway.GetAsync("/c/1")).Status);
        Assert.Equal(0, backend.Count("undo"));
    }

    [Fact]
    public async Task WriteThatIsNeverAnswered_IsAwaitedNoLongerThanItsUndoingMayTake()
    {
        var time = new FakeTimeProvider();
        var backend = new MemoryService();
        var (write, slow) = (backend.Hold("write"), backend.Hold("slow"));
        backend
            .On("undo", 204, "")
            .On("bad", async context =>
            {
                await Task.WhenAll(write.Arrived, slow.Arrived);
                context.Response.StatusCode = 500;
            });
        using var gateway = MemoryGateway.Compose(
            """
            calls:
              write: { request: POST a/write, compensate: { request: DELETE a/undo, timeout: 20s } }
              bad: a/bad
              slow: a/slow
            """,
            time,
            backend
        );
        var asked = gateway.GetAsync("/c/1");
        await write.Arrived;
        await slow.Aborted; // the composition has failed
        time.Advance(TimeSpan.FromSeconds(20));
        var answer = await asked;
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
        var backend = new MemoryService();
        backend.On("write", $$"""{"id":3,"text":"{{new string('x', 600)}}"}""").On("undo", 204, "");
        using var gateway = MemoryGateway.Compose(
            "calls: { write: { request: POST a/write, compensate: \"DELETE a/undo/{write.id}\" } }\n" + respond,
            backend
        );
        var answer = await gateway.GetAsync("/c/1");
        Assert.Equal(502, answer.Status);
        if (error is not null)
            Assert.EndsWith(error, (string?)answer.Json["type"], StringComparison.Ordinal);
        Assert.EndsWith(";compensated", answer.Of("write"), StringComparison.Ordinal);
        Assert.EndsWith("; compensated: `write`", (string?)answer.Json["detail"], StringComparison.Ordinal);
        Assert.Equal("/undo/3", backend.SeenOnce("undo").Target);
    }

    [Theory]
    [InlineData("compensate: \"DELETE a/undo/{item}\"", "/undo/2", "/undo/1")]
    [InlineData("compensate: \"DELETE a/undo/{each.id}\"", "/undo/20", "/undo/10")]
    public async Task Items_ThatSucceededBeforeAnotherFailed_AreUndone_InReverseOrder(string compensate, params string[] expected)
    {
        var backend = new MemoryService();
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
        using var gateway = MemoryGateway.Compose(
            $$"""
            calls:
              list: a/list
              each: { request: "POST a/write/{item}", forEach: list, concurrency: 1, {{compensate}} }
            """,
            backend
        );
        var answer = await gateway.GetAsync("/c/1");
        Assert.Equal(502, answer.Status);
        Assert.Matches("^each;n=4;failed=1;err=call-failed;d=[0-9]+;compensated$", answer.Of("each"));
        Assert.Equal(expected, backend.Seen.Select(r => r.Target).Where(t => t.StartsWith("/undo", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task ItemUnderWay_WhenAnotherItemFails_IsAwaited_AndUndone()
    {
        var backend = new MemoryService();
        var (one, two) = (backend.Hold("one", "1"), backend.Hold("two", "{}", 500));
        var slow = backend.Hold("slow");
        backend.On("undo", 204, "").On("list", """["one","two"]""");
        using var gateway = MemoryGateway.Compose(
            """
            calls:
              list: a/list
              each: { request: "POST a/{item}", forEach: list, compensate: "DELETE a/undo/{item}" }
              slow: a/slow
            """,
            backend
        );
        var asked = gateway.GetAsync("/c/1");
        await Task.WhenAll(one.Arrived, two.Arrived, slow.Arrived);
        two.Release();
        await slow.Aborted;
        one.Release();
        var answer = await asked;
        Assert.Matches("^each;n=2;failed=1;err=call-failed;d=[0-9]+;compensated$", answer.Of("each"));
        Assert.Equal("/undo/one", backend.SeenOnce("undo").Target);
    }

    [Fact]
    public async Task OptionalWriteWhoseOutcomeNobodyKnows_IsUndone_ThoughTheAnswerHolds()
    {
        var time = new FakeTimeProvider();
        var backend = new MemoryService();
        var write = backend.Hold("write");
        backend.On("undo", 204, "").On("other", "1");
        using var gateway = MemoryGateway.Compose(
            """
            calls:
              other: { request: POST a/other, compensate: DELETE a/undo/other }
              write: { request: POST a/write, optional: true, timeout: 10s, compensate: DELETE a/undo/write }
            """,
            time,
            backend
        );
        var asked = gateway.GetAsync("/c/1");
        await write.Arrived;
        time.Advance(TimeSpan.FromSeconds(10));
        var answer = await asked;
        Assert.Equal((200, """{"other":1,"write":null}"""), (answer.Status, answer.Body));
        Assert.EndsWith(";uncertain;compensated", answer.Of("write"), StringComparison.Ordinal);
        Assert.Equal("/undo/write", backend.SeenOnce("undo").Target);
    }

    [Fact]
    public async Task WhatCouldNotBeUndone_IsInTheAnswer_AndInTheErrorLog()
    {
        var backend = new MemoryService();
        backend.On("write", "1").On("bad", 500, "").On("undo", 503, "");
        using var gateway = MemoryGateway.Compose(
            "calls: { write: { request: POST a/write, compensate: DELETE a/undo }, bad: { request: a/bad, after: write } }",
            backend
        );
        var answer = await gateway.GetAsync("/c/1");
        Assert.Equal("the call `bad` failed; not compensated: `write`", (string?)answer.Json["detail"]);
        Assert.EndsWith(";compensated=?0", answer.Of("write"), StringComparison.Ordinal);
        var told = Assert.Single(gateway.Errors.Recent(ErrorStatus.Of), e => e.Error == "not-undone");
        Assert.Contains("the call `write` was not compensated: call-unavailable", told.LastDetail, StringComparison.Ordinal);
        Assert.Equal(("a", backend.Address), (told.Service, told.Instance));
    }
}
