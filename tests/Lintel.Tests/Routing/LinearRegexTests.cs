using Lintel.Routing;

namespace Lintel.Tests.Routing;

public sealed class LinearRegexTests
{
    [Theory]
    [InlineData("^(user|guest)$", "user", true)]
    [InlineData("^(user|guest)$", "user\n", false)]
    [InlineData("^a$|^b$", "b\n", false)]
    [InlineData("^a\\$$", "a$", true)]
    [InlineData("^a\\$$", "a$\n", false)]
    [InlineData("^[$]$", "$", true)]
    [InlineData("^[^]$]$", "$", false)]
    [InlineData("^[]$]$", "$", true)]
    [InlineData("^[a-z-[b$]]$", "c\n", false)]
    [InlineData("(?m)^a$", "a\nb", true)]
    [InlineData("(?i)^A$", "a\n", false)]
    [InlineData("(?<name>a)$", "a\n", false)]
    public void Pattern_WithADollar_EndsAtTheEnd(string pattern, string text, bool expected)
    {
        Assert.True(LinearRegex.TryCreate(pattern, out var regex, out var problem), problem);
        Assert.Equal(expected, regex.IsMatch(text));
    }
}
