using Lintel.Routing;

namespace Lintel.Tests.Routing;

public sealed class PathFoldTests
{
    [Theory]
    [InlineData("caf%C3%A9", "CAF%C3%89", true)]
    [InlineData("%CF%83", "%CF%82", true)] // a final sigma
    [InlineData("%D0%B6", "%D0%96", true)]
    [InlineData("secret", "%C5%BFecret", true)]
    [InlineData("kelvin", "%E2%84%AAelvin", true)]
    [InlineData("%C8%BA", "%E2%B1%A5", true)] // two bytes and three
    [InlineData("%C3%A9", "e%CC%81", false)] // composed and decomposed
    [InlineData("%FF", "%FE", false)]
    [InlineData("a%20b", "A%20B", true)]
    public void Text_OfAnotherCase_IsTheSame(string one, string other, bool expected)
    {
        Assert.Equal(expected, PathFold.Equals(one, other));
        Assert.Equal(expected, PathFold.Equals(other, one));
    }

    [Theory]
    [InlineData("/{x}-É", "/a-%C3%A9", "a")]
    [InlineData("/Ⱥ-{x}", "/%E2%B1%A5-%C3%89b", "%C3%89b")]
    [InlineData("/é{x}.É", "/%C3%89%C3%A9.%C3%A9", "%C3%A9")]
    public void Parameter_BesideTextOfAnotherCase_HasItsOwnSpelling(string template, string path, string expected)
    {
        var parsed = PathTemplate.Parse(template, out var problem, out _);
        Assert.True(parsed is not null, problem);
        var table = RouteTableBuilder.Build([new RouteEntry<string>("r", "r", [], [parsed], ["x"], [], [])], []);
        var lookup = default(RouteLookup<string>);
        table.Find(TestRequest.Create("GET", path).Request.AsClient(), path, ref lookup);
        Assert.Equal(RouteOutcome.Found, lookup.Outcome);
        Assert.Equal(expected, path.Substring(lookup.Captures[0].Start, lookup.Captures[0].Length));
    }

    [Fact]
    public void Parameter_LongerThan65535Characters_IsWhole()
    {
        var path = "/" + new string('a', 70_000) + "/" + new string('b', 70_000);
        var parsed = PathTemplate.Parse("/{x}/{**y}", out _, out _)!;
        var table = RouteTableBuilder.Build([new RouteEntry<string>("r", "r", [], [parsed], ["x", "y"], [], [])], []);
        var lookup = default(RouteLookup<string>);
        table.Find(TestRequest.Create("GET", path).Request.AsClient(), path, ref lookup);
        Assert.Equal((1, 70_000), (lookup.Captures[0].Start, lookup.Captures[0].Length));
        Assert.Equal((70_002, 70_000), (lookup.Captures[1].Start, lookup.Captures[1].Length));
    }

    [Fact]
    public void Routes_ThatDifferInCaseBeyondAscii_CannotBeToldApart()
    {
        var conflicts = new List<RouteConflict>();
        RouteTableBuilder.Build(
            [
                .. new[] { "/café", "/CAFÉ" }.Select(t => new RouteEntry<string>(
                    t,
                    t,
                    [],
                    [PathTemplate.Parse(t, out _, out _)!],
                    [],
                    [],
                    []
                )),
            ],
            conflicts
        );
        Assert.Single(conflicts);
    }
}
