using Lintel.Routing;

namespace Lintel.Tests.Routing;

public sealed class ConditionTests
{
    private static readonly Dictionary<string, ValueTest> Tests = new()
    {
        ["=a"] = new OneOfTest(["a"]),
        ["=b"] = new OneOfTest(["b"]),
        ["=a|b"] = new OneOfTest(["a", "b"]),
        ["a*"] = new PrefixTest("a"),
        ["/^a.$/"] = Regex("^a.$"),
        ["present"] = new PresentTest(true),
        ["absent"] = new PresentTest(false),
        ["!=a"] = new NotTest(new OneOfTest(["a"])),
        ["!present"] = new NotTest(new PresentTest(true)),
        ["!absent"] = new NotTest(new PresentTest(false)),
        ["!!present"] = new NotTest(new NotTest(new PresentTest(true))),
    };

    [Theory]
    [InlineData("=a", "a", true)]
    [InlineData("=a", "A", false)]
    [InlineData("=a", "b,a", true)]
    [InlineData("=a", null, false)]
    [InlineData("=a|b", "b", true)]
    [InlineData("=a|b", "c", false)]
    [InlineData("a*", "abc", true)]
    [InlineData("a*", "ba", false)]
    [InlineData("a*", null, false)]
    [InlineData("/^a.$/", "ab", true)]
    [InlineData("/^a.$/", "abc", false)]
    [InlineData("/^a.$/", null, false)]
    [InlineData("present", "", true)]
    [InlineData("present", null, false)]
    [InlineData("absent", null, true)]
    [InlineData("absent", "a", false)]
    [InlineData("!=a", "b", true)]
    [InlineData("!=a", "a", false)]
    [InlineData("!=a", null, true)]
    [InlineData("!present", null, true)]
    [InlineData("!absent", "x", true)]
    public void Condition_OnValues_Holds(string test, string? values, bool expected)
    {
        var request = TestRequest.Create("GET", "/").Request;
        var query = TestRequest
            .Create("GET", "/" + (values is null ? "" : "?" + string.Join('&', values.Split(',').Select(v => "x=" + v))))
            .Request;
        if (values is not null)
            request.Headers["X"] = values.Split(',');
        Assert.Equal(expected, new Condition(ConditionPlace.Header, "x", Tests[test]).Holds(request.AsClient()));
        Assert.Equal(expected, new Condition(ConditionPlace.Query, "x", Tests[test]).Holds(query.AsClient()));
    }

    [Theory]
    [InlineData("?x=a%62", "x", true)]
    [InlineData("?%78=ab", "x", true)]
    [InlineData("?X=ab", "x", false)]
    [InlineData("?y=1&x=c&x=ab", "x", true)]
    [InlineData("?x", "x", false)]
    [InlineData("?xx=ab", "x", false)]
    public void Query_OfARequest_IsReadDecodedAndInItsCase(string query, string name, bool expected) =>
        Assert.Equal(
            expected,
            new Condition(ConditionPlace.Query, name, Tests["/^a.$/"]).Holds(TestRequest.Create("GET", "/" + query).Request.AsClient())
        );

    [Theory]
    [InlineData("x=a; y=b", true)]
    [InlineData("y=a", false)]
    [InlineData("x=b", false)]
    public void Cookie_OfARequest_IsFoundByName(string cookies, bool expected) =>
        Assert.Equal(
            expected,
            new Condition(ConditionPlace.Cookie, "x", Tests["=a"]).Holds(
                TestRequest.Create("GET", "/", headers: ("Cookie", cookies)).Request.AsClient()
            )
        );

    [Theory]
    [InlineData("=a", "=b", true)]
    [InlineData("=a", "=a|b", false)]
    [InlineData("=a", "!=a", true)]
    [InlineData("=b", "!=a", false)]
    [InlineData("present", "absent", true)]
    [InlineData("=a", "absent", true)]
    [InlineData("a*", "absent", true)]
    [InlineData("present", "!present", true)]
    [InlineData("!absent", "absent", true)]
    [InlineData("!!present", "absent", true)]
    [InlineData("=a", "present", false)]
    [InlineData("a*", "=b", false)]
    [InlineData("!=a", "absent", false)]
    public void TwoConditions_ThatNoRequestSatisfies_ExcludeEachOther(string one, string other, bool expected)
    {
        var (a, b) = (new Condition(ConditionPlace.Cookie, "x", Tests[one]), new Condition(ConditionPlace.Cookie, "x", Tests[other]));
        Assert.Equal(expected, a.Excludes(b));
        Assert.Equal(expected, b.Excludes(a));
        Assert.False(a.Excludes(new Condition(ConditionPlace.Cookie, "y", Tests[other])));
        Assert.False(a.Excludes(new Condition(ConditionPlace.Header, "x", Tests[other])));
    }

    /// <summary>
    /// The compiler's claim, checked against requests that carry one value or none; in a query, where clients repeat parameters, also two.
    /// </summary>
    [Fact]
    public void TwoConditions_ThatExcludeEachOther_NeverHoldTogether()
    {
        string?[][] requests =
        [
            [],
            ["a"],
            ["b"],
            ["ab"],
            ["c"],
            ["a", "b"],
            ["b", "a"],
            ["a", "a"],
            [""],
        ];
        foreach (var (oneName, one) in Tests)
        {
            foreach (var (otherName, other) in Tests)
            {
                foreach (var place in new[] { ConditionPlace.Header, ConditionPlace.Query })
                {
                    var (a, b) = (new Condition(place, "x", one), new Condition(place, "x", other));
                    if (!a.Excludes(b))
                        continue;
                    foreach (var values in requests.Where(r => r.Length < 2 || place == ConditionPlace.Query))
                    {
                        var request = TestRequest.Create("GET", "/?" + string.Join('&', values.Select(v => "x=" + v))).Request;
                        if (values.Length > 0)
                            request.Headers["x"] = values;
                        Assert.False(
                            a.Holds(request.AsClient()) && b.Holds(request.AsClient()),
                            $"{place} {oneName} and {otherName} hold for [{string.Join(", ", values)}]"
                        );
                    }
                }
            }
        }
    }

    private static RegexTest Regex(string pattern)
    {
        Assert.True(LinearRegex.TryCreate(pattern, out var regex, out _));
        return new RegexTest(regex);
    }
}
