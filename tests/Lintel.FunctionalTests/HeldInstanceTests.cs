using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;

namespace Lintel.FunctionalTests;

/// <summary>Instances drained, ejected and returned by hand, over the admin address, with requests in flight.</summary>
[EveryTransport]
public sealed class HeldInstanceTests : IAsyncLifetime
{
    private readonly TaskCompletionSource _release = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<TestService> _services = [];

    public async ValueTask InitializeAsync()
    {
        for (var i = 0; i < 3; i++)
            _services.Add(
                await TestService.StartAsync(async context =>
                {
                    if (context.Request.Path == "/hold")
                        await _release.Task;
                    await context.Response.WriteAsync("ok");
                })
            );
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var service in _services)
            await service.DisposeAsync();
    }

    [Fact]
    public async Task DrainedInstance_CompletesItsRequests_AndGetsNoOthers_UntilItReturns()
    {
        await using var gateway = await StartAsync("balancing: roundRobin");
        using var admin = new AdminClient(gateway.Admin);
        var held = Enumerable.Range(0, 3).Select(_ => gateway.Client.GetAsync(Path("/hold"))).ToList();
        await Until.TrueAsync(() => _services.All(s => s.Seen.Count == 1));

        var drained = await ChangeAsync(admin, Address(0), "drain", """{"reason":"deploy 7"}""");
        Assert.Equal(
            ("drained", "deploy 7", "drained", 0.0, 1),
            (
                (string?)drained["hold"]!["state"],
                (string?)drained["hold"]!["reason"],
                (string?)drained["shareReason"],
                (double)drained["share"]!,
                (int)drained["requestsInFlight"]!
            )
        );
        await GetAsync(gateway, 10);
        Assert.Equal([1, 6, 6], _services.Select(s => s.Seen.Count));
        _release.SetResult();
        foreach (var request in held)
            Assert.Equal(HttpStatusCode.OK, (await request.InTimeAsync()).StatusCode);
        await Until.TrueAsync(async () => (int)(await StatusAsync(admin, 0))["requestsInFlight"]! == 0);

        await gateway.ReloadAsync(Yaml("balancing: roundRobin, timeouts: { connect: 7s }")); // other connections, the same instances
        Assert.Equal("deploy 7", (string?)(await StatusAsync(admin, 0))["hold"]!["reason"]);
        await GetAsync(gateway, 4);
        Assert.Single(_services[0].Seen);

        var returned = await ChangeAsync(admin, $"127.0.0.1:{_services[0].Port}", "return", null);
        Assert.Null(returned["hold"]);
        await GetAsync(gateway, 3);
        Assert.Equal(2, _services[0].Seen.Count);
        Assert.Contains($"Instance {Url(0)} of service s is drained by 127.0.0.1: deploy 7", gateway.Errors, StringComparison.Ordinal);
        Assert.Contains(
            $"Instance {Url(0)} of service s is returned by 127.0.0.1: no reason given",
            gateway.Errors,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task PinnedClient_ReachesADrainedInstance_AndMovesFromAnEjectedOne()
    {
        await using var gateway = await StartAsync("affinity: { cookie: stick }");
        using var admin = new AdminClient(gateway.Admin);
        using var first = await gateway.Client.GetAsync(Path("/"));
        var cookie = first.Headers.GetValues("Set-Cookie").Single().Split(';')[0];
        var pinned = _services.FindIndex(s => s.Seen.Count == 1);

        await ChangeAsync(admin, Address(pinned), "drain", null);
        await GetAsync(gateway, 5, cookie);
        Assert.Equal(6, _services[pinned].Seen.Count);
        await GetAsync(gateway, 5);
        Assert.Equal(6, _services[pinned].Seen.Count);

        var ejected = await ChangeAsync(admin, Address(pinned), "eject", "{}");
        Assert.Equal(("ejected", "held"), ((string?)ejected["hold"]!["state"], (string?)ejected["shareReason"]));
        using var moved = new HttpRequestMessage(HttpMethod.Get, "/");
        moved.Headers.Add("Cookie", cookie);
        using var answer = await gateway.Client.SendAsync(moved);
        Assert.NotEqual(cookie, answer.Headers.GetValues("Set-Cookie").Single().Split(';')[0]);
        Assert.Equal(6, _services[pinned].Seen.Count);
    }

    [Fact]
    public async Task Service_OfWhichAllAreHeld_RefusesWithTheReason()
    {
        await using var gateway = await StartAsync("");
        using var admin = new AdminClient(gateway.Admin);
        for (var i = 0; i < 3; i++)
            await ChangeAsync(admin, Address(i), i == 0 ? "eject" : "drain", null);
        foreach (var path in new[] { "/", "/composed" })
        {
            using var answer = await gateway.Client.GetAsync(Path(path));
            var problem = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
            Assert.Equal("urn:problem-type:lintel:no-instance", (string?)problem["type"]);
            Assert.Contains("drained or ejected by hand", (string?)problem["detail"], StringComparison.Ordinal);
        }

        Assert.All(_services, s => Assert.Empty(s.Seen));
    }

    [Theory]
    [InlineData("services/none/instances/x:drain", null, 404, "Known: `s`.")]
    [InlineData(
        "services/s/instances/10.0.0.1%3A80:drain",
        null,
        404,
        "There is no instance named `10.0.0.1:80`. Known: `http://127.0.0.1:"
    )]
    [InlineData("services/s/instances/:drain", null, 404, "Known: `http://127.0.0.1:")]
    [InlineData("services/s/instances/HERE", null, 404, "`/api/v1` lists")]
    [InlineData("services/s/instances/HERE:stop", null, 404, "`/api/v1` lists")]
    [InlineData("services//instances/HERE:drain", null, 404, "`/api/v1` lists")]
    [InlineData("services/s/instances/HERE:drain", "{", 400, "Content-Type")]
    [InlineData("services/s/instances/HERE:drain", "null", 400, "Content-Type")]
    [InlineData("services/s/instances/HERE:drain", "[]", 400, "Content-Type")]
    [InlineData("services/s/instances/HERE:drain", "{\"reason\":1}", 400, "Content-Type")]
    [InlineData("services/s/instances/HERE:drain", "{\"reason\":\"\"}", 400, "Content-Type")]
    [InlineData("services/s/instances/HERE:drain", "{\"reason\":\"a\\nb\"}", 400, "Content-Type")]
    [InlineData("services/s/instances/HERE:drain", "{\"reason\":\"a\\u202eb\"}", 400, "Content-Type")]
    [InlineData("services/s/instances/HERE:drain", "{\"reason\":\"a\\ud800b\"}", 400, "Content-Type")]
    [InlineData("services/s/instances/HERE:drain", "{\"reason\":\"a\",\"reason\":\"b\"}", 400, "Content-Type")]
    [InlineData("services/s/instances/HERE:drain", "{\"force\":true}", 400, "Content-Type")]
    public async Task Change_ThatIsNotValid_ChangesNothing(string path, string? body, int status, string detail)
    {
        await using var gateway = await StartAsync("");
        using var admin = new AdminClient(gateway.Admin);
        var at = path.Replace("HERE", Address(0), StringComparison.Ordinal);
        using var response = await PostAsync(gateway, "/api/v1/" + at, body, "application/json");
        Assert.Equal(status, (int)response.StatusCode);
        var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.StartsWith("urn:problem-type:lintel:admin-", (string?)problem["type"], StringComparison.Ordinal);
        Assert.Contains(detail, (string?)problem["detail"], StringComparison.Ordinal);
        for (var i = 0; i < 3; i++)
            Assert.Null((await StatusAsync(admin, i))["hold"]);
    }

    [Fact]
    public async Task Change_IsGuarded_AndBounded()
    {
        await using var gateway = await StartAsync("", "admin: { address: \"http://127.0.0.1:0\" }\n");
        var at = $"/api/v1/services/s/instances/{Address(0)}:eject";
        using var client = await RawClient.ConnectAsync(gateway.Admin);
        foreach (
            var (line, headers, status) in new[]
            {
                ("POST", "Host: localhost\r\nOrigin: http://evil.example\r\n", 403),
                ("POST", "Host: evil.example\r\n", 421),
                ("GET", "Host: localhost\r\n", 405),
                ("DELETE", "Host: localhost\r\n", 405),
            }
        )
        {
            await client.SendAsync($"{line} {at} HTTP/1.1\r\n{headers}\r\n");
            var response = await client.ReadResponseAsync();
            Assert.Equal(status, response.Status);
            Assert.Equal(status == 405 ? "POST" : null, response["Allow"]);
        }

        using (var form = await PostAsync(gateway, at, "reason=x", "application/x-www-form-urlencoded"))
            Assert.Equal(HttpStatusCode.BadRequest, form.StatusCode);
        using (var large = await PostAsync(gateway, at, $$"""{"reason":"{{new string('x', 5000)}}"}""", "application/json"))
            Assert.Equal(HttpStatusCode.RequestEntityTooLarge, large.StatusCode);
        using var admin = new AdminClient(gateway.Admin);
        Assert.Null((await StatusAsync(admin, 0))["hold"]);

        await using var guarded = await StartAsync("", "admin: { address: \"http://127.0.0.1:0\", token: horse }\n");
        using (var refused = await PostAsync(guarded, at, null, ""))
            Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        using var operatorOf = new AdminClient(guarded.Admin, "horse");
        Assert.Equal("ejected", (string?)(await ChangeAsync(operatorOf, Address(0), "eject", null))["hold"]!["state"]);
    }

    private static Uri Path(string path) => new(path, UriKind.Relative);

    private string Url(int place) => $"http://127.0.0.1:{_services[place].Port}";

    private string Address(int place) => Uri.EscapeDataString(Url(place));

    private Task<LocalProgram> StartAsync(string settings, string admin = "") => LocalProgram.StartAsync(admin + Yaml(settings));

    private string Yaml(string settings) =>
        $$"""
            services: { s: { instances: ["{{Url(0)}}", "{{Url(1)}}", "{{Url(2)}}"]{{(settings.Length > 0 ? ", " + settings : "")}} } }
            routes:
              composed: { match: /composed, compose: { calls: { one: { request: s/1 } } } }
              s: { match: "/{**rest}", forward: s }
            """;

    private static async Task GetAsync(LocalProgram gateway, int count, string? cookie = null)
    {
        for (var i = 0; i < count; i++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/");
            if (cookie is not null)
                request.Headers.Add("Cookie", cookie);
            using var answer = await gateway.Client.SendAsync(request);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }
    }

    private static async Task<JsonNode> StatusAsync(AdminClient admin, int place) =>
        (await admin.GetAsync("/api/v1/services/s"))["instances"]![place]!;

    private static async Task<JsonNode> ChangeAsync(AdminClient admin, string instance, string verb, string? body)
    {
        using var content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json");
        using var response = await admin.SendAsync($"/api/v1/services/s/instances/{instance}:{verb}", HttpMethod.Post, content);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
    }

    private static async Task<HttpResponseMessage> PostAsync(LocalProgram gateway, string path, string? body, string type)
    {
        using var client = new HttpClient { BaseAddress = gateway.Admin };
        using var content = body is null ? null : new StringContent(body, Encoding.UTF8, type);
        return await client.PostAsync(Path(path), content);
    }
}
