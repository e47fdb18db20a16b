using Lintel.Control.Status;
using Lintel.Observability;

namespace Lintel.Tests.Control.Status;

public sealed class ConditionWordsTests
{
    [Theory]
    [InlineData("on", "is \"on\"")]
    [InlineData("{ prefix: a }", "begins with \"a\"")]
    [InlineData("{ regex: \"^a+$\" }", "matches \"^a+$\"")]
    [InlineData("{ oneOf: [a, b] }", "is one of \"a\", \"b\"")]
    [InlineData("{ present: true }", "is present")]
    [InlineData("{ present: false }", "is absent")]
    [InlineData("{ not: on }", "is not \"on\"")]
    [InlineData("{ not: { prefix: a } }", "does not begin with \"a\"")]
    [InlineData("{ not: { regex: a } }", "does not match \"a\"")]
    [InlineData("{ not: { oneOf: [a] } }", "is not one of \"a\"")]
    [InlineData("{ not: { present: true } }", "is absent")]
    [InlineData("{ not: { present: false } }", "is present")]
    [InlineData("{ not: { not: on } }", "is \"on\"")]
    public void Words_OfEachCondition_SayWhenItHolds(string condition, string words) =>
        Assert.Equal(
            ["header X-B " + words, "query parameter q " + words, "cookie c " + words],
            Words($"{{ path: /a, headers: {{ X-B: {condition} }}, query: {{ q: {condition} }}, cookies: {{ c: {condition} }} }}")
        );

    [Theory]
    [InlineData("secret1", "is a hidden value")]
    [InlineData("{ prefix: secret1 }", "begins with a hidden value")]
    [InlineData("{ regex: secret1 }", "matches a hidden value")]
    [InlineData("{ oneOf: [secret1, secret2] }", "is one of 2 hidden values")]
    [InlineData("{ not: { not: secret1 } }", "is a hidden value")]
    [InlineData("{ present: true }", "is present")]
    public void Words_OfCredentials_HideTheirValues(string condition, string words) =>
        Assert.Equal(["header Authorization " + words], Words($"{{ path: /a, headers: {{ Authorization: {condition} }} }}"));

    [Fact]
    public void Words_OfAClient_StandAfterTheRoutesOwn() =>
        Assert.Equal(
            ["header X-A is \"1\"", "cookie app is \"2\" (client c)"],
            Words("{ path: /a, headers: { X-A: \"1\" }, client: c }", "clients: { c: { when: { cookies: { app: \"2\" } } } }")
        );

    [Theory]
    [InlineData("Authorization")]
    [InlineData("proxy-authorization")]
    [InlineData("Cookie")]
    [InlineData("X-Api-Key")]
    [InlineData("apikey")]
    [InlineData("access_token")]
    [InlineData("X-CSRF-Token")]
    [InlineData("clientSecret")]
    [InlineData("password")]
    [InlineData("JSESSIONID")]
    [InlineData("sig")]
    public void Names_OfCredentials_AreKnown(string name) => Assert.True(Secrets.IsSecret(name));

    [Theory]
    [InlineData("X-Client")]
    [InlineData("Accept")]
    [InlineData("beta")]
    [InlineData("encode")]
    [InlineData("keyboard")]
    public void Names_OfOtherThings_AreNoCredentials(string name) => Assert.False(Secrets.IsSecret(name));

    private static IEnumerable<string> Words(string match, string more = "")
    {
        var config = GatewayReader.Parse($"routes: {{ a: {{ match: {match}, respond: {{}} }} }}\n{more}").Config!;
        return ConditionDescriptions.Of(config.Routes["a"].Match, config);
    }
}
