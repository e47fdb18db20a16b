using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Lintel.TestKit;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Policies.ApiKey;

public sealed class ApiKeyPolicyTests
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.Parse("2026-11-28T12:00:00Z"));

    [Fact]
    public async Task Request_WithAKeyOfAClient_IsAdmitted()
    {
        using var gateway = Start();
        Assert.Equal(200, (await gateway.GetAsync("/x", ("X-Api-Key", "new"))).Status);
        Assert.Equal(200, (await gateway.GetAsync("/x", ("x-api-key", "other"))).Status);
    }

    [Theory]
    [InlineData("wrong")]
    [InlineData("new ")]
    [InlineData("NEW")]
    [InlineData("sha256:11507a0e2f5e69d5dfa40a62a1bd7b6ee57e6bcd85c67c9b8431b36fff21c437")]
    public async Task Request_WithAnythingElse_IsRefusedWithAChallenge(string key)
    {
        using var gateway = Start();
        var answer = await gateway.GetAsync("/x", ("X-Api-Key", key));
        Assert.Equal((401, "ApiKey"), (answer.Status, answer["WWW-Authenticate"]));
        var problem = JsonNode.Parse(answer.Body)!;
        Assert.Equal("urn:problem-type:lintel:unauthenticated", (string?)problem["type"]);
        Assert.Equal("the API key is not valid", (string?)problem["detail"]);
        Assert.Equal("no-store", answer["Cache-Control"]);
    }

    [Fact]
    [Attack("two API keys in one request, a key of 10,000 characters, a header's key in the query", "401")]
    public async Task Request_WithoutAKey_OrWithTwo_IsRefused()
    {
        using var gateway = Start();
        Assert.Equal(401, (await gateway.GetAsync("/x")).Status);
        Assert.Equal(401, (await gateway.GetAsync("/x", ("X-Api-Key", "new"), ("X-Api-Key", "other"))).Status);
        Assert.Equal(401, (await gateway.GetAsync("/x", ("X-Api-Key", new string('a', 10_000)))).Status);
        Assert.Equal(401, (await gateway.GetAsync("/x?X-Api-Key=new")).Status);
    }

    [Fact]
    public async Task Request_OfGrpc_GetsItsStatus()
    {
        using var gateway = Start();
        var answer = await gateway.SendAsync("POST", "/x", null, ("Content-Type", "application/grpc-web"));
        Assert.Equal((200, "16", "ApiKey"), (answer.Status, answer["grpc-status"], answer["WWW-Authenticate"]));
    }

    [Fact]
    public async Task Key_ThatExpires_IsValidUntilThen_BesideItsSuccessor()
    {
        using var gateway = Start();
        Assert.Equal(200, (await gateway.GetAsync("/x", ("X-Api-Key", "old"))).Status);
        _time.Advance(TimeSpan.FromHours(12));
        Assert.Equal(401, (await gateway.GetAsync("/x", ("X-Api-Key", "old"))).Status);
        Assert.Equal(200, (await gateway.GetAsync("/x", ("X-Api-Key", "new"))).Status);
    }

    [Fact]
    public async Task Key_InTheQuery_CountsWhereThePolicySaysSo()
    {
        using var gateway = Start("{ query: key }");
        Assert.Equal(200, (await gateway.GetAsync("/x?a=1&key=new")).Status);
        Assert.Equal(401, (await gateway.GetAsync("/x?key=new&key=new")).Status);
        Assert.Equal(401, (await gateway.GetAsync("/x?key=wrong")).Status);
        Assert.Equal(401, (await gateway.GetAsync("/x", ("X-Api-Key", "new"))).Status);
    }

    internal static string HashOf(string key) => "sha256:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)));

    private MemoryGateway Start(string config = "{}") =>
        new(
            $$"""
            policies: { partner-key: { apiKey: {{config}} } }
            clients:
              acme: { apiKeys: ["{{HashOf("new")}}", { hash: "{{HashOf("old")}}", expires: "2026-11-29" }] }
              other: { apiKeys: "{{HashOf("other")}}" }
            routes: { r: { match: "/x", respond: { body: in }, policies: [partner-key] } }
            """,
            time: _time
        );
}
