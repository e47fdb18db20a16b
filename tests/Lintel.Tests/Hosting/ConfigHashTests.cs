using Lintel.Hosting;

namespace Lintel.Tests.Hosting;

public sealed class ConfigHashTests
{
    private const string Base =
        "services: { tokens: http://a, b: { instances: [http://b, http://c] } }\nadmin: { token: one }\nname: edge\n";

    [Theory]
    [InlineData(
        "name: edge # a comment\nadmin:\n  token: one\nservices:\n  b:\n    instances:\n    - http://b\n    - http://c\n  tokens: "
            + "http://a\n"
    )] // order and style
    // a credential
    [InlineData("services: { tokens: http://a, b: { instances: [http://b, http://c] } }\nadmin: { token: two }\nname: edge\n")]
    [InlineData(
        "{\"services\": {\"tokens\": \"http://a\", \"b\": {\"instances\": [\"http://b\", \"http://c\"]}}, \"admin\": {\"token\": "
            + "\"one\"}, \"name\": \"${NAME}\"}"
    )] // quotes, and what expands to the same
    public void Hash_OfTheSameThing_IsTheSame(string yaml) => Assert.Equal(Of(Base), Of(yaml));

    [Theory]
    [InlineData("http://a,", "http://x,")] // a service's name is no credential's
    [InlineData("[http://b, http://c]", "[http://c, http://b]")]
    [InlineData("[http://b, http://c]", "[http://b]")]
    [InlineData("name: edge", "name: edge2")]
    [InlineData("name: edge", "nam: eedge")]
    [InlineData("name: edge\n", "")]
    [InlineData("token: one", "enabled: true")]
    public void Hash_OfAnotherThing_Differs(string from, string to) =>
        Assert.NotEqual(Of(Base), Of(Base.Replace(from, to, StringComparison.Ordinal)));

    [Fact]
    public void Hash_OfAConfigurationInCode_IsNone() => Assert.Null(Of(""));

    private static string? Of(string yaml) => ConfigHash.Of(GatewayReader.Parse(yaml).Root);
}
