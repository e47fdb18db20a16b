using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;

namespace Lintel.FunctionalTests;

/// <summary>Decision points of <c>authorize</c>, over real sockets.</summary>
[EveryTransport]
public sealed class DecisionTests : IAsyncDisposable
{
    private TestService _point = null!;
    private TestService _service = null!;
    private InProcessGateway _gateway = null!;

    public async ValueTask DisposeAsync()
    {
        await _gateway.DisposeAsync();
        await _service.DisposeAsync();
        await _point.DisposeAsync();
    }

    [Fact]
    public async Task Opa_IsAskedWithTheRequestAndItsCaller_AndNothingElse()
    {
        var inputs = new ConcurrentQueue<string>();
        await StartAsync(Opa("{\"result\":true}", inputs), "headers: [X-Tenant], ");
        var (status, _) = await SendAsync("POST", "/api/a%2Fb/1?q=x&q=y&e=", "secret body", ("X-Tenant", "t1"), ("X-Other", "o1"));
        Assert.Equal(200, status);
        var asked = Assert.Single(_point.Seen);
        Assert.Equal(("POST", "/v1/data/shop/allow", "application/json"), (asked.Method, asked.Target, asked["Content-Type"]));
        Assert.Null(asked["Authorization"]);
        var input = (JsonObject)JsonNode.Parse(Assert.Single(inputs))!["input"]!;
        var host = _gateway.Address.Authority;
        Assert.Equal(
            $$$"""{"method":"POST","scheme":"http","host":"{{{host}}}","path":["api","a/b","1"],"query":{"q":["x","y"],"e":[""]},"headers":{"x-tenant":"t1"},"route":"api","parameters":{"name":"a/b","rest":"1"},"address":"127.0.0.1","client":"acme","claims":{"sub":"kim","roles":["admin"]}}""",
            input.ToJsonString()
        );
    }

    [Theory]
    [InlineData("{\"result\":false}", 403, "forbidden")]
    [InlineData("{\"result\":{\"allow\":false}}", 403, "forbidden")]
    [InlineData("{\"result\":{\"allow\":true}}", 200, "")]
    [InlineData("{}", 503, "authorization-unavailable")]
    [InlineData("{\"result\":\"true\"}", 503, "authorization-unavailable")]
    [InlineData("{\"result\":{}}", 503, "authorization-unavailable")]
    [InlineData("{\"result\":{\"allow\":1}}", 503, "authorization-unavailable")]
    [InlineData("{\"result\":false,\"result\":true}", 503, "authorization-unavailable")]
    [InlineData("{\"result\":true", 503, "authorization-unavailable")]
    [InlineData("true", 503, "authorization-unavailable")]
    [Attack("the decision point answers nonsense, twice, or with the text \"true\"", "503: what cannot be decided is refused")]
    public async Task Opa_ByItsAnswer_AllowsOrRefuses(string answer, int status, string problem)
    {
        await StartAsync(Opa(answer));
        var (actual, body) = await SendAsync("GET", "/api/a/1");
        Assert.Equal(status, actual);
        if (problem.Length > 0)
            Assert.Equal("urn:problem-type:lintel:" + problem, (string?)JsonNode.Parse(body)!["type"]);
        Assert.Equal(status == 200 ? 1 : 0, _service.Seen.Count);
    }

    [Fact]
    public async Task Opa_ThatFails_OrDoesNotAnswer_RefusesEverybody()
    {
        await StartAsync(c =>
        {
            c.Response.StatusCode = 500;
            return Task.CompletedTask;
        });
        Assert.Equal(503, (await SendAsync("GET", "/api/a/1")).Status);
        _point.Handler = c =>
        {
            c.Response.Redirect("/elsewhere");
            return Task.CompletedTask;
        };
        Assert.Equal(503, (await SendAsync("GET", "/api/a/1")).Status);
        _point.Handler = async c => await Task.Delay(Timeout.Infinite, c.RequestAborted);
        Assert.Equal(503, (await SendAsync("GET", "/api/a/1")).Status);
        await _point.DisposeAsync();
        Assert.Equal(503, (await SendAsync("GET", "/api/a/1")).Status);
        Assert.Empty(_service.Seen);
        Assert.Contains(_gateway.Log, l => l.Contains("did not answer in time", StringComparison.Ordinal));
    }

    [Fact]
    [Attack(
        "a client sends the header that the decision point would set for the service",
        "the service receives the decision point's, or none"
    )]
    public async Task Headers_OfTheAnswer_ReachTheService_AndThoseOfTheClientDoNot()
    {
        await StartAsync(
            Opa("{\"result\":{\"allow\":true,\"headers\":{\"x-tier\":\"gold\",\"x-else\":\"e\"}}}"),
            "toService: [X-Tier, X-None], "
        );
        await SendAsync("GET", "/api/a/1", null, ("X-Tier", "platinum"), ("X-None", "forged"), ("X_Tier", "forged"));
        var seen = Assert.Single(_service.Seen);
        Assert.Equal(("gold", null, null, null), (seen["X-Tier"], seen["X-None"], seen["X-Else"], seen["X_Tier"]));
        _point.Handler = Opa("{\"result\":{\"allow\":true,\"headers\":{\"x-tier\":\"a\\nb\"}}}");
        Assert.Equal(503, (await SendAsync("GET", "/api/a/2")).Status);
    }

    [Fact]
    [Attack("the cached decision about one user is used for another one", "every input is part of the key: each is asked for")]
    public async Task Decisions_AreKept_ForEqualInputsOnly()
    {
        await StartAsync(
            async c =>
            {
                var text = await ScriptedAnswers.BodyOf(c);
                await c.Response.WriteAsync($"{{\"result\":{(text.Contains("kim", StringComparison.Ordinal) ? "true" : "false")}}}");
            },
            "cache: 1h, headers: X-Tenant, "
        );
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(200, (await SendAsync("GET", "/api/a/1")).Status);
            Assert.Equal(403, (await SendAsAsync("lee", "GET", "/api/a/1", null)).Status);
        }

        Assert.Equal(2, _point.Seen.Count);
        await SendAsync("HEAD", "/api/a/1");
        await SendAsync("GET", "/api/a/2");
        await SendAsync("GET", "/api/a/1?q=1");
        await SendAsync("GET", "/api/a/1", null, ("X-Tenant", "t1"));
        Assert.Equal(6, _point.Seen.Count);
        await SendAsync("GET", "/api/a/1", null, ("X-Unsent", "u1"));
        Assert.Equal(6, _point.Seen.Count);
    }

    [Fact]
    public async Task Decisions_ThatAreBeingMade_AreAwaited_AndFailuresAreNotKept()
    {
        var release = new TaskCompletionSource();
        await StartAsync(
            async c =>
            {
                await release.Task;
                c.Response.StatusCode = 500;
            },
            "cache: 1h, timeout: 1m, "
        );
        var all = Enumerable.Range(0, 8).Select(_ => SendAsync("GET", "/api/a/1")).ToList();
        await Until.TrueAsync(() => !_point.Seen.IsEmpty);
        release.SetResult();
        Assert.All(await Task.WhenAll(all), a => Assert.Equal(503, a.Status));
        var failed = _point.Seen.Count;
        Assert.InRange(failed, 1, 7);
        _point.Handler = Opa("{\"result\":true}");
        Assert.Equal(200, (await SendAsync("GET", "/api/a/1")).Status);
        Assert.Equal(failed + 1, _point.Seen.Count);
    }

    [Fact]
    public async Task ExtAuthz_GetsTheHead_AndItsAnswersPassAsEnvoysDo()
    {
        await StartAsync(
            c =>
            {
                c.Response.Headers["X-User"] = "kim";
                c.Response.Headers["X-Else"] = "e";
                return Task.CompletedTask;
            },
            "protocol: extAuthz, toService: X-User, toClient: [WWW-Authenticate, X-Why], ",
            "/check"
        );
        var (status, _) = await SendAsync("PUT", "/api/a%2Fb/1?q=x", "secret body", ("X-User", "forged"), ("Cookie", "a=b"));
        Assert.Equal(200, status);
        var asked = Assert.Single(_point.Seen);
        Assert.Equal(("PUT", "/check/api/a%2Fb/1?q=x", _gateway.Address.Authority), (asked.Method, asked.Target, asked.Host));
        Assert.Equal(("127.0.0.1", "http", null), (asked["X-Forwarded-For"], asked["X-Forwarded-Proto"], asked["Cookie"]));
        Assert.StartsWith("Basic ", asked["Authorization"], StringComparison.Ordinal);
        Assert.Equal("0", asked["Content-Length"]);
        Assert.Equal(("kim", null), (_service.Seen.Single()["X-User"], _service.Seen.Single()["X-Else"]));

        foreach (var refusal in new[] { 401, 403 })
        {
            _point.Handler = c =>
            {
                c.Response.StatusCode = refusal;
                c.Response.Headers.WWWAuthenticate = "Bearer realm=\"x\"";
                c.Response.Headers["X-Why"] = "because";
                c.Response.Headers["X-Else"] = "e";
                return c.Response.WriteAsync("a page");
            };
            using var response = await _gateway.Client.SendAsync(Request("kim", "GET", "/api/a/1", null));
            Assert.Equal(refusal, (int)response.StatusCode);
            Assert.Equal("Bearer realm=\"x\"", response.Headers.WwwAuthenticate.ToString());
            Assert.Equal("because", response.Headers.GetValues("X-Why").Single());
            Assert.False(response.Headers.Contains("X-Else"));
        }

        foreach (var other in new[] { 302, 404, 429, 500 })
        {
            _point.Handler = c =>
            {
                c.Response.StatusCode = other;
                return Task.CompletedTask;
            };
            Assert.Equal(503, (await SendAsync("GET", "/api/a/1")).Status);
        }
    }

    private static RequestDelegate Opa(string answer, ConcurrentQueue<string>? inputs = null) =>
        async c =>
        {
            var text = await ScriptedAnswers.BodyOf(c);
            inputs?.Enqueue(text);
            await c.Response.WriteAsync(answer);
        };

    private async Task StartAsync(RequestDelegate point, string settings = "", string path = "/v1/data/shop/allow")
    {
        _point = await TestService.StartAsync(point);
        _service = await TestService.StartAsync();
        var hash = Identities.PasswordHash.Create("pw"u8, Identities.PasswordHash.LeastIterations).ToConfig();
        _gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: "{{_service.Address}}" }
            clients: { acme: { claims: { sub: kim } } }
            policies:
              operators: { basic: { users: { kim: { password: "{{hash}}", roles: admin }, lee: "{{hash}}" } } }
              point: { authorize: { http: "{{_point.Address}}{{path}}", {{settings}} } }
            routes:
              api: { match: { path: "/api/{name}/{**rest}", allow: [encodedSlashes] }, forward: s, policies: [point, operators] }
            """
        );
    }

    private Task<(int Status, string Body)> SendAsync(
        string method,
        string target,
        string? body = null,
        params (string Name, string Value)[] headers
    ) => SendAsAsync("kim", method, target, body, headers);

    private async Task<(int Status, string Body)> SendAsAsync(
        string user,
        string method,
        string target,
        string? body,
        params (string Name, string Value)[] headers
    )
    {
        using var response = await _gateway.Client.SendAsync(Request(user, method, target, body, headers));
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    private HttpRequestMessage Request(
        string user,
        string method,
        string target,
        string? body,
        params (string Name, string Value)[] headers
    )
    {
        var address = new Uri(
            _gateway.Address.GetLeftPart(UriPartial.Authority) + target,
            new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }
        );
        var request = new HttpRequestMessage(new HttpMethod(method), address) { Content = body is null ? null : new StringContent(body) };
        request.Headers.TryAddWithoutValidation(
            "Authorization",
            "Basic " + Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(user + ":pw"))
        );
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        return request;
    }
}
