using Lintel.Config.Grammars;

namespace Lintel.Tests.Config.Grammars;

public sealed class SuggestionTests
{
    [Theory]
    [InlineData("servcie", "did you mean `service`?")]
    [InlineData("SERVICE", "did you mean `service`?")]
    [InlineData("servic", "did you mean `service`?")]
    [InlineData("q", "known names: `path`, `s`, `service`")]
    [InlineData("S", "did you mean `s`?")]
    [InlineData("unrelated", "known names: `path`, `s`, `service`")]
    public void Suggestion_ForAWord_NamesTheNearestOrAll(string written, string expected) =>
        Assert.Equal(expected, Suggestion.For(written, ["service", "path", "s"]));

    [Fact]
    public void Suggestion_AmongManyFarNames_IsNone() =>
        Assert.Null(Suggestion.For("unrelated", Enumerable.Range(0, 13).Select(i => "name" + i)));
}
