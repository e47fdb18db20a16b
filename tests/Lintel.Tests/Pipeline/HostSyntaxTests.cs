using Lintel.Pipeline;

namespace Lintel.Tests.Pipeline;

public sealed class HostSyntaxTests
{
    [Theory]
    [InlineData("a", true)]
    [InlineData("a.example", true)]
    [InlineData("a.example.", true)]
    [InlineData("a.example.:80", true)]
    [InlineData("a_b-c~d", true)]
    [InlineData("xn--bcher-kva.example", true)]
    [InlineData("127.0.0.1:65535", true)]
    [InlineData("[::1]", true)]
    [InlineData("[::1]:8443", true)]
    [InlineData("", false)]
    [InlineData(".", false)]
    [InlineData(".a", false)]
    [InlineData("a..", false)]
    [InlineData("a.example..", false)]
    [InlineData("a..b", false)]
    [InlineData("a:", false)]
    [InlineData("a:65536", false)]
    [InlineData("a:99999", false)]
    [InlineData("a:+1", false)]
    [InlineData("a:1:2", false)]
    [InlineData("a@b", false)]
    [InlineData("a/b", false)]
    [InlineData("a b", false)]
    [InlineData("bücher.example", false)]
    [InlineData("[::1%25lo]", false)]
    [InlineData("[::1", false)]
    [InlineData("[127.0.0.1]", false)]
    [InlineData("::1", false)]
    public void Host_OfARequest_IsANameOrAnAddress(string host, bool expected) => Assert.Equal(expected, HostSyntax.IsHost(host));

    [Fact]
    public void Host_LongerThanAnyName_IsNone()
    {
        Assert.True(HostSyntax.IsHost(new string('a', 250)));
        Assert.False(HostSyntax.IsHost(new string('a', 301)));
    }
}
