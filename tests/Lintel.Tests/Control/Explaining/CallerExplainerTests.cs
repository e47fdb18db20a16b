using Lintel.Control.Explaining;

namespace Lintel.Tests.Control.Explaining;

public sealed class CallerExplainerTests
{
    private const string Yaml = """
        services: { s: http://127.0.0.1:1 }
        clients: { acme: { claims: { azp: acme }, scopes: orders.read } }
        policies:
          key: { apiKey: {} }
          own: { authorize: { all: [{ scope: orders.read }, { claim: sub, equals: "{userId}" }, { not: { role: guest } }] } }
          point: { authorize: { http: http://127.0.0.1:1/v1/data/x?secret=1 } }
        routes:
          orders:
            match: "/users/{userId}/orders"
            forward: s
            policies: [key, own, point]
            transform: { request: { setHeaders: { X-User: "{claim:sub}" } } }
          open: { match: /open, forward: s }
        """;

    [Fact]
    public void Rules_OfAnAssumedCaller_AreMetOrNot()
    {
        var explanation = Explain("/users/7/orders", "acme", """{"sub":"8"}""");
        Assert.Equal((403, "the caller does not meet the rules"), (explanation.RefusedWith, explanation.Refusal));
        Assert.Equal(
            """
            credential  required: ApiKey
            caller      assumed: client acme, subject 8
            rules       not met  all of
                          met      scope orders.read
                          not met  claim sub equals {userId}
                          met      not
                            not met  role guest
                        asks http://127.0.0.1:1/v1/data/x
            """,
            string.Join(
                '\n',
                explanation.ToText().Split('\n').SkipWhile(l => !l.StartsWith("credential", StringComparison.Ordinal)).Take(8)
            )
        );
    }

    [Fact]
    public void Caller_ThatMeetsTheRules_IsSentOn_WithItsClaims()
    {
        var explanation = Explain("/users/7/orders", null, """{"azp":"acme","sub":"7"}""");
        Assert.Null(explanation.RefusedWith);
        Assert.Equal("acme", explanation.Caller!.Client);
        Assert.Contains(explanation.Forward!.Added, h => h is { Name: "X-User", Value: "7" });
    }

    [Fact]
    public void Rules_WithoutAnAssumedCaller_AreListed()
    {
        var explanation = Explain("/users/7/orders", null, null);
        Assert.Null(explanation.RefusedWith);
        Assert.All(explanation.Caller!.Rules, r => Assert.Null(r.IsMet));
        Assert.Equal(["ApiKey"], explanation.Caller.Credentials);
        Assert.Null(Explain("/open", null, null).Caller);
    }

    [Fact]
    public void Client_ThatDoesNotExist_IsAProblem() =>
        Assert.Equal("there is no client named `nobody`", Explain("/open", "nobody", null).Refusal);

    [Theory]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("""{"a":1,"a":2}""")]
    public void Claims_ThatAreNone_AreRefused(string claims)
    {
        Assert.Null(new ExplainRequest { Target = "/" }.Of(null, claims, out var problem));
        Assert.StartsWith("`--claims` is not a JSON object", problem, StringComparison.Ordinal);
    }

    private static Explanation Explain(string target, string? client, string? claims)
    {
        var request = new ExplainRequest { Target = target }.Of(client, claims, out _)!;
        var explanation = RequestExplainer.Explain(GatewayReader.Parse(Yaml), GatewayReader.Compiler(), request);
        Assert.Empty(explanation.Report.Problems);
        return explanation;
    }
}
