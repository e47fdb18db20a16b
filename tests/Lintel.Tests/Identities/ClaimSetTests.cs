using System.Text.Json;
using Lintel.Identities;

namespace Lintel.Tests.Identities;

public sealed class ClaimSetTests
{
    private readonly ClaimSet _claims = new(
        JsonElement.Parse(
            """
            {
              "sub": "kim", "age": 7, "ok": true, "none": null, "list": ["a", 1, false], "mixed": ["a", {}], "object": { "x": "y" },
              "realm_access": { "roles": ["admin", "user"] }, "a.b": "exact", "a": { "b": "nested", "c.d": { "e": "deep" } },
              "https://example.com/roles": ["r"], "https://example.com": { "name": "n" }
            }
            """
        )
    );

    [Theory]
    [InlineData("sub", "kim")]
    [InlineData("age", "7")]
    [InlineData("ok", "true")]
    [InlineData("list", "a,1,false")]
    [InlineData("realm_access.roles", "admin,user")]
    [InlineData("a.b", "exact")]
    [InlineData("a.c.d.e", "deep")]
    [InlineData("https://example.com/roles", "r")]
    [InlineData("https://example.com.name", "n")]
    [InlineData("none", null)]
    [InlineData("mixed", null)]
    [InlineData("object", null)]
    [InlineData("Sub", null)]
    [InlineData("sub.x", null)]
    [InlineData("list.0", null)]
    [InlineData("", null)]
    [InlineData(".", null)]
    [InlineData("a.", null)]
    [InlineData(".b", null)]
    [InlineData("a..b", null)]
    public void Text_OfAClaim_IsThatOfItsScalars(string name, string? expected) => Assert.Equal(expected, _claims.Text(name));

    [Theory]
    [InlineData("""{ "scope": "orders.read orders.write" }""", "orders.read", true)]
    [InlineData("""{ "scope": "orders.read orders.write" }""", "orders", false)]
    [InlineData("""{ "scope": ["orders.read", "x"] }""", "orders.read", true)]
    [InlineData("""{ "scp": ["orders.read"] }""", "orders.read", true)]
    [InlineData("""{ "scp": "a orders.read" }""", "orders.read", true)]
    [InlineData("""{ "scope": { "orders.read": true } }""", "orders.read", false)]
    [InlineData("""{ "scope": "Orders.Read" }""", "orders.read", false)]
    [InlineData("""{}""", "orders.read", false)]
    public void HasScope_OfClaims_ComparesWholeWords(string claims, string scope, bool expected) =>
        Assert.Equal(expected, new CallerIdentity("jwt", new ClaimSet(JsonElement.Parse(claims))).HasScope(scope));

    [Fact]
    public void Credential_AsText_DoesNotDiscloseItsToken() =>
        Assert.Equal("Header Authorization", new Credential(CredentialPlace.Header, "Authorization", "secret").ToString());
}
