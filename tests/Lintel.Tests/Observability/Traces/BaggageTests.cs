using Lintel.Observability.Traces;
using Microsoft.Extensions.Primitives;

namespace Lintel.Tests.Observability.Traces;

public sealed class BaggageTests
{
    private static string Members(int count, int length = 3) =>
        string.Join(',', Enumerable.Range(0, count).Select(i => $"{i}=".PadRight(length, 'x')));

    [Fact]
    public void Baggage_WithinTheLimits_PassesAsItCame()
    {
        const string Line = "userId=alice , serverNode=DF%2028;p=1";
        Assert.Equal(new StringValues(Line), Baggage.Limit(Line));
        Assert.Equal(new StringValues(Line + ",isProduction=false"), Baggage.Limit(new StringValues([Line, "isProduction=false"])));
        Assert.Equal(new StringValues(Members(64)), Baggage.Limit(Members(64)));
        Assert.Equal(new StringValues("a=" + new string('x', 8190)), Baggage.Limit("a=" + new string('x', 8190)));
    }

    [Fact]
    public void Members_Beyond64_AreLeftOut()
    {
        Assert.Equal(new StringValues(Members(64)), Baggage.Limit(Members(65)));
        Assert.Equal(new StringValues(Members(64)), Baggage.Limit(new StringValues([Members(64), "z=1", "y=2"])));
    }

    [Fact]
    public void Members_BeyondTheBytes_AreLeftOutWhole()
    {
        var eight = Members(8, 1000); // 8007 bytes
        Assert.Equal(new StringValues(eight), Baggage.Limit($"{eight},last={new string('x', 180)}"));
        Assert.Equal(new StringValues(eight), Baggage.Limit(new StringValues([eight, "last=" + new string('x', 180)])));
        var full = $"{eight},last={new string('x', 179)}";
        Assert.Equal(8192, full.Length);
        Assert.Equal(new StringValues(full), Baggage.Limit(full));
        Assert.Equal(StringValues.Empty, Baggage.Limit("a=" + new string('x', 8191)));
    }
}
