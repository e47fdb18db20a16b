using System.Text.Json;
using Lintel.Identities;
using Lintel.Pipeline;
using Lintel.Policies.Authorize;

namespace Lintel.Tests.Policies.Authorize;

public sealed class RuleTests
{
    private const string Kim =
        """{ "sub": "kim", "scope": "orders.read", "roles": ["user", "buyer"], "realm_access": { "roles": ["x"] }, "amr": [], "n": 5, "o": {} }""";

    [Theory]
    [InlineData("{ scope: orders.read }", true)]
    [InlineData("{ scope: orders }", false)]
    [InlineData("{ role: buyer }", true)]
    [InlineData("{ role: buy }", false)]
    [InlineData("{ claim: sub }", true)]
    [InlineData("{ claim: o }", true)]
    [InlineData("{ claim: absent }", false)]
    [InlineData("{ claim: sub, equals: kim }", true)]
    [InlineData("{ claim: sub, equals: KIM }", false)]
    [InlineData("{ claim: sub, equals: '{userId}' }", true)]
    [InlineData("{ claim: sub, equals: '{userid}' }", true)]
    [InlineData("{ claim: sub, equals: '{query:who}' }", false)]
    [InlineData("{ claim: absent, equals: '{query:absent}' }", false)]
    [InlineData("{ claim: sub, equals: '{query:absent}' }", false)]
    [InlineData("{ claim: n, equals: '5' }", true)]
    [InlineData("{ claim: sub, oneOf: [lee, kim] }", true)]
    [InlineData("{ claim: sub, oneOf: [lee] }", false)]
    [InlineData("{ claim: amr, oneOf: [lee] }", false)]
    [InlineData("{ claim: o, oneOf: [lee] }", false)]
    [InlineData("{ claim: realm_access.roles, equals: x }", true)]
    [InlineData("{ claim: sub, matches: 'k.m' }", true)]
    [InlineData("{ claim: sub, matches: 'i' }", false)]
    [InlineData("{ claim: sub, matches: 'x|kim' }", true)]
    [InlineData("{ claim: sub, matches: 'kim$|^x' }", true)]
    [InlineData("{ claim: o, matches: '.*' }", false)]
    [InlineData("{ methods: [GET, HEAD] }", true)]
    [InlineData("{ methods: POST }", false)]
    [InlineData("{ client: acme }", false)]
    [InlineData("{ not: { role: admin } }", true)]
    [InlineData("{ all: [{ role: user }, { scope: orders.read }] }", true)]
    [InlineData("{ all: [{ role: user }, { scope: orders.write }] }", false)]
    [InlineData("{ any: [{ role: admin }, { scope: orders.read }] }", true)]
    [InlineData("{ any: [{ role: admin }, { all: [{ methods: POST }, { role: user }] }] }", false)]
    public void Rule_OnACaller_IsMetAsWritten(string rule, bool expected) => Assert.Equal(expected, Compile(rule).IsMet(Request(Kim)));

    [Theory]
    [InlineData("{ scope: orders.read }")]
    [InlineData("{ role: user }")]
    [InlineData("{ claim: sub }")]
    [InlineData("{ claim: sub, equals: '{query:absent}' }")]
    [InlineData("{ claim: sub, matches: '.*' }")]
    [InlineData("{ client: acme }")]
    public void Rule_OnNobody_IsNotMet(string rule) => Assert.False(Compile(rule).IsMet(Request(null)));

    [Fact]
    public void FirstUnmet_OfNestedRules_IsTheConditionThatFailed() =>
        Assert.Equal(
            "scope orders.write",
            Compile("{ all: [{ role: user }, { all: [{ methods: GET }, { scope: orders.write }] }] }").FirstUnmet(Request(Kim)).ToString()
        );

    [Theory]
    [InlineData("{}", "has none")]
    [InlineData("{ scope: a, role: b }", "has 2")]
    [InlineData("{ scope: a, equals: b }", "need the name of a claim")]
    [InlineData("{ claim: a, equals: b, oneOf: [c] }", "at most one")]
    [InlineData("{ any: [] }", "at least 1")]
    [InlineData("{ claim: a, matches: '(' }", "does not compile")]
    [InlineData("{ claim: a, matches: '(?=x)' }", "linear time")]
    [InlineData("{ claim: a, equals: '{' }", "unclosed")]
    [InlineData("{ claim: a, equals: '{userId}' }", "not a parameter")]
    [InlineData("{ all: [{ scope: a }, { scope: 'a b' }] }", "not a scope")]
    [InlineData("{ not: { not: {} } }", "has none")]
    public void Rule_ThatIsAmbiguousOrEmpty_IsRefused(string rule, string problem)
    {
        var report = GatewayReader.Parse($"routes: {{ r: {{ match: /x, respond: {{}}, policies: [{{ authorize: {rule} }}] }} }}").Report;
        Assert.Contains(report.Problems, p => p.Message.Contains(problem, StringComparison.Ordinal));
    }

    private static Rule Compile(string rule)
    {
        var snapshot = GatewayReader.Snapshot(
            $"routes: {{ r: {{ match: '/x/{{userId}}', respond: {{}}, policies: [{{ authorize: {rule} }}] }} }}"
        );
        var exchange = TestRequest.Matched(snapshot, TestRequest.Create("GET", "/x/kim"));
        return exchange.Route!.Policies.All.OfType<AuthorizePolicy>().Single().Rule;
    }

    private static Exchange Request(string? claims)
    {
        var snapshot = GatewayReader.Snapshot("routes: { r: { match: '/x/{userId}', respond: {} } }");
        var exchange = TestRequest.Matched(snapshot, TestRequest.Create("GET", "/x/kim?who=lee"));
        if (claims is not null)
            exchange.Authenticate(new CallerIdentity("test", new ClaimSet(JsonElement.Parse(claims))), default);
        return exchange;
    }
}
