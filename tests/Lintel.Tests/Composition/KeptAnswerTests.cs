using Lintel.TestKit;
using Microsoft.AspNetCore.Http;

namespace Lintel.Tests.Composition;

/// <summary>
/// Answers that are stored, shared or used as fallbacks: for which client and request, and never against the directives of the
/// service.
/// </summary>
public sealed class KeptAnswerTests
{
    private const string Stale = "calls: { x: { request: a/x, optional: true, fallback: stale } }";
    private const string Collapsing = "calls: { x: { request: a/x, collapse: true }, mark: a/mark }";

    [Theory]
    [InlineData(400)]
    [InlineData(401)]
    [InlineData(403)]
    [InlineData(404)]
    [InlineData(410)]
    [InlineData(451)]
    [InlineData(302)]
    public async Task Stale_AfterAnAnswerThatIsNoOutage_IsNeverUsed_AndGone(int status)
    {
        var backend = new MemoryService();
        using var gateway = MemoryGateway.Compose(Stale, backend);
        backend.On("x", "\"old\"");
        await gateway.GetAsync();
        backend.On("x", status, "{}");
        Assert.Equal("""{"x":null}""", (await gateway.GetAsync()).Body);
        backend.On("x", 503, "{}");
        Assert.Equal("""{"x":null}""", (await gateway.GetAsync()).Body);
    }

    [Theory]
    [InlineData(429)]
    [InlineData(500)]
    [InlineData(502)]
    [InlineData(503)]
    [InlineData(504)]
    public async Task Stale_InAnOutage_StandsIn(int status)
    {
        var backend = new MemoryService();
        using var gateway = MemoryGateway.Compose(Stale, backend);
        backend.On("x", "\"old\"");
        await gateway.GetAsync();
        backend.On("x", status, "{}");
        for (var i = 0; i < 2; i++)
            Assert.Equal("""{"x":"old"}""", (await gateway.GetAsync()).Body);
    }

    [Theory]
    [InlineData("no-cache", false)]
    [InlineData("must-revalidate, max-age=0", false)]
    [InlineData("public, proxy-revalidate", false)]
    [InlineData("private", false)]
    [InlineData("private=\"Set-Cookie\"", false)]
    [InlineData("no-store", false)]
    [InlineData("s-maxage=60", false)]
    [InlineData("max-age=0, stale-if-error=0", false)]
    [InlineData("max-age=soon", false)]
    [InlineData("public", true)]
    [InlineData("max-age=0", true)]
    [InlineData("max-age=0, stale-if-error=600", true)]
    public async Task Stale_IsNotAgainstWhatTheServiceSaid(string control, bool stands)
    {
        var backend = new MemoryService();
        using var gateway = MemoryGateway.Compose(Stale, backend);
        backend.On("x", 200, "\"old\"", ("Cache-Control", control));
        await gateway.GetAsync();
        backend.On("x", 503, "{}");
        Assert.Equal(stands ? """{"x":"old"}""" : """{"x":null}""", (await gateway.GetAsync()).Body);
    }

    [Theory]
    [InlineData(200, "no-store")]
    [InlineData(200, "must-revalidate")]
    [InlineData(304, "must-revalidate")]
    [InlineData(304, "private")]
    public async Task Stale_GoesByWhatTheServiceSaidLast(int status, string control)
    {
        var backend = new MemoryService();
        using var gateway = MemoryGateway.Compose(Stale, backend);
        backend.On("x", 200, "\"old\"", ("ETag", "\"1\""), ("Cache-Control", "max-age=60"));
        await gateway.GetAsync();
        backend.On("x", context =>
        {
            context.Response.StatusCode = status;
            context.Response.Headers.ETag = "\"1\"";
            context.Response.Headers.CacheControl = control;
            return status == 304 ? Task.CompletedTask : context.Response.WriteAsync("\"new\"");
        });
        Assert.Equal(200, (await gateway.GetAsync()).Status);
        backend.On("x", 503, "{}");
        Assert.Equal("""{"x":null}""", (await gateway.GetAsync()).Body);
    }

    [Theory]
    [InlineData("Host", "other.example")]
    [InlineData("X-Forwarded-For", "192.0.2.7")]
    [InlineData("X-Forwarded-Host", "other.example")]
    [InlineData("X-Forwarded-Proto", "https")]
    [InlineData("Forwarded", "for=192.0.2.7")]
    [InlineData("Via", "1.1 other")]
    public async Task KeptAnswer_IsOnlyForTheRequestAsItIsSent(string name, string value)
    {
        var backend = new MemoryService();
        backend.On("x", 200, "\"mine\"", ("ETag", "\"1\""));
        using var gateway = StartTrusting(backend, Stale);
        await gateway.GetAsync("/c");
        await gateway.GetAsync("/c", (name, value));
        Assert.All(backend.Seen, r => Assert.Null(r["If-None-Match"]));
        await gateway.GetAsync("/c", (name, value));
        Assert.Equal("\"1\"", backend.Seen.Last()["If-None-Match"]);

        backend.On("x", 503, "{}");
        Assert.Equal("""{"x":null}""", (await gateway.GetAsync("/c", (name, value + "0"))).Body);
    }

    [Theory]
    [InlineData("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
    public async Task KeptAnswer_IsTheSameForEveryTrace(string name, string value)
    {
        var backend = new MemoryService();
        backend.On("x", 200, "1", ("ETag", "\"1\""));
        using var gateway = StartTrusting(backend, Stale);
        await gateway.GetAsync("/c");
        await gateway.GetAsync("/c", (name, value), ("tracestate", "a=1"));
        Assert.Equal("\"1\"", backend.Seen.Last()["If-None-Match"]);
    }

    [Theory]
    [InlineData("*", false)]
    [InlineData("Accept-Language, *", false)]
    [InlineData("traceparent", false)]
    [InlineData("Accept-Language, Origin, X-Forwarded-For, Host", true)]
    public async Task Vary_OfWhatTheKeyDoesNotHave_KeepsNothing(string vary, bool isKept)
    {
        var backend = new MemoryService();
        backend.On("x", 200, "\"old\"", ("ETag", "\"1\""), ("Vary", vary));
        using var gateway = MemoryGateway.Compose(Stale, backend);
        await gateway.GetAsync();
        await gateway.GetAsync();
        Assert.Equal(isKept ? "\"1\"" : null, backend.Seen.Last()["If-None-Match"]);
        backend.On("x", 503, "{}");
        Assert.Equal(isKept ? """{"x":"old"}""" : """{"x":null}""", (await gateway.GetAsync()).Body);
    }

    [Theory]
    [InlineData("X-Forwarded-For", "192.0.2.7")]
    [InlineData("Host", "other.example")]
    public async Task Collapse_IsOnlyForTheRequestAsItIsSent(string name, string value)
    {
        var backend = new MemoryService();
        var held = backend.Hold("x");
        backend.On("mark", "0");
        using var gateway = StartTrusting(backend, Collapsing);
        var one = gateway.GetAsync("/c");
        var two = gateway.GetAsync("/c", (name, value));
        await Until.TrueAsync(() => held.Count == 2);
        held.Release();
        await Task.WhenAll(one, two);
    }

    [Theory]
    [InlineData("Cache-Control", "private")]
    [InlineData("Cache-Control", "no-store")]
    [InlineData("Vary", "*")]
    public async Task Collapse_OfAnAnswerForOneClientAlone_LetsEverybodyAsk(string name, string value)
    {
        var backend = new MemoryService();
        var (count, release) = (0, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        var rest = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        backend
            .On("mark", "0")
            .On("x", async context =>
            {
                var mine = Interlocked.Increment(ref count);
                await (mine == 1 ? release.Task : rest.Task);
                context.Response.Headers[name] = value;
                context.Response.ContentType = "application/json";
                await context.Response.WriteAsync(mine.ToString(System.Globalization.CultureInfo.InvariantCulture));
            });
        using var gateway = MemoryGateway.Compose(Collapsing, backend);
        var clients = Enumerable.Range(0, 4).Select(_ => gateway.GetAsync()).ToList();
        await Until.TrueAsync(() => backend.Count("mark") == 4);
        Assert.Equal(1, backend.Count("x"));
        release.SetResult();
        await Until.TrueAsync(() => backend.Count("x") == 4); // at once, and not one after the other
        rest.SetResult();
        var answers = await Task.WhenAll(clients).InTimeAsync();
        Assert.Equal(4, answers.Select(a => a.Body).Distinct().Count());
        Assert.All(answers, a => Assert.DoesNotContain("shared", a.Of("x"), StringComparison.Ordinal));
    }

    private static MemoryGateway StartTrusting(MemoryService backend, string compose) =>
        MemoryGateway.Start(
            $$"""
            trustedProxies: { from: [192.0.2.1], fields: [x-forwarded-for, x-forwarded-proto, x-forwarded-host, forwarded] }
            services: { a: "{{backend.Address}}" }
            routes:
              c:
                match: /c
                compose:
            {{string.Join("\n", compose.Split('\n').Select(l => "      " + l))}}
            """,
            backend
        );
}
