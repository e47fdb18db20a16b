using Lintel.Config;

namespace Lintel.Tests.Config;

public sealed class ValueCollectionTests
{
    [Fact]
    public void ValueList_WithEqualItems_IsEqual()
    {
        ValueList<string> a = ["x", "y"];
        ValueList<string> b = ["x", "y"];
        Assert.True(a.Equals(b));
        Assert.Equal(a.GetHashCode(), b.GetHashCode());
    }

    [Fact]
    public void ValueList_WithOtherOrderOrLength_IsNotEqual()
    {
        ValueList<string> a = ["x", "y"];
        Assert.False(a.Equals(ValueList.Create("y", "x")));
        Assert.False(a.Equals(ValueList.Create("x")));
        Assert.False(a.Equals(null));
        Assert.False(a.Equals((object)new[] { "x", "y" }));
    }

    [Fact]
    public void ValueMap_WithEqualEntriesInAnotherOrder_IsEqual()
    {
        var a = new ValueMap<int> { ["x"] = 1, ["y"] = 2 };
        var b = new ValueMap<int> { ["y"] = 2, ["x"] = 1 };
        Assert.True(a.Equals(b));
        Assert.Equal(a.GetHashCode(), b.GetHashCode());
        Assert.Equal(["y", "x"], b.Keys);
    }

    [Theory]
    [InlineData("x", 2)]
    [InlineData("X", 1)]
    public void ValueMap_WithOtherEntries_IsNotEqual(string key, int value)
    {
        var a = new ValueMap<int> { ["x"] = 1 };
        Assert.False(a.Equals(new ValueMap<int> { [key] = value }));
        Assert.False(a.Equals(new ValueMap<int> { ["x"] = 1, ["y"] = 2 }));
        Assert.False(a.Equals(null));
    }

    [Fact]
    public void Record_WithEqualCollections_IsEqualAndWithOthersIsNot()
    {
        static MatchConfig Match(string header) =>
            new()
            {
                Paths = ["/a"],
                Headers = new ValueMap<ConditionConfig> { ["X-A"] = new ConditionConfig { OneOf = [header] } },
            };
        Assert.Equal(Match("1"), Match("1"));
        Assert.NotEqual(Match("1"), Match("2"));
    }
}
