using System.Net;
using System.Text.Json;
using Lintel.Config;
using Lintel.Identities;
using Lintel.Pipeline;
using Lintel.Services.Balancing;

namespace Lintel.Tests.Services.Balancing;

public sealed class RequestKeysTests
{
    private static readonly Snapshot Snapshot = GatewayReader.Snapshot(
        "services: { s: http://127.0.0.1:1 }\nroutes: { r: { match: '/x', forward: s } }\n"
    );

    [Theory]
    [InlineData("header", "X-User", "kim")]
    [InlineData("cookie", "Cookie", "a=1; user=kim")]
    [InlineData("query", null, "/x?a=1&user=kim")]
    public void Hash_OfOneValue_IsTheSame_AndOfAnotherOneAnother(string kind, string? header, string value)
    {
        var keys = Keys(kind);
        var first = keys.Of(Request(header, value));
        Assert.NotEqual(0UL, first.Hash);
        Assert.Equal(first, keys.Of(Request(header, value)));
        Assert.NotEqual(first, keys.Of(Request(header, value.Replace("kim", "lee", StringComparison.Ordinal))));
    }

    [Fact]
    public void Hash_OfTheSameValue_IsTheSameWhereverItIs()
    {
        Assert.Equal(Keys("header").Of(Request("X-User", "kim")), Keys("query").Of(Request(null, "/x?user=k%69m")));
        Assert.Equal(Keys("header").Of(Request("X-User", "kim")), Keys("cookie").Of(Request("Cookie", "user=kim")));
    }

    [Theory]
    [InlineData("header", "X-User", "")]
    [InlineData("header", "X-Other", "kim")]
    [InlineData("cookie", "Cookie", "user=")]
    [InlineData("cookie", "Cookie", "users=kim")]
    [InlineData("query", null, "/x?user=")]
    [InlineData("query", null, "/x")]
    public void Request_WithoutTheValue_HasNoHash(string kind, string? header, string value) =>
        Assert.Equal(default, Keys(kind).Of(Request(header, value)));

    [Fact]
    public void ClientIp_IsTheClientsAddress_WithoutOneThereIsNoHash()
    {
        var keys = new RequestKeys(new() { ClientIp = true }, null);
        Assert.Equal(keys.Of(From("192.0.2.1")), keys.Of(From("192.0.2.1")));
        Assert.NotEqual(keys.Of(From("192.0.2.1")), keys.Of(From("192.0.2.2")));
        Assert.NotEqual(0UL, keys.Of(From("2001:db8::1")).Hash);
        Assert.Equal(0UL, keys.Of(From(null)).Hash);
    }

    [Fact]
    public void Claim_IsThatOfTheCaller_WithoutOneThereIsNoHash()
    {
        var keys = new RequestKeys(new() { Claim = "sub" }, null);
        Assert.Equal(Keys("header").Of(Request("X-User", "kim")), keys.Of(By("""{ "sub": "kim" }""")));
        Assert.Equal(0UL, keys.Of(By("{}")).Hash);
        Assert.Equal(0UL, keys.Of(From("192.0.2.1")).Hash);
    }

    private static Exchange By(string claims)
    {
        var exchange = From("192.0.2.1");
        exchange.Authenticate(new CallerIdentity("test", new ClaimSet(JsonElement.Parse(claims))), default);
        return exchange;
    }

    private static RequestKeys Keys(string kind) =>
        new(
            new ConsistentHashConfig
            {
                Header = kind == "header" ? "X-User" : null,
                Cookie = kind == "cookie" ? "user" : null,
                Query = kind == "query" ? "user" : null,
            },
            null
        );

    private static Exchange Request(string? header, string value) =>
        TestRequest.Matched(
            Snapshot,
            header is null ? TestRequest.Create("GET", value) : TestRequest.Create("GET", "/x", headers: (header, value))
        );

    private static Exchange From(string? address)
    {
        var context = TestRequest.Create("GET", "/x");
        context.Connection.RemoteIpAddress = address is null ? null : IPAddress.Parse(address);
        return TestRequest.Matched(Snapshot, context);
    }
}
