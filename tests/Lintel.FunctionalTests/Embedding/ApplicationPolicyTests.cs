using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Lintel.Config;
using Lintel.Policies.Custom;
using Lintel.TestKit;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Lintel.FunctionalTests.Embedding;

#pragma warning disable LINTEL001 // experimental

/// <summary>Policies that the application registers, in all phases, over real sockets.</summary>
[AnyTransport]
public sealed class ApplicationPolicyTests
{
    private const string Routes = """
        routes:
          forward: { match: "/f/{**rest}", forward: s, policies: [tenant] }
          compose: { match: /c, compose: { calls: { a: s/x } }, policies: [tenant, { access: { deny: 192.0.2.1 } }] }
          open: { match: /open, forward: s }
        """;

    [Theory]
    [InlineData("/f/a")]
    [InlineData("/c")]
    public async Task Policy_AdmitsAndRefuses_AndSeesEveryResponse(string path)
    {
        await using var service = await TestService.StartAsync(Json);
        await using var app = await StartAsync(service);
        using var refused = await app.Client.GetAsync(new Uri(path, UriKind.Relative));
        Assert.Equal((HttpStatusCode.Unauthorized, "seen"), (refused.StatusCode, Header(refused, "X-Tenant-Policy")));
        Assert.Equal("Tenant", refused.Headers.WwwAuthenticate.ToString());
        var problem = JsonNode.Parse(await refused.Content.ReadAsStringAsync())!;
        Assert.Equal("urn:problem-type:lintel:refused-by-policy", (string?)problem["type"]);
        Assert.Equal(("Unauthorized", "no tenant"), ((string?)problem["title"], (string?)problem["detail"]));
        Assert.Empty(service.Seen);

        using var admitted = await SendAsync(app, path, "good");
        Assert.Equal((HttpStatusCode.OK, "seen"), (admitted.StatusCode, Header(admitted, "X-Tenant-Policy")));
        var concluded = app.Service<Record>().Concluded;
        await Until.TrueAsync(() => concluded.Count == 2);
        var route = path == "/c" ? "compose" : "forward";
        Assert.Equal([$"{route} 401 refused-by-policy", $"{route} 200 "], concluded);
    }

    [Fact]
    public async Task Policy_MayAnswer_InPlaceOfTheService()
    {
        await using var service = await TestService.StartAsync(Json);
        await using var app = await StartAsync(service);
        using var answer = await SendAsync(app, "/f/a", "maintenance");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal(
            ("back soon", "60", "seen"),
            (await answer.Content.ReadAsStringAsync(), Header(answer, "Retry-After"), Header(answer, "X-Tenant-Policy"))
        );
        Assert.Empty(service.Seen);
    }

    [Fact]
    public async Task Exception_IsA500_AndNothingIsForwarded()
    {
        await using var service = await TestService.StartAsync(Json);
        await using var app = await StartAsync(service);
        using var answer = await SendAsync(app, "/f/a", "broken");
        Assert.Equal(HttpStatusCode.InternalServerError, answer.StatusCode);
        Assert.DoesNotContain("secret", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Empty(service.Seen);
    }

    [Fact]
    public async Task Reload_KeepsThePolicy_AndOtherRoutesDoNotHaveIt()
    {
        await using var service = await TestService.StartAsync(Json);
        await using var app = await StartAsync(service);
        using (await app.Client.GetAsync(new Uri("/f/a", UriKind.Relative))) { }
        await app.ReloadAsync("/open", "/open2");
        using var open = await app.Client.GetAsync(new Uri("/open2", UriKind.Relative));
        Assert.Equal((HttpStatusCode.OK, null), (open.StatusCode, Header(open, "X-Tenant-Policy")));
        using (await SendAsync(app, "/f/a", "good")) { }
        Assert.Equal(1, app.Service<Record>().Created);
    }

    [Fact]
    public async Task Names_ThatAreUnknownOrTaken_AreErrors()
    {
        var unknown = await Assert.ThrowsAsync<ConfigException>(() =>
            StartAsync(Routes.Replace("[tenant]", "[tennant]", StringComparison.Ordinal))
        );
        Assert.Contains("did you mean `tenant`", unknown.ToString(), StringComparison.Ordinal);
        var taken = await Assert.ThrowsAsync<ConfigException>(() =>
            StartAsync("policies: { tenant: { access: { deny: 192.0.2.1 } } }\n" + Routes)
        );
        Assert.Contains(
            "`tenant` is a policy of the configuration, and one that the application registers",
            taken.ToString(),
            StringComparison.Ordinal
        );
    }

    private static Task Json(Microsoft.AspNetCore.Http.HttpContext context)
    {
        context.Response.ContentType = "application/json";
        return context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes("{}")).AsTask();
    }

    private static Task<InProcessGateway> StartAsync(TestService service) => StartAsync(Routes, service.Address);

    private static Task<InProcessGateway> StartAsync(string routes, string address = "http://127.0.0.1:1") =>
        InProcessGateway.StartInApplicationAsync(
            $"services: {{ s: \"{address}\" }}\n{routes}",
            a => a.MapLintel(),
            s => s.AddSingleton<Record>().AddLintelPolicy<TenantPolicy>("tenant")
        );

    private static async Task<HttpResponseMessage> SendAsync(InProcessGateway app, string path, string tenant)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Add("X-Tenant", tenant);
        return await app.Client.SendAsync(request);
    }

    private static string? Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out var values) ? string.Join(',', values) : null;

    private sealed class Record
    {
        public System.Collections.Concurrent.ConcurrentQueue<string> Concluded { get; } = new();

        public int Created { get; set; }
    }

    private sealed class TenantPolicy : GatewayPolicy
    {
        private readonly Record _record;

        public TenantPolicy(Record record)
        {
            _record = record;
            _record.Created++;
        }

        public override async ValueTask<PolicyRefusal?> AdmitAsync(PolicyContext context, CancellationToken cancellationToken)
        {
            await Task.Yield();
            return context.HttpContext.Request.Headers["X-Tenant"].ToString() switch
            {
                "" => new PolicyRefusal(401, "no tenant") { Headers = [KeyValuePair.Create("WWW-Authenticate", "Tenant")] },
                "broken" => throw new InvalidOperationException("secret"),
                _ => null,
            };
        }

        public override ValueTask<PolicyAnswer?> AnswerAsync(PolicyContext context, CancellationToken cancellationToken) =>
            new(
                context.HttpContext.Request.Headers["X-Tenant"] == "maintenance"
                    ? new PolicyAnswer(503) { Body = "back soon"u8.ToArray(), Headers = [KeyValuePair.Create("Retry-After", "60")] }
                    : null
            );

        public override void Respond(PolicyContext context) => context.HttpContext.Response.Headers["X-Tenant-Policy"] = "seen";

        public override void Conclude(PolicyContext context, string? error) =>
            _record.Concluded.Enqueue($"{context.Route} {context.HttpContext.Response.StatusCode} {error}");
    }
}
