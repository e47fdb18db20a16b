using Lintel.Routing;

namespace Lintel.Tests.Routing;

public sealed class PathConstraintTests
{
    [Theory]
    [InlineData("int", "42", "-1|0|2147483647", "2147483648|a|1.5|")]
    [InlineData("INT", "42", "1", "a")]
    [InlineData("long", "42", "9223372036854775807", "9223372036854775808|a")]
    [InlineData("bool", "true", "FALSE", "yes|1")]
    [InlineData("guid", "8c7b1f9e-0d3a-4b39-8f43-0e8f3a1f2b11", "8c7b1f9e0d3a4b398f430e8f3a1f2b11", "8c7b|x")]
    [InlineData("decimal", "1.5", "-1|1,000.5", "1e5|a")]
    [InlineData("double", "1e5", "1.5|-0.1", "a|1.5.2")]
    [InlineData("datetime", "2026-11-23", "2026-11-23T10:00:00Z", "2026-13-01|x")]
    [InlineData("alpha", "abc", "ABC", "a1|é|")]
    [InlineData("required", "x", " ", "")]
    [InlineData("file", "a.txt", "a/b.txt|.htaccess", "a|a.|a.b/c")]
    [InlineData("nonfile", "a", "a.b/c", "a.txt")]
    [InlineData("minlength(3)", "abc", "abcd", "ab|")]
    [InlineData("maxlength(3)", "abc", "|a", "abcd")]
    [InlineData("length(3)", "abc", "xyz", "ab|abcd")]
    [InlineData("length(2,4)", "abc", "ab|abcd", "a|abcde")]
    [InlineData("min(10)", "10", "11", "9|a")]
    [InlineData("max(10)", "10", "-5", "11|a")]
    [InlineData("range(5,10)", "7", "5|10", "4|11|a")]
    [InlineData("regex(^[a-z]{{2}}$)", "ab", "", "")]
    [InlineData("regex(^[ab]+$)", "ab", "a|bb", "c|abc|")]
    public void Constraint_OfEachKind_TakesWhatAspNetCoreTakes(string text, string typical, string taken, string refused)
    {
        if (text.Contains("{{", StringComparison.Ordinal))
            // as the template's parser hands it over
            text = text.Replace("{{", "{", StringComparison.Ordinal).Replace("}}", "}", StringComparison.Ordinal);
        var constraint = PathConstraint.Create(text, out var problem, out _);
        Assert.NotNull(constraint);
        Assert.Null(problem);
        Assert.True(constraint.Accepts(typical));
        if (text.StartsWith("regex(^[a-z]", StringComparison.Ordinal))
            (taken, refused) = ("zz", "a|abc");
        Assert.All(taken.Split('|'), value => Assert.True(constraint.Accepts(value), value));
        Assert.All(refused.Split('|'), value => Assert.False(constraint.Accepts(value), value));
    }

    [Theory]
    [InlineData("integer", "is not a constraint", null)]
    [InlineData("guidd", "is not a constraint", "did you mean `guid`?")]
    [InlineData("", "is not a constraint", null)]
    [InlineData("min", "has no number", null)]
    [InlineData("length()", "invalid argument", null)]
    [InlineData("length(a)", "invalid argument", null)]
    [InlineData("length(1,a)", "invalid argument", null)]
    [InlineData("length(1,2,3)", "invalid argument", null)]
    [InlineData("range(1)", "invalid argument", null)]
    [InlineData("range(2,1)", "invalid argument", null)]
    [InlineData("int(5)", "invalid argument", null)]
    [InlineData("alpha()", "invalid argument", null)]
    [InlineData("regex((?=a))", "linear time", null)]
    [InlineData("regex((a)\\1)", "linear time", null)]
    [InlineData("regex([)", "does not compile", null)]
    [InlineData("regex", "has no pattern", "write `regex(^[a-z]+$)`")]
    public void Constraint_ThatIsWrong_SaysWhy(string text, string problem, string? hint)
    {
        Assert.Null(PathConstraint.Create(text, out var said, out var hinted));
        Assert.Contains(problem, said, StringComparison.Ordinal);
        Assert.Equal(hint, hinted);
    }

    [Fact]
    public void Regex_OfAnEvilPattern_RunsInLinearTime()
    {
        var constraint = PathConstraint.Create("regex(^(a+)+$)", out _, out _)!;
        Assert.False(constraint.Accepts(new string('a', 50_000) + "!"));
    }
}
