using System.Net;
using System.Text.Json.Nodes;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;

namespace Lintel.FunctionalTests;

/// <summary>Composed answers over real services: their content, its order, and the reports of failures.</summary>
[EveryTransport]
public sealed class CompositionTests
{
    private const string Routes = """
        routes:
          shop:
            match: GET /shop/{id}
            compose:
              calls:
                user: { request: "a/users/{id}", passthrough: [404] }
                orders: { request: "a/orders?user={id}", optional: true, fallback: [stale, { value: [] }] }
                segment: a/segments/{user.segment}
                products: { forEach: "orders[*].product", request: "a/products/{item}", join: { into: orders, on: "id = product", as: item }, optional: true }
              respond: { errors: true }
          stream: { match: "GET /stream/{id}", compose: { stream: true, calls: { user: "a/users/{id}", orders: { request: "a/orders?user={id}", optional: true } } } }
        """;

    private int _orderStatus = 200;

    [Fact]
    public async Task Answer_OfAllCalls_HasThemInDeclaredOrderByteForByte()
    {
        await using var service = await TestService.StartAsync(AnswerAsync);
        await using var gateway = await StartAsync(service);
        var response = await gateway.Client.GetAsync(new Uri("/shop/7", UriKind.Relative)).InTimeAsync();
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(
            """{"user":{"id": 7, "segment":"gold"},"orders":[{"no":1.50,"product":3,"item":{"id":3}},{"no":2,"product":3,"item":{"id":3}}],"segment":{"name":"gold"}}""",
            await response.Content.ReadAsStringAsync()
        );
        Assert.Matches(
            "^user;s=200;d=\\d+, orders;s=200;d=\\d+, segment;s=200;d=\\d+, products;n=1;d=\\d+$",
            response.Headers.GetValues("Composition").Single()
        );
        Assert.Single(service.Seen, r => r.Target == "/products/3"); // equal keys are asked for once
    }

    [Fact]
    public async Task OptionalCall_ThatFails_HasItsLastGoodAnswer_AndSaysSo()
    {
        await using var service = await TestService.StartAsync(AnswerAsync);
        await using var gateway = await StartAsync(service);
        _orderStatus = 500;
        var first = await GetAsync(gateway, "/shop/7");
        Assert.Contains("orders;s=500;err=call-failed", first.Composition, StringComparison.Ordinal);
        Assert.Contains("src=value", first.Composition, StringComparison.Ordinal);
        Assert.Equal("/orders", (string?)first.Body["_errors"]![0]!["pointer"]);
        _orderStatus = 200;
        await GetAsync(gateway, "/shop/7");
        _orderStatus = 500;
        var stale = await GetAsync(gateway, "/shop/7");
        Assert.Contains("src=stale", stale.Composition, StringComparison.Ordinal);
        Assert.Equal(2, stale.Body["orders"]!.AsArray().Count);
    }

    [Fact]
    public async Task RequiredCall_ThatFails_IsTheAnswersFailure()
    {
        await using var service = await TestService.StartAsync(AnswerAsync);
        await using var gateway = await StartAsync(service);
        var missing = await gateway.Client.GetAsync(new Uri("/shop/404", UriKind.Relative)).InTimeAsync();
        Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);
        var failed = await gateway.Client.GetAsync(new Uri("/shop/503", UriKind.Relative)).InTimeAsync();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, failed.StatusCode);
        Assert.Equal("application/problem+json", failed.Content.Headers.ContentType?.MediaType);
        Assert.Contains("received-status=503", failed.Headers.GetValues("Proxy-Status").Single(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Malformed_AnswerOfAService_IsThatCallsFailure()
    {
        await using var service = await TestService.StartAsync(AnswerAsync);
        await using var gateway = await StartAsync(service);
        var response = await gateway.Client.GetAsync(new Uri("/shop/666", UriKind.Relative)).InTimeAsync();
        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Contains("user;s=200;err=malformed-answer", response.Headers.GetValues("Composition").Single(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stream_SendsALineForEachCall_AndWhatBecameOfThem()
    {
        await using var service = await TestService.StartAsync(AnswerAsync);
        await using var gateway = await StartAsync(service);
        var text = await gateway.Client.GetStringAsync(new Uri("/stream/7", UriKind.Relative)).InTimeAsync();
        var lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(l => JsonNode.Parse(l)!.AsObject().Single().Key)
            .ToList();
        Assert.Equal(["orders", "user"], lines[..2].Order(StringComparer.Ordinal));
        Assert.Equal("_composition", lines[^1]);
    }

    private static Task<InProcessGateway> StartAsync(TestService service) =>
        InProcessGateway.StartAsync($"services: {{ a: \"{service.Address}\" }}\n" + Routes);

    private static async Task<(string Composition, JsonNode Body)> GetAsync(InProcessGateway gateway, string path)
    {
        var response = await gateway.Client.GetAsync(new Uri(path, UriKind.Relative)).InTimeAsync();
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return (response.Headers.GetValues("Composition").Single(), JsonNode.Parse(await response.Content.ReadAsStringAsync())!);
    }

    private Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        context.Response.StatusCode = path switch
        {
            "/users/404" => 404,
            "/users/503" => 503,
            "/orders" => _orderStatus,
            _ => 200,
        };
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(
            path switch
            {
                "/users/666" => """{"id": 7, "seg""",
                "/orders" => """[{"no":1.50,"product":3},{"no":2,"product":3}]""",
                _ when path.StartsWith("/users/", StringComparison.Ordinal) => """{"id": 7, "segment":"gold"}""",
                _ when path.StartsWith("/segments/", StringComparison.Ordinal) => """{"name":"gold"}""",
                _ => """{"id":3}""",
            }
        );
    }
}
