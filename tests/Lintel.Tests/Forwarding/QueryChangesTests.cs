using Lintel.Forwarding;
using Lintel.Pipeline;

namespace Lintel.Tests.Forwarding;

public sealed class QueryChangesTests
{
    private static readonly Snapshot Snapshot = GatewayReader.Snapshot(
        "services: { s: http://127.0.0.1:1 }\nroutes: { r: { match: '/x', forward: s } }\n"
    );

    [Theory]
    [InlineData("", "", "?a=1&b=%20&&c", "?a=1&b=%20&&c")]
    [InlineData("", "", "?", "?")]
    [InlineData("a", "", "?a=1&b=2&a=3", "?b=2")]
    [InlineData("a", "", "?%61=1&b=2", "?b=2")]
    [InlineData("a", "", "?A=1&aa=2&a", "?A=1&aa=2")]
    [InlineData("a", "", "?a=1", "")]
    [InlineData("a", "", "", "")]
    [InlineData("a b", "", "?a+b=1&a%20b=2&c=3", "?c=3")]
    [InlineData("a", "", "?b=%2F%2f&c=+", "?b=%2F%2f&c=+")]
    [InlineData("", "src=gw", "", "?src=gw")]
    [InlineData("", "src=gw", "?a=1", "?a=1&src=gw")]
    [InlineData("", "src=gw", "?src=me&a=1&%73rc=2", "?a=1&src=gw")]
    [InlineData("", "s={query:a}", "?a=1%262", "?a=1%262&s=1%262")]
    [InlineData("", "s={query:none}", "?s=1&a=1", "?a=1")]
    [InlineData("", "s=a&b c", "", "?s=a%26b%20c")]
    [InlineData("", "s&t=1", "", "?s%26t=1")]
    public void Query_WithChanges_IsOtherwiseAsTheClientWroteIt(string remove, string set, string query, string expected)
    {
        (string, Template)[] values = [];
        if (set.Length > 0)
        {
            var equals = set.IndexOf('=', StringComparison.Ordinal);
            values = [(set[..equals], Template.Parse(set[(equals + 1)..], new RouteParameters([], []), out _, out _)!)];
        }

        var changes = new QueryChanges(
            remove.Split(',', StringSplitOptions.RemoveEmptyEntries).Concat(values.Select(v => v.Item1)),
            values
        );
        Assert.Equal(expected, changes.Apply(TestRequest.Matched(Snapshot, TestRequest.Create("GET", "/x" + query))));
    }
}
