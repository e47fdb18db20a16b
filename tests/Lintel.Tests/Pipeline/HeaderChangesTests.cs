using Lintel.Pipeline;

namespace Lintel.Tests.Pipeline;

public sealed class HeaderChangesTests
{
    [Theory]
    [InlineData("X-User", "X_User", true)]
    [InlineData("X_User", "x-user", true)]
    [InlineData("X-User", "X-User", true)]
    [InlineData("X-User", "X-Users", false)]
    public void RequestHeader_OfATwinName_IsRemovedToo(string removed, string name, bool expected) =>
        Assert.Equal(expected, new HeaderChanges([removed], [], foldsUnderscores: true).Removes(name));

    [Fact]
    public void ResponseHeader_OfATwinName_Stays() => Assert.False(new HeaderChanges(["X-User"], []).Removes("X_User"));
}
