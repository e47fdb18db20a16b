using Lintel.Answering;
using Lintel.Pipeline;
using Lintel.Routing;

namespace Lintel.Tests.Answering;

public sealed class LocationTests
{
    private static readonly Snapshot Snapshot = GatewayReader.Snapshot(
        "routes: { r: { match: { path: '/{**rest}', allow: [emptySegments] }, respond: {} } }"
    );

    private static readonly RouteParameters Parameters = new(["rest"], [true]);

    [Theory]
    [InlineData("https://h.test/{rest}", "/a/b?x=1&y", "https://h.test/a/b?x=1&y")]
    [InlineData("https://h.test/{rest}", "/a", "https://h.test/a")]
    [InlineData("https://h.test/{rest}", "/a?", "https://h.test/a")]
    [InlineData("/new", "/a?x=%zz", "/new?x=%zz")]
    [InlineData("/new?", "/a?x=1", "/new")]
    [InlineData("/new?y=2", "/a?x=1", "/new?y=2")]
    [InlineData("/new{query}", "/a?x=1", "/new?x=1")]
    [InlineData("/new{query}", "/a", "/new")]
    [InlineData("/new?y=2{query}", "/a?x=1", "/new?y=2&x=1")]
    [InlineData("/new?y=2&{query}", "/a?x=1", "/new?y=2&x=1")]
    [InlineData("/new?{query}", "/a?x=1", "/new?x=1")]
    [InlineData("/new?x={query:x}", "/a?x=1&x=2", "/new?x=1&x=2")]
    [InlineData("https://bücher.test/{rest}", "/a", "https://xn--bcher-kva.test/a")]
    [InlineData("https://{host}/{rest}", "/a", "https://xn--bcher-kva.example/a")]
    public void Address_OfARedirect_HasTheQueryUnlessItSaysOtherwise(string to, string target, string expected)
    {
        var location = Location.Parse(to, Parameters, out var problem, out _);
        Assert.True(location is not null, problem);
        Assert.True(location.TryRender(Exchange(target), out var address, out problem), problem);
        Assert.Equal(expected, address);
    }

    [Theory]
    [InlineData("/a/b?x=1", "https://xn--bcher-kva.example/a/b?x=1")]
    [InlineData("/", "https://xn--bcher-kva.example/")]
    public void Address_OfAnotherScheme_KeepsHostPathAndQuery(string target, string expected)
    {
        Assert.True(Location.Of("https").TryRender(Exchange(target), out var address, out _));
        Assert.Equal(expected, address);
    }

    /// <summary>A path must not turn into a host, where a route keeps empty segments.</summary>
    [Fact]
    public void Address_WithoutAHost_NeverBeginsWithTwoSlashes()
    {
        var exchange = Exchange("//evil.test/x");
        var lookup = default(RouteLookup<Route>);
        Assert.Null(RouteMatch.Find(exchange, "GET", ref lookup));
        Assert.Equal("//evil.test/x", exchange.RequestTarget.Path);
        Assert.False(Location.Parse("/{rest}", Parameters, out _, out _)!.TryRender(exchange, out _, out var problem));
        Assert.Contains("host", problem, StringComparison.Ordinal);
    }

    private static Exchange Exchange(string target) =>
        TestRequest.Matched(Snapshot, TestRequest.Create("GET", target, "xn--bcher-kva.example:8080"));
}
