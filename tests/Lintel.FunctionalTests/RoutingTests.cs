using System.Net;
using System.Text.Json;
using Lintel.TestKit;

namespace Lintel.FunctionalTests;

[AnyTransport]
public sealed class RoutingTests : IClassFixture<RoutingTests.SharedGateway>
{
    private readonly TestService _service;
    private readonly InProcessGateway _gateway;

    public RoutingTests(SharedGateway shared)
    {
        (_service, _gateway) = (shared.Served.Service, shared.Served.Gateway);
        _service.Reset();
    }

    [Theory]
    [InlineData("", "", "/who", "default")]
    [InlineData("Host: api.example.com", "", "/who", "host")]
    [InlineData("Host: a.b.example.com:81", "", "/who", "wild")]
    [InlineData("Host: example.com", "", "/who", "default")]
    [InlineData("", "X-Build: 2.7\r\n", "/who", "header")]
    [InlineData("", "X-Build: 3.2.1\r\n", "/who", "default")]
    [InlineData("", "", "/who?preview", "query")]
    [InlineData("", "Cookie: a=1; group=b\r\n", "/who", "cookie")]
    [InlineData("", "Cookie: group=b\r\n", "/who?preview=1", "query")]
    [InlineData("", "X-Client: ios\r\n", "/who2", "mobile")]
    [InlineData("", "X-Client: windows\r\n", "/who2", "nobody")]
    [InlineData("", "", "/not", "stable")]
    public async Task Match_Conditions_PickTheRoute(string host, string headers, string target, string body)
    {
        using var client = await _gateway.ConnectAsync();
        await client.SendAsync($"GET {target} HTTP/1.1\r\n{(host.Length > 0 ? host : "Host: test")}\r\n{headers}\r\n");
        var response = await client.ReadResponseAsync();
        Assert.Equal((200, body), (response.Status, response.Body));
    }

    [Fact]
    public async Task Match_ConditionFails_NotFoundProblem()
    {
        using var client = await _gateway.ConnectAsync();
        var response = await client.GetAsync("/not", "X-Beta: true\r\n");
        Assert.Equal(404, response.Status);
        Assert.Equal("application/problem+json", response["Content-Type"]);
        using var problem = JsonDocument.Parse(response.Body);
        Assert.Equal("urn:problem-type:lintel:route-not-found", problem.RootElement.GetProperty("type").GetString());
        Assert.Equal(404, problem.RootElement.GetProperty("status").GetInt32());
        Assert.NotEmpty(problem.RootElement.GetProperty("title").GetString()!);
        Assert.Equal(32, problem.RootElement.GetProperty("traceId").GetString()!.Length);
        Assert.Null(response["Server"]);
    }

    [Fact]
    public async Task Match_OtherMethod_405WithAllow()
    {
        using var response = await _gateway.Client.DeleteAsync(new Uri("/only-get", UriKind.Relative));
        Assert.Equal(HttpStatusCode.MethodNotAllowed, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType!.MediaType);
        Assert.Equal(["GET", "HEAD", "POST"], response.Content.Headers.Allow.Order());
    }

    [Fact]
    public async Task Match_HeadOfGetRoute_HeadWithoutBody()
    {
        using var client = await _gateway.ConnectAsync();
        await client.SendAsync("HEAD /only-get HTTP/1.1\r\nHost: t\r\n\r\n");
        var response = await client.ReadResponseAsync(hasBody: false);
        Assert.Equal((200, "3"), (response.Status, response["Content-Length"]));
        Assert.Equal("got", (await client.GetAsync("/only-get")).Body); // nothing of a body stood in between
    }

    [Fact]
    public async Task Respond_JsonBody_IsJson()
    {
        using var client = await _gateway.ConnectAsync();
        var response = await client.GetAsync("/json");
        Assert.Equal((203, "b"), (response.Status, response["X-A"]));
        Assert.StartsWith("application/json", response["Content-Type"]);
        Assert.Equal(2, JsonDocument.Parse(response.Body).RootElement.GetProperty("a")[1].GetInt32());
    }

    [Fact]
    public async Task Redirect_CatchAll_KeepsSlashes()
    {
        using var client = await _gateway.ConnectAsync();
        var response = await client.GetAsync("/old/a/b%20c");
        Assert.Equal((308, "https://docs.example.com/a/b%20c"), (response.Status, response["Location"]));
    }

    [Fact]
    public async Task Forward_PathTemplate_RewritesPathKeepsQuery()
    {
        using var client = await _gateway.ConnectAsync();
        Assert.Equal(200, (await client.GetAsync("/api/users/42?a=1&b=%20")).Status);
        Assert.Equal("/users/42?a=1&b=%20", _service.Seen.Single().Target);
        Assert.Equal(404, (await client.GetAsync("/api/users/forty")).Status);
    }

    [Theory]
    [InlineData("/api/names/a%2520b", 200, "/n/a%2520b")]
    [InlineData("/api/names/%ED%95%9C", 200, "/n/%ED%95%9C")]
    [InlineData("/api/names/a%3Fb", 200, "/n/a%3Fb")]
    [InlineData("/api/names/..", 404, null)]
    public async Task Forward_Placeholder_NeverLeavesItsSegment(string target, int status, string? seen)
    {
        using var client = await _gateway.ConnectAsync();
        Assert.Equal(status, (await client.GetAsync(target)).Status);
        Assert.Equal(seen, _service.Seen.SingleOrDefault()?.Target);
    }

    [Fact]
    public async Task Transform_HeadersAndQuery_Changed()
    {
        _service.Handler = c =>
        {
            c.Response.Headers["X-Secret"] = "1";
            c.Response.Headers["X-Served-By"] = "upstream";
            return Task.CompletedTask;
        };
        using var client = await _gateway.ConnectAsync();
        var response = await client.GetAsync("/changed/7?q=x%20y&secret=1&src=evil", "Cookie: a=b\r\nX-Id: spoofed\r\nX-Add: one\r\n");
        Assert.Equal((200, "lintel", null), (response.Status, response["X-Served-By"], response["X-Secret"]));
        var seen = _service.Seen.Single();
        Assert.Equal(("7", "127.0.0.1", null), (seen["X-Id"], seen["X-Ip"], seen["Cookie"]));
        Assert.Equal("one, two", seen["X-Add"]?.Replace("|", ", ", StringComparison.Ordinal)); // one line or two: the same to HTTP
        Assert.StartsWith("x", seen["X-Q"]);
        var query = Microsoft.AspNetCore.WebUtilities.QueryHelpers.ParseQuery(seen.Target[seen.Target.IndexOf('?')..]);
        Assert.Equal(("gw", "7", false), (query["src"].ToString(), query["id"].ToString(), query.ContainsKey("secret")));
    }

    [Theory]
    [InlineData("/any/a/../b", "/any/b")]
    [InlineData("/any/%2e%2e/any/b", "/any/b")]
    [InlineData("/any/.%2E/any/b", "/any/b")]
    [InlineData("/any//b", "/any/b")]
    [InlineData("//any///b", "/any/b")]
    [InlineData("/any/./b/.", "/any/b/")]
    [InlineData("/any/%41%7e", "/any/A~")]
    [InlineData("/any/%c3%a9", "/any/%C3%A9")]
    [InlineData("http://test/any/b?x", "/any/b?x")]
    [InlineData("/enc/a%2fb", "/enc/a%2Fb")]
    [InlineData("/enc/a;b", "/enc/a;b")]
    public async Task Target_OtherSpelling_UpstreamGetsNormalised(string target, string seen)
    {
        using var client = await _gateway.ConnectAsync();
        var response = await client.GetAsync(target);
        Assert.Equal(200, response.Status);
        Assert.Equal(seen, _service.Seen.Single().Target);
    }

    [Theory]
    [InlineData("/../any/b", 400)]
    [InlineData("/any/../../secret", 400)]
    [InlineData("/any/%2e%2e/%2e%2e/secret", 400)]
    [InlineData("/any/../secret", 404)]
    [InlineData("/any/a%2fb", 400)]
    [InlineData("/any/..%2fsecret", 400)]
    [InlineData("/any/a%5cb", 400)]
    [InlineData("/any/a;b", 400)]
    [InlineData("/any/..;/secret", 400)]
    [InlineData("/enc/..%2fsecret", 400)]
    [InlineData("/enc/..;x", 400)]
    [InlineData("/any/a\\b", 400)]
    [InlineData("/any/%00", 400)]
    [InlineData("/any/%0d%0aX:1", 400)]
    [InlineData("/any/%zz", 400)]
    [InlineData("/any/%c3", 400)]
    public async Task Target_Hostile_NothingReachesUpstream(string target, int status)
    {
        using var client = await _gateway.ConnectAsync();
        var response = await client.GetAsync(target);
        Assert.Equal(status, response.Status);
        Assert.Empty(_service.Seen);
    }

    [Theory]
    [InlineData("GET /any/x HTTP/1.1\r\n\r\n")]
    [InlineData("GET /any/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")]
    [InlineData("POST /any/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd")]
    [InlineData("POST /any/x HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n")]
    [InlineData("GET /any/x HTTP/1.1\r\nHost: a\r\nBad Header: 1\r\n\r\n")]
    [InlineData("GET /any/x HTTP/1.1\r\nHost: a\r\n folded: 1\r\n\r\n")]
    [InlineData("GET http://other/any/x HTTP/1.1\r\nHost: a\r\n\r\n")]
    public async Task Request_AmbiguousFraming_400AndClosed(string request)
    {
        using var client = await _gateway.ConnectAsync();
        await client.SendAsync(request);
        var response = await client.ReadResponseAsync();
        Assert.Equal(400, response.Status);
        Assert.Equal("", await client.ReadToEndAsync());
        Assert.Empty(_service.Seen);
    }

    /// <summary>One for all: no test changes it.</summary>
    public sealed class SharedGateway : IAsyncLifetime
    {
        internal ServedGateway Served { get; private set; } = null!;

        public async ValueTask InitializeAsync() =>
            Served = await ServedGateway.StartAsync(service =>
                $$"""
                    services: { s: "{{service}}" }
                    clients: { mobile: { when: { headers: { X-Client: { oneOf: [ios, android] } } } } }
                    routes:
                      any: { match: "/any/{**rest}", forward: s }
                      get: { match: "GET /only-get", respond: { body: got } }
                      post: { match: "POST /only-get", respond: { status: 201, body: posted } }
                      default: { match: "GET /who", respond: { body: default } }
                      host: { match: { hosts: api.example.com, path: /who }, respond: { body: host } }
                      wild: { match: { hosts: "*.example.com", path: /who }, respond: { body: wild } }
                      header: { match: { path: /who, methods: [GET], headers: { X-Build: { regex: "^2\\." } } }, respond: { body: header } }
                      query: { match: { path: /who, methods: [GET], query: { preview: { present: true } } }, respond: { body: query } }
                      cookie: { match: { path: /who, methods: [GET], cookies: { group: b } }, respond: { body: cookie } }
                      client: { match: { path: /who2, client: mobile }, respond: { body: mobile } }
                      noclient: { match: "/who2", respond: { body: nobody } }
                      notBeta: { match: { path: /not, headers: { X-Beta: { not: "true" } } }, respond: { body: stable } }
                      old: { match: "/old/{**p}", redirect: { to: "https://docs.example.com/{p}", status: 308 } }
                      json: { match: /json, respond: { status: 203, body: { a: [1, 2] }, headers: { X-A: b } } }
                      user: { match: "GET /api/users/{id:int}", forward: "s/users/{id}" }
                      name: { match: "GET /api/names/{name}", forward: "s/n/{name}" }
                      enc: { match: { path: "/enc/{x}", allow: [encodedSlashes, semicolons] }, forward: s }
                      changed:
                        match: "/changed/{id}"
                        forward: s/c
                        transform:
                          request: { setHeaders: { X-Id: "{id}", X-Ip: "{clientIp}", X-Q: "{query:q}" }, addHeaders: { X-Add: two }, removeHeaders: [Cookie], setQuery: { src: gw, id: "{id}" }, removeQuery: [secret] }
                          response: { setHeaders: { X-Served-By: lintel }, removeHeaders: [X-Secret] }
                    """
            );

        public ValueTask DisposeAsync() => Served.DisposeAsync();
    }
}
