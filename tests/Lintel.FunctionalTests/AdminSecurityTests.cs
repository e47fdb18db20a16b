using System.Net;
using System.Text.Json.Nodes;
using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary>Whom the admin address answers, and how much of a caller it bears.</summary>
[AnyTransport]
public sealed class AdminSecurityTests(AdminSecurityTests.SharedGateway shared) : IClassFixture<AdminSecurityTests.SharedGateway>
{
    private const string Routes = "routes: { a: { match: /a, respond: {} } }";

    private readonly LocalProgram _gateway = shared.Gateway;

    [Fact]
    public async Task Token_WhereThereIsOne_IsNeededForAllButHealth()
    {
        await using var gateway = await LocalProgram.StartAsync(
            "admin: { address: \"http://127.0.0.1:0\", token: correct-horse }\n" + Routes
        );
        using var client = await RawClient.ConnectAsync(gateway.Admin);
        foreach (var path in new[] { "/api/v1", "/api/v1/snapshot", "/metrics", "/nothing" })
        {
            var refused = await client.GetAsync(path);
            Assert.Equal(401, refused.Status);
            Assert.Equal("Bearer realm=\"lintel-admin\"", refused["WWW-Authenticate"]);
            AssertProblem(refused, "unauthorized");
        }

        foreach (
            var wrong in new[]
            {
                "Bearer wrong",
                "Bearer",
                "Bearer correct-hors",
                "Bearer correct-horse2",
                "Basic correct-horse",
                "correct-horse",
                "Bearer correct-horse\r\nAuthorization: Bearer correct-horse",
            }
        )
        {
            var refused = await client.GetAsync("/api/v1", $"Authorization: {wrong}\r\n");
            Assert.Equal((401, "Bearer realm=\"lintel-admin\", error=\"invalid_token\""), (refused.Status, refused["WWW-Authenticate"]));
        }

        foreach (var right in new[] { "Bearer correct-horse", "bearer correct-horse", "BEARER  correct-horse" })
            Assert.Equal(200, (await client.GetAsync("/api/v1", $"Authorization: {right}\r\n")).Status);
        Assert.Equal(404, (await client.GetAsync("/nothing", "Authorization: Bearer correct-horse\r\n")).Status);
        Assert.Equal(200, (await client.GetAsync("/health/live")).Status);
        // without a token no more is visible than to a probe
        Assert.Equal(200, (await client.GetAsync("/health/ready", "Origin: http://elsewhere.example\r\n")).Status);
    }

    [Theory]
    [InlineData("localhost", 200)]
    [InlineData("LOCALHOST:9901", 200)]
    [InlineData("localhost.", 200)]
    [InlineData("127.0.0.1:1", 200)]
    [InlineData("127.9.9.9", 200)]
    [InlineData("[::1]:9901", 200)]
    [InlineData("evil.example", 421)]
    [InlineData("evil.example:9901", 421)]
    [InlineData("localhost.evil.example", 421)]
    [InlineData("127.0.0.1.evil.example", 421)]
    [InlineData("10.0.0.1", 421)]
    [InlineData("0.0.0.0", 421)]
    [InlineData("[2001:db8::1]", 421)]
    public async Task Host_WithoutToken_MustBeThisMachines(string host, int status)
    {
        using var client = await RawClient.ConnectAsync(_gateway.Admin);
        foreach (var path in new[] { "/api/v1", "/metrics", "/health/ready" })
        {
            await client.SendAsync($"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            var response = await client.ReadResponseAsync();
            Assert.Equal(status, response.Status);
            if (status == 421)
                AssertProblem(response, "misdirected-host");
        }
    }

    [Fact]
    public async Task Host_OfAProbeInHttp10_MayBeAbsent()
    {
        using var client = await RawClient.ConnectAsync(_gateway.Admin);
        await client.SendAsync("GET /health/ready HTTP/1.0\r\n\r\n");
        Assert.Equal(200, (await client.ReadResponseAsync()).Status);
    }

    [Theory]
    [InlineData("http://evil.example", 403)]
    [InlineData("null", 403)]
    [InlineData("http://localhost:3000", 403)]
    [InlineData("http://localhost", 200)]
    public async Task Origin_WithoutToken_MustBeTheAdminAddressItself(string origin, int status)
    {
        using var client = await RawClient.ConnectAsync(_gateway.Admin);
        await client.SendAsync($"GET /api/v1 HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\n\r\n");
        var response = await client.ReadResponseAsync();
        Assert.Equal(status, response.Status);
        Assert.Null(response["Access-Control-Allow-Origin"]);
    }

    [Theory]
    [InlineData("POST")]
    [InlineData("PUT")]
    [InlineData("DELETE")]
    [InlineData("OPTIONS")]
    [InlineData("PATCH")]
    [InlineData("TRACE")]
    [InlineData("get")]
    public async Task Methods_OtherThanGetAndHead_AreNotAllowed(string method)
    {
        using var client = await RawClient.ConnectAsync(_gateway.Admin);
        foreach (var path in new[] { "/api/v1/snapshot", "/metrics", "/health/live" })
        {
            await client.SendAsync($"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
            var response = await client.ReadResponseAsync();
            Assert.Equal((405, "GET, HEAD"), (response.Status, response["Allow"]));
            AssertProblem(response, "method-not-allowed");
        }
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/api")]
    [InlineData("/api/v1/")]
    [InlineData("/api/v2/snapshot")]
    [InlineData("/api/v1/routes/")]
    [InlineData("/api/v1/routes/a/b")]
    [InlineData("/api/v1/listeners/public")]
    [InlineData("/API/v1")]
    [InlineData("/metrics/more")]
    [InlineData("/health")]
    [InlineData("/api/v1/%2e%2e/v1x")]
    public async Task Paths_ThatAreUnknown_AreNotFound(string path)
    {
        using var client = await LocalAsync(path);
        var response = await client.ReadResponseAsync();
        Assert.Equal(404, response.Status);
        AssertProblem(response, "not-found");
    }

    [Theory]
    [InlineData("/api/v1/snapshot")]
    [InlineData("/metrics")]
    [InlineData("/health/live")]
    [InlineData("/nothing")]
    public async Task Answers_OfEveryKind_AreNeitherKeptNorGuessed(string path)
    {
        foreach (var method in new[] { "GET", "HEAD" })
        {
            using var client = await RawClient.ConnectAsync(_gateway.Admin);
            await client.SendAsync($"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            var response = await client.ReadResponseAsync(hasBody: method == "GET");
            Assert.Equal(("no-store", "nosniff"), (response["Cache-Control"], response["X-Content-Type-Options"]));
            Assert.Null(response["Server"]);
            Assert.Equal("", await client.ReadToEndAsync());
        }
    }

    [Fact]
    public async Task Metrics_TurnedOff_AreNotFound()
    {
        await using var gateway = await LocalProgram.StartAsync(
            "observability: { accessLog: { to: none }, metrics: { prometheus: false } }\n" + Routes
        );
        using var admin = new AdminClient(gateway.Admin);
        using (var off = await admin.SendAsync("/metrics"))
            Assert.Equal(HttpStatusCode.NotFound, off.StatusCode);
        await gateway.ReloadAsync(Routes);
        using var on = await admin.SendAsync("/metrics"); // at the same port 0, which is not opened again
        Assert.Equal(HttpStatusCode.OK, on.StatusCode);
    }

    [Fact]
    public async Task Head_LargerThanTheLimits_IsRefused()
    {
        Assert.Equal(431, await StatusAsync($"GET /api/v1 HTTP/1.1\r\nHost: localhost\r\nX: {new string('x', 17 * 1024)}\r\n\r\n"));
        Assert.Equal(
            431,
            await StatusAsync(
                $"GET /api/v1 HTTP/1.1\r\nHost: localhost\r\n{string.Concat(Enumerable.Range(0, 70).Select(i => $"X{i}: 1\r\n"))}\r\n"
            )
        );
        Assert.Equal(414, await StatusAsync($"GET /{new string('x', 9 * 1024)} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        Assert.Equal(200, await StatusAsync($"GET /api/v1 HTTP/1.1\r\nHost: localhost\r\nX: {new string('x', 7 * 1024)}\r\n\r\n"));
    }

    [Fact]
    public async Task Body_LargerThanTheLimit_IsRefusedBeforeItIsSent()
    {
        using var client = await RawClient.ConnectAsync(_gateway.Admin);
        await client.SendAsync("GET /api/v1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 65537\r\n\r\n");
        var response = await client.ReadResponseAsync();
        Assert.Equal((413, "close"), (response.Status, response["Connection"]));
        Assert.Equal("", await client.ReadToEndAsync());

        // A small one is thrown away and the connection lives on.
        using var other = await RawClient.ConnectAsync(_gateway.Admin);
        await other.SendAsync(
            $"GET /api/v1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{new string('x', 1000)}GET /health/live "
                + $"HTTP/1.1\r\nHost: localhost\r\n\r\n"
        );
        Assert.Equal(200, (await other.ReadResponseAsync()).Status);
        Assert.Equal("{\"status\":\"live\"}", (await other.ReadResponseAsync()).Body);
    }

    [Fact]
    public async Task Head_SentSlowly_IsCutOffAfterTenSeconds()
    {
        using var client = await RawClient.ConnectAsync(_gateway.Admin);
        await client.SendAsync("GET /api/v1 HTTP/1.1\r\nHost: loc");
        var started = System.Diagnostics.Stopwatch.GetTimestamp();
        Assert.Equal(408, (await client.ReadResponseAsync()).Status);
        Assert.InRange(System.Diagnostics.Stopwatch.GetElapsedTime(started).TotalSeconds, 8, 19);
    }

    [Fact]
    public async Task Connections_BeyondTheLimit_PutTheIdlestOut_AndProbesAreAnswered()
    {
        const int Most = 256; // docs/guides/admin.md
        const int Last = 300;
        await using var gateway = await LocalProgram.StartAsync(Routes); // its own: others' connections would count
        var open = new List<RawClient>();
        for (var i = 0; i < Last; i++)
        {
            open.Add(await RawClient.ConnectAsync(gateway.Admin));

            // Each connection is closed before the next is opened: those in progress count, and beyond 64 of them a new one is closed.
            if (i >= Most)
                await AssertGoneAsync(open[i - Most]);
        }

        using (var probe = await RawClient.ConnectAsync(gateway.Admin))
        {
            await probe.SendAsync("GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
            Assert.Equal(200, (await probe.ReadResponseAsync()).Status);
        }

        await AssertGoneAsync(open[Last - Most]); // the probe's place
        await open[^1].SendAsync("GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
        Assert.Equal(200, (await open[^1].ReadResponseAsync()).Status);
        open.ForEach(c => c.Dispose());
    }

    /// <summary>Closed, or reset.</summary>
    private static async Task AssertGoneAsync(RawClient client)
    {
        try
        {
            Assert.Equal(-1, await client.ReadByteAsync());
        }
        catch (IOException)
        {
            // Reset.
        }
    }

    private static void AssertProblem(RawResponse response, string slug)
    {
        Assert.Equal("application/problem+json", response["Content-Type"]);
        var problem = JsonNode.Parse(response.Body)!;
        Assert.Equal("urn:problem-type:lintel:admin-" + slug, (string?)problem["type"]);
        Assert.Equal(response.Status, (int)problem["status"]!);
        Assert.Equal(("no-store", "nosniff"), (response["Cache-Control"], response["X-Content-Type-Options"]));
    }

    private async Task<RawClient> LocalAsync(string path)
    {
        var client = await RawClient.ConnectAsync(_gateway.Admin);
        await client.SendAsync($"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        return client;
    }

    private async Task<int> StatusAsync(string request)
    {
        using var client = await RawClient.ConnectAsync(_gateway.Admin);
        await client.SendAsync(request);
        return (await client.ReadResponseAsync()).Status;
    }

    /// <summary>One gateway for all tests that change nothing.</summary>
    public sealed class SharedGateway : IAsyncLifetime
    {
        internal LocalProgram Gateway { get; private set; } = null!;

        public async ValueTask InitializeAsync() => Gateway = await LocalProgram.StartAsync(Routes);

        public ValueTask DisposeAsync() => Gateway.DisposeAsync();
    }
}
