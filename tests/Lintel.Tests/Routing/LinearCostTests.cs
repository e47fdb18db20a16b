using Lintel.Forwarding;
using Lintel.Pipeline;
using Lintel.Routing;

namespace Lintel.Tests.Routing;

/// <summary>
/// What clients send costs in proportion to its length: twice as much of it allocates no more than a little over twice as much.
/// </summary>
public sealed class LinearCostTests
{
    public static TheoryData<string> Kinds =>
        [
            "query",
            "query of other names",
            "headers",
            "cookies",
            "forwarded",
            "forwarded for",
            "nominated",
            "pattern",
            "path",
            "placeholder",
        ];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Cost_OfTwiceTheInput_IsTwiceTheCost(string kind)
    {
        Measure(kind, 500); // compiled, and what is shared is made
        var (one, two, four) = (Measure(kind, 500), Measure(kind, 1000), Measure(kind, 2000));
        Assert.True(four - two < 3 * Math.Max(two - one, 4096), $"{kind}: {one}, {two}, {four} bytes");
    }

    private static long Measure(string kind, int count)
    {
        var action = Create(kind, count);
        var before = GC.GetAllocatedBytesForCurrentThread();
        action();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    private static Action Create(string kind, int count)
    {
        switch (kind)
        {
            case "query":
            case "query of other names":
                var query = TestRequest
                    .Create("GET", "/?" + string.Join('&', Enumerable.Repeat(kind == "query" ? "a" : "b=1", count)))
                    .Request;
                var parameter = new Condition(ConditionPlace.Query, "a", new OneOfTest(["beta"]));
                return () => parameter.Holds(query.AsClient());
            case "headers":
                var request = TestRequest.Create("GET", "/").Request;
                request.Headers["X-A"] = Enumerable.Repeat("é", count).ToArray();
                var header = new Condition(ConditionPlace.Header, "X-A", new OneOfTest(["beta"]));
                return () => header.Holds(request.AsClient());
            case "cookies":
                var cookies = TestRequest
                    .Create("GET", "/", headers: ("Cookie", string.Join("; ", Enumerable.Repeat("b=1", count))))
                    .Request;
                var cookie = new Condition(ConditionPlace.Cookie, "a", new PresentTest(true));
                return () => cookie.Holds(cookies.AsClient());
            case "forwarded":
                var forwarded = string.Join(", ", Enumerable.Repeat("for=10.0.0.1;proto=https;by=\"a\\\"b\"", count));
                return () => ForwardedChain.Parse(forwarded)!.With("for=me");
            case "forwarded for":
                var proxies = new TrustedProxies(["0.0.0.0/0"]);
                var chain = TestRequest
                    .Create("GET", "/", headers: ("X-Forwarded-For", string.Join(",", Enumerable.Repeat(" ", count))))
                    .Request;
                return () => proxies.ClientAddress(chain.Headers, System.Net.IPAddress.Loopback);
            case "nominated":
                var connection = string.Join(',', Enumerable.Range(0, count).Select(i => "x-" + i));
                return () => HeaderRules.Nominated(connection);
            case "pattern":
                Assert.True(LinearRegex.TryCreate("^(a+)+$", out var regex, out _));
                var text = new string('a', count) + "!";
                return () => regex.IsMatch(text);
            case "path":
                var path = "/" + string.Concat(Enumerable.Repeat("%C3%89;x%2Fb/", count));
                return () => Assert.True(RequestTarget.TryParse(path, out var target, out _) && target.OtherReadings().Any());
            default:
                var exchange = new Exchange();
                exchange.RequestTarget = new RequestTarget("/", "?" + string.Join('&', Enumerable.Repeat("a=1", count)), PathTraits.None);
                var template = Template.Parse("{query:a}", new RouteParameters([], []), out _, out _)!;
                return () => template.RenderForQuery(exchange, "a");
        }
    }
}
