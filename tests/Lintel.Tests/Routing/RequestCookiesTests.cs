using Lintel.Routing;
using Microsoft.Extensions.Primitives;

namespace Lintel.Tests.Routing;

public sealed class RequestCookiesTests
{
    [Theory]
    [InlineData("sid=1", "1")]
    [InlineData("sid=1; SID=2", "1")]
    [InlineData("SID=2; sid=1", "1")]
    [InlineData("SID=2", null)]
    [InlineData("sid=1; sid=2", "1")]
    [InlineData("a=b;sid=1;c=d", "1")]
    [InlineData("xsid=1; sidx=2", null)]
    [InlineData("sid", null)]
    [InlineData("sid=", "")]
    [InlineData("sid=a=b", "a=b")]
    [InlineData("sid=a%20b", "a%20b")]
    [InlineData("sid=\"q\"", "\"q\"")]
    [InlineData(";; sid=1 ;", "1")]
    [InlineData("a=b|sid=1", "1")]
    [InlineData("", null)]
    public void Cookie_OfARequest_IsTheFirstOfItsName(string lines, string? expected) =>
        Assert.Equal(expected, RequestCookies.Find(new StringValues(lines.Split('|')), "sid"));

    [Theory]
    [InlineData("a=1; b=2", "a=1; b=2")]
    [InlineData("sid=1", "")]
    [InlineData("sid=1; a=1", "a=1")]
    [InlineData("a=1; sid=1; b=2", "a=1; b=2")]
    [InlineData("a=1;sid=1;sid=2;SID=3", "a=1;SID=3")]
    [InlineData("a=1; sid=1|sid=2|b=2; sids=3", "a=1|b=2; sids=3")]
    [InlineData("; sid=1 ;", "")]
    [InlineData("a=\"sid=1\"; sid=1", "a=\"sid=1\"")]
    public void Without_ACookie_LeavesTheOthersAsSent(string lines, string expected) =>
        Assert.Equal(
            expected.Length == 0 ? [] : expected.Split('|'),
            RequestCookies.Without(new StringValues(lines.Split('|')), "sid").ToArray()
        );
}
