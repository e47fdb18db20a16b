using Lintel.Tests.Policies.ApiKey;

namespace Lintel.Tests.Policies.AnyOf;

public sealed class AnyOfPolicyTests
{
    private static readonly string Clients = $"clients: {{ acme: {{ apiKeys: [\"{ApiKeyPolicyTests.HashOf("k")}\"] }} }}\n";

    [Fact]
    public async Task Request_ThatOneAlternativeAccepts_IsAdmitted()
    {
        using var gateway = Start("[a, { apiKey: { query: key } }]");
        Assert.Equal(200, (await gateway.GetAsync("/x", ("X-A", "k"))).Status);
        Assert.Equal(200, (await gateway.GetAsync("/x?key=k")).Status);
        Assert.Equal(200, (await gateway.GetAsync("/x?key=k", ("X-A", "wrong"))).Status);
        Assert.Equal(401, (await gateway.GetAsync("/x?key=wrong")).Status);
        Assert.Equal(401, (await gateway.GetAsync("/x")).Status);
    }

    [Fact]
    public async Task Policies_ThatARouteListsOneByOne_MustAllAccept()
    {
        using var gateway = new MemoryGateway(
            Clients + "routes: { r: { match: /x, respond: { body: in }, policies: [{ apiKey: {} }, { apiKey: { query: key } }] } }"
        );
        Assert.Equal(200, (await gateway.GetAsync("/x?key=k", ("X-Api-Key", "k"))).Status);
        Assert.Equal(401, (await gateway.GetAsync("/x?key=k")).Status);
        Assert.Equal(401, (await gateway.GetAsync("/x", ("X-Api-Key", "k"))).Status);
    }

    private static MemoryGateway Start(string alternatives) =>
        new(
            Clients
                + $$"""
                policies: { a: { apiKey: { header: X-A } }, known: { anyOf: {{alternatives}} } }
                routes: { r: { match: "/x", respond: { body: in }, policies: [known] } }
                """
        );
}
