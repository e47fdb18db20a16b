using System.Net;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;

namespace Lintel.FunctionalTests;

/// <summary>The view of a running gateway in the admin API.</summary>
[AnyTransport]
public sealed class AdminApiTests
{
    private const int SigTerm = 15;

    private static readonly CancellationToken None = CancellationToken.None;

    private static readonly System.Text.Json.JsonSerializerOptions Readable = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    [Fact]
    public async Task Snapshot_OfARunningGateway_TellsWhereItComesFrom()
    {
        await using var gateway = await LocalProgram.StartAsync(
            "name: edge\ninclude: [routes/*.yaml]\nservices: { s: { instances: [http://127.0.0.1:1, http://127.0.0.1:2] } "
                + "}\nclients: { ios: { when: { headers: { X-Client: ios } } } }",
            new Dictionary<string, string>
            {
                ["routes/a.yaml"] = "routes: { a: { match: /a, respond: {} } }",
                ["routes/b.yaml"] = "routes: { b: { match: /b, forward: s } }",
            }
        );
        using var admin = new AdminClient(gateway.Admin);
        var snapshot = await admin.GetAsync("/api/v1/snapshot");
        Assert.Equal("edge", (string?)snapshot["name"]);
        Assert.Equal("serving", (string?)snapshot["state"]);
        Assert.Equal("0.1.0", (string?)snapshot["version"]);
        Assert.Empty(snapshot["notReadyReasons"]!.AsArray());
        Assert.Null(snapshot["drain"]);
        Assert.Equal(
            [
                Path.Combine(gateway.Folder, "gateway.yaml"),
                Path.Combine(gateway.Folder, "routes/a.yaml"),
                Path.Combine(gateway.Folder, "routes/b.yaml"),
            ],
            snapshot["files"]!.AsArray().Select(f => (string?)f)
        );
        Assert.Equal(
            """{"listeners":1,"services":1,"instances":2,"routes":2,"policies":0,"clients":1}""",
            snapshot["counts"]!.ToJsonString()
        );
        Assert.Matches("^[0-9a-f]{64}$", (string?)snapshot["hash"]);
        Assert.InRange((double)snapshot["uptimeSeconds"]!, 0.0001, 60);
        Assert.True((DateTimeOffset)snapshot["loadedAt"]! >= (DateTimeOffset)snapshot["startedAt"]!);
        Assert.Equal("applied", (string?)snapshot["lastReload"]!["outcome"]);
        Assert.Equal(0, (int)snapshot["lastReload"]!["problemCount"]!);
    }

    [Fact]
    public async Task Snapshot_AfterARefusedReload_TellsTheProblemsAndKeepsTheRest()
    {
        await using var gateway = await LocalProgram.StartAsync("routes: { a: { match: /a, respond: {} } }");
        using var admin = new AdminClient(gateway.Admin);
        var before = await admin.GetAsync("/api/v1/snapshot");
        await gateway.ReloadAsync("routes: { a: { match: /a, respnd: {} } }");
        var after = await admin.GetAsync("/api/v1/snapshot");
        Assert.Equal((string?)before["hash"], (string?)after["hash"]);
        Assert.Equal((string?)before["loadedAt"], (string?)after["loadedAt"]);
        Assert.Equal("refused", (string?)after["lastReload"]!["outcome"]);
        var problem = after["lastReload"]!["problems"]!.AsArray().Single(p => (string?)p!["code"] == "unknown-key")!;
        Assert.Equal("routes.a.respnd", (string?)problem["path"]);
        Assert.Equal(gateway.ConfigFile, (string?)problem["position"]!["source"]);
        Assert.Equal(3, (int)problem["position"]!["line"]!);
        Assert.Equal(27, (int)problem["position"]!["column"]!);
        Assert.Contains("respond", (string?)problem["hint"], StringComparison.Ordinal);

        await gateway.ReloadAsync("routes: { a: { match: /a, respond: { status: 204 } } }");
        var applied = await admin.GetAsync("/api/v1/snapshot");
        Assert.Equal("applied", (string?)applied["lastReload"]!["outcome"]);
        Assert.NotEqual((string?)before["hash"], (string?)applied["hash"]);
    }

    [Fact]
    public async Task Routes_OfEveryAction_AreToldInWords()
    {
        await using var gateway = await LocalProgram.StartAsync(
            """
            services: { a: "http://127.0.0.1:1", b: "http://127.0.0.1:2" }
            clients: { ios: { when: { headers: { X-Client: ios } } } }
            routes:
              zebra: { match: { paths: ["/a/{id}", "/b/{id}"], hosts: api.example.com, methods: [GET, PUT], query: { v: { not: { present: true } } }, client: ios }, forward: { split: { a: 3, b: 1 }, path: "/x/{id}", mirror: { service: b, percent: 5 } } }
              apple: { match: /r, redirect: { to: /other, status: 308 } }
              mango: { match: /s, respond: { status: 418, body: no } }
            """
        );
        using var admin = new AdminClient(gateway.Admin);
        var routes = (await admin.GetAsync("/api/v1/routes"))["items"]!.AsArray();
        Assert.Equal(["zebra", "apple", "mango"], routes.Select(r => (string?)r!["name"]));
        Assert.Equal(
            """{"name":"zebra","paths":["/a/{id}","/b/{id}"],"hosts":["api.example.com"],"methods":["GET","PUT"],"client":"ios","conditions":["query parameter v is absent","header X-Client is \"ios\" (client ios)"],"action":"forward","to":"/x/{id}","status":null,"services":[{"name":"a","percent":75},{"name":"b","percent":25}],"mirror":{"name":"b","percent":5},"policies":[],"priority":"normal"}""",
            routes[0]!.ToJsonString(Readable)
        );
        Assert.Equal(routes[1]!.ToJsonString(), (await admin.GetAsync("/api/v1/routes/apple")).ToJsonString());
        Assert.Equal(("redirect", "/other", 308), ((string?)routes[1]!["action"], (string?)routes[1]!["to"], (int?)routes[1]!["status"]));
        Assert.Equal(("respond", null, 418), ((string?)routes[2]!["action"], (string?)routes[2]!["to"], (int?)routes[2]!["status"]));
        var (status, problem) = await admin.AskAsync("/api/v1/routes/cherry");
        Assert.Equal(HttpStatusCode.NotFound, status);
        Assert.Equal("There is no route named `cherry`.", (string?)problem["detail"]);
    }

    [Fact]
    public async Task Services_WithARequestInFlight_CountIt_AcrossAReload()
    {
        var release = new TaskCompletionSource();
        var arrived = new TaskCompletionSource();
        await using var service = await TestService.StartAsync(async c =>
        {
            arrived.SetResult();
            await release.Task;
            await c.Response.WriteAsync("ok");
        });
        string Config(string more) =>
            $$"""
                services: { s: { instances: [{ address: "{{service.Address}}", weight: 7 }], balancing: roundRobin, timeouts: { request: 90s, idle: 61500ms } } {{more}} }
                routes: { r: { match: "/{**rest}", forward: s } }
                """;
        await using var gateway = await LocalProgram.StartAsync(Config(""));
        using var admin = new AdminClient(gateway.Admin);
        Assert.Equal(0, await InFlightAsync());
        var answer = gateway.Client.GetStringAsync(new Uri("/", UriKind.Relative), None);
        await arrived.Task.InTimeAsync();
        Assert.Equal(1, await InFlightAsync());
        await gateway.ReloadAsync(Config(", t: \"http://127.0.0.1:1\""));
        Assert.Equal(1, await InFlightAsync());
        Assert.Equal(["s", "t"], (await admin.GetAsync("/api/v1/services"))["items"]!.AsArray().Select(s => (string?)s!["name"]));
        release.SetResult();
        await answer;
        await Until.TrueAsync(async () => await InFlightAsync() == 0);

        var one = await admin.GetAsync("/api/v1/services/s");
        Assert.Equal(
            $$"""{"name":"s","protocol":"http1","balancing":"roundRobin","host":"request","timeouts":{"connect":"2s","request":"90s","idle":"61500ms"},"instances":[{"address":"{{service.Address}}","weight":7,"priority":0,"share":100,"requestsInFlight":0}]}""",
            one.ToJsonString(Readable)
        );

        async Task<int> InFlightAsync() => (int)(await admin.GetAsync("/api/v1/services/s"))["instances"]![0]!["requestsInFlight"]!;
    }

    [Fact]
    public async Task Listeners_OnPortZero_TellTheRealPort()
    {
        await using var gateway = await LocalProgram.StartAsync(
            "listeners: { public: \"http://127.0.0.1:0\", inner: { address: \"http://127.0.0.1:0\", protocols: [http2] } }\nroutes: {}"
        );
        using var admin = new AdminClient(gateway.Admin);
        var listeners = (await admin.GetAsync("/api/v1/listeners"))["items"]!.AsArray();
        Assert.Equal(["public", "inner"], listeners.Select(l => (string?)l!["name"]));
        Assert.Equal("http://127.0.0.1:0", (string?)listeners[0]!["address"]);
        Assert.Equal(gateway.Address.GetLeftPart(UriPartial.Authority), (string?)listeners[0]!["boundAddresses"]!.AsArray().Single());
        Assert.Equal(["http2"], listeners[1]!["protocols"]!.AsArray().Select(p => (string?)p));
    }

    [Fact]
    public async Task Drain_FromItsFirstMoment_IsNotReady_WhileRequestsGoOn()
    {
        var release = new TaskCompletionSource();
        var arrived = new TaskCompletionSource();
        await using var service = await TestService.StartAsync(async c =>
        {
            arrived.SetResult();
            await release.Task;
            await c.Response.WriteAsync("whole");
        });
        await using var gateway = await LocalProgram.StartAsync(
            $$"""
            drainTimeout: 45s
            services: { s: "{{service.Address}}" }
            routes: { s: { match: "/{**rest}", forward: s } }
            """
        );
        using var admin = new AdminClient(gateway.Admin);
        Assert.Equal("""{"status":"ready","reasons":[]}""", (await admin.GetAsync("/health/ready")).ToJsonString());
        var answer = gateway.Client.GetStringAsync(new Uri("/", UriKind.Relative), None);
        await arrived.Task.InTimeAsync();
        gateway.Signal(SigTerm);
        await Until.TrueAsync(async () => (string?)(await admin.GetAsync("/api/v1/snapshot"))["state"] == "draining");
        var (status, ready) = await admin.AskAsync("/health/ready");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.Equal("""{"status":"not ready","reasons":["stopping"]}""", ready.ToJsonString());
        using var head = await admin.SendAsync("/health/ready", HttpMethod.Head);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, head.StatusCode);
        using var live = await admin.SendAsync("/health/live", HttpMethod.Head);
        Assert.Equal(HttpStatusCode.OK, live.StatusCode);
        var snapshot = await admin.GetAsync("/api/v1/snapshot");
        Assert.Equal(45, ((DateTimeOffset)snapshot["drain"]!["until"]! - (DateTimeOffset)snapshot["drain"]!["since"]!).TotalSeconds);
        Assert.Equal(["stopping"], snapshot["notReadyReasons"]!.AsArray().Select(r => (string?)r));
        Assert.Equal(1, (int)(await admin.GetAsync("/api/v1/services/s"))["instances"]![0]!["requestsInFlight"]!);
        Assert.False(answer.IsCompleted);
        release.SetResult();
        Assert.Equal("whole", await answer);
        Assert.Equal(0, await gateway.ExitCodeAsync());
    }

    [Fact]
    public async Task Secrets_OfTheConfiguration_AreShownNowhere()
    {
        const string Secret = "hunter2hunter2";
        Environment.SetEnvironmentVariable("LINTEL_TEST_SECRET", Secret); // inherited by the gateway
        await using var gateway = await LocalProgram.StartAsync(
            $$"""
            admin: { address: "http://127.0.0.1:0", token: "${LINTEL_TEST_SECRET}" }
            services: { s: "http://127.0.0.1:1" }
            clients: { partner: { when: { headers: { X-Api-Key: {{Secret}} } } } }
            routes:
              a: { match: { path: /a, client: partner, headers: { Authorization: { oneOf: [{{Secret}}, other] } }, query: { access_token: { prefix: {{Secret}} } }, cookies: { session: { regex: {{Secret}} } } }, forward: s }
              b: { match: /b, forward: s, transform: { request: { setHeaders: { Authorization: "Bearer {{Secret}}" }, setQuery: { key: {{Secret}} } } } }
            """
        );
        using var admin = new AdminClient(gateway.Admin, Secret);
        await gateway.ReloadAsync(
            "admin: { address: \"http://127.0.0.1:0\", token: \"${LINTEL_TEST_SECRET}\" }\ndrainTimeout: \"${LINTEL_TEST_SECRET}\""
        );
        var told = 0;
        foreach (var entry in (await admin.GetAsync("/api/v1"))["endpoints"]!.AsArray())
        {
            foreach (var name in new[] { "a", "b", "s" })
            {
                using var response = await admin.SendAsync(((string)entry!["path"]!).Replace("{name}", name, StringComparison.Ordinal));
                Assert.DoesNotContain(Secret, await response.Content.ReadAsStringAsync(None), StringComparison.Ordinal);
                told += response.IsSuccessStatusCode ? 1 : 0;
            }
        }

        Assert.True(told > 20, $"{told} answers");
        Assert.Equal(
            [
                "header Authorization is one of 2 hidden values",
                "query parameter access_token begins with a hidden value",
                "cookie session matches a hidden value",
                "header X-Api-Key is a hidden value (client partner)",
            ],
            (await admin.GetAsync("/api/v1/routes/a"))["conditions"]!.AsArray().Select(c => (string?)c)
        );
        Assert.Contains(
            "${LINTEL_TEST_SECRET}",
            (string?)(await admin.GetAsync("/api/v1/snapshot"))["lastReload"]!["problems"]![0]!["message"],
            StringComparison.Ordinal
        );
    }
}
