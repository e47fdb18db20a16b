using Lintel.Config;

namespace Lintel.Tests.Config;

public sealed class CertificatePatternTests
{
    [Theory]
    [InlineData("api.example.com", "api.example.com", true)]
    [InlineData("api.example.com", "API.Example.com", true)]
    [InlineData("api.example.com", "api.example.com.evil.test", false)]
    [InlineData("*.example.com", "a.example.com", true)]
    [InlineData("*.example.com", "*.example.com", true)]
    [InlineData("*.example.com", "a.b.example.com", false)]
    [InlineData("*.example.com", "example.com", false)]
    [InlineData("*.example.com", ".example.com", false)]
    [InlineData("*.example.com", "a.example.com\0.evil.test", false)]
    [InlineData("spiffe://example.org/ns/*/sa/shop", "spiffe://example.org/ns/prod/sa/shop", true)]
    [InlineData("spiffe://example.org/ns/*/sa/shop", "spiffe://example.org/ns/a/b/sa/shop", false)]
    [InlineData("spiffe://example.org/ns/*", "spiffe://example.org/ns/..", false)]
    [InlineData("spiffe://example.org/ns/*", "spiffe://example.org/ns/", false)]
    [InlineData("spiffe://example.org/ns/*", "spiffe://example.org/ns/a%2fb", false)]
    [InlineData("spiffe://example.org/**", "spiffe://EXAMPLE.org/ns/prod", true)]
    [InlineData("spiffe://example.org/**", "spiffe://example.org.evil.test/ns", false)]
    [InlineData("spiffe://example.org/ns/**", "spiffe://example.org/ns/../admin", false)]
    [InlineData("spiffe://example.org/NS", "spiffe://example.org/ns", false)]
    [InlineData("kim@example.com", "kim@EXAMPLE.com", true)]
    [InlineData("kim@example.com", "Kim@example.com", false)]
    [InlineData("*@example.com", "lee@example.com", true)]
    [InlineData("*@example.com", "lee@x@example.com", false)]
    [InlineData("*@example.com", "@example.com", false)]
    public void Name_OfTheSameKind_IsCompared(string pattern, string name, bool matches)
    {
        Assert.True(CertificatePattern.TryParse(pattern, out var parsed));
        Assert.Equal(matches, parsed.Matches(name));
    }

    [Theory]
    [InlineData("")]
    [InlineData("*")]
    [InlineData("*.com")]
    [InlineData("a.*.example.com")]
    [InlineData("a*.example.com")]
    [InlineData("a b")]
    [InlineData("CN=api")]
    [InlineData("spiffe://*/ns")]
    [InlineData("*://example.org/ns")]
    [InlineData("spiffe://example.org/**/sa")]
    [InlineData("spiffe://example.org/a*")]
    [InlineData("spiffe://example.org/a?b")]
    [InlineData("spiffe://example.org//a")]
    [InlineData("*@*.example.com")]
    [InlineData("a@b@example.com")]
    public void Text_OfNoPattern_IsRefused(string text) => Assert.False(CertificatePattern.TryParse(text, out _));
}
