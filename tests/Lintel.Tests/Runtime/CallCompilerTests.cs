using Lintel.Composition;
using Lintel.Composition.Plan;

namespace Lintel.Tests.Runtime;

/// <summary>Inference from a composition's references: which calls wait for which, and whose answer is parsed.</summary>
public sealed class CallCompilerTests
{
    [Theory]
    [InlineData("b: users/b", "")] // refers to nothing
    [InlineData("b: \"users/b/{id}?x={query:x}\"", "")] // to the client's request alone
    [InlineData("b: \"users/b/{a.id}\"", "a")]
    [InlineData("b: \"users/b?x={a.list[0].id}\"", "a")]
    [InlineData("b: \"users/b?x={a}\"", "a")]
    [InlineData("b: { request: users/b, if: \"a.on && c.on\" }", "a c")]
    [InlineData("b: { request: users/b, after: [c] }", "c")]
    [InlineData("b: { request: users/b, after: a }", "a")]
    [InlineData("b: { request: POST users/b, body: { x: { y: [a.id, \"length(c)\"] } } }", "a c")]
    [InlineData("b: { request: POST users/b, body: \"request.x\" }", "")]
    [InlineData("b: { request: \"users/b/{item.id}\", forEach: \"a.list\" }", "a")]
    [InlineData("b: { request: \"users/b/{item}/{c.id}\", forEach: \"a.list\" }", "a c")]
    // a join is made when both are there
    [InlineData("b: { request: \"users/b/{item}\", forEach: \"`[1]`\", join: { into: a, on: \"id = id\", as: b } }", "")]
    [InlineData("b: { request: POST users/b, compensate: \"DELETE users/b/{b.id}/{a.id}\" }", "")] // by then everything has ended
    [InlineData("b: { request: users/b, if: \"a.list[?id == `1`].name | [0]\" }", "a")] // what stands in brackets is the element's
    public void Needs_OfACall_AreWhatItsReferencesName(string call, string expected)
    {
        var plan = Plan($"        a: users/a\n        {call}\n        c: users/c\n");
        Assert.Equal(expected.Split(' ', StringSplitOptions.RemoveEmptyEntries), Call(plan, "b").Needs.Select(n => plan.Calls[n].Name));
        foreach (var other in plan.Calls)
            Assert.Equal(plan.Calls.Where(c => c.Needs.Contains(other.Index)).Select(c => c.Index), other.NeededBy);
    }

    [Fact]
    public void Needs_OfAfter_MustHaveSucceeded_OthersMustOnlyHaveEnded()
    {
        var plan = Plan("        a: users/a\n        b: { request: \"users/{c.id}\", after: a }\n        c: users/c\n");
        Assert.Equal([0, 2], Call(plan, "b").Needs);
        Assert.Equal([0], Call(plan, "b").After);
    }

    [Theory]
    [InlineData("", "")] // nobody looks in: every answer passes as text
    [InlineData("respond: { body: { x: a.name } }", "a")]
    [InlineData("respond: { body: [a.name, { y: b }] }", "a b")]
    [InlineData("respond: { body: \"@\" }", "a b c")]
    [InlineData("respond: { headers: { X-A: c.name } }", "c")]
    [InlineData("conflict: deep", "a b c")]
    [InlineData("variants: { mobile: { body: a.name } }", "a")]
    public void Documents_AreParsed_OnlyWhereAnExpressionLooksIn(string answer, string expected) =>
        Assert.Equal(expected, Parsed(Plan("        a: users/a\n        b: users/b\n        c: users/c\n", answer)));

    [Theory]
    [InlineData("b: \"users/{a.id}\"", "a")]
    [InlineData("b: { request: users/b, if: \"a.on\" }", "a")]
    [InlineData("b: { request: users/b, after: a }", "")] // that it succeeded is enough
    [InlineData("b: { request: \"users/{item}\", forEach: \"a.list\" }", "a")]
    [InlineData("b: { request: \"users/{item}\", forEach: \"`[1]`\", join: { into: a, on: \"id = id\", as: b } }", "a b")]
    [InlineData("b: { request: POST users/b, compensate: \"DELETE users/{b.id}\" }", "b")]
    [InlineData("b: { request: POST users/b, body: { id: a.id } }", "a")]
    public void Documents_OfCallsThatOthersReferTo_AreParsed(string call, string expected) =>
        Assert.Equal(expected, Parsed(Plan($"        a: users/a\n        {call}\n        c: users/c\n")));

    [Theory]
    [InlineData("", "")] // the default answer shows them all
    [InlineData("respond: { body: a.name }\n      variants: { mobile: { body: [a, b, c, d] } }", "b c d")]
    [InlineData("respond: { body: a.name, headers: { X-C: c } }\n      variants: { mobile: { body: [b, d] } }", "b d")]
    [InlineData("respond: { body: d }\n      variants: { mobile: { body: [a, b, c] } }", "b")] // d refers to c, and c to a
    [InlineData("respond: { body: \"@\" }", "")]
    [InlineData("respond: { body: \"`1`\" }\n      variants: { mobile: { body: \"@\" } }", "a b c d")]
    [InlineData("respond: { body: \"`1`\" }", "")] // nobody ever looks at b and d: they are there for their own sake, and d needs c
    public void Calls_ThatAnAnswerDoesNotNeed_AreNotMadeForIt(string answer, string expected)
    {
        var plan = Plan(
            "        a: users/a\n        b: users/b\n        c: \"users/c/{a.id}\"\n        d: { request: users/d, if: c.on }\n",
            answer
        );
        Assert.Equal(expected, string.Join(' ', plan.Calls.Where(c => plan.Answer.Unneeded?[c.Index] == true).Select(c => c.Name)));
    }

    [Theory]
    [InlineData("b: POST users/b", "")] // it has effects
    [InlineData("b: { request: users/b, passthrough: [401] }", "")] // it may be the answer
    // it is shown with a
    [InlineData("b: { request: \"users/{item}\", forEach: \"a.list\", join: { into: a, on: \"id = id\", as: b } }", "")]
    [InlineData("b: users/b", "b")]
    public void Calls_ThatMatterWhoeverLooks_AreMade(string call, string expected)
    {
        var plan = Plan($"        a: users/a\n        {call}\n", "respond: { body: a }\n      variants: { mobile: { body: [a, b] } }");
        Assert.Equal(expected, string.Join(' ', plan.Calls.Where(c => plan.Answer.Unneeded?[c.Index] == true).Select(c => c.Name)));
    }

    [Fact]
    public void Spread_Call_IsParsed() => Assert.Equal("a", Parsed(Plan("        a: { request: users/a, as: . }\n")));

    [Theory]
    [InlineData("a: users/a", false, false)]
    [InlineData("a: { request: POST users/a, body: request }", true, false)] // passes byte for byte
    [InlineData("a: { request: POST users/a, body: { x: request.x } }", true, true)]
    [InlineData("a: { request: users/a, if: request.wanted }", true, true)]
    [InlineData("a: { request: POST users/a, compensate: { request: POST users/undo, body: request } }", true, false)]
    public void ClientsBody_IsReadAndParsed_OnlyWhereItIsUsed(string call, bool isRead, bool isParsed)
    {
        var plan = Plan($"        {call}\n");
        Assert.Equal((isRead, isParsed), (plan.ReadsBody, plan.ParsesBody));
    }

    [Fact]
    public void Joins_IntoListsThatAreJoinedThemselves_AreMadeFirst()
    {
        var plan = Plan(
            """
                    orders: users/orders
                    products: { forEach: "orders[*].p", request: "users/products/{item}", join: { into: orders, on: "id = p", as: product } }
                    makers: { forEach: "products[*].m", request: "users/makers/{item}", join: { into: products, on: "id = m", as: maker } }

            """
        );
        Assert.Equal(["makers", "products"], plan.Joins.Select(j => j.Call.Name));
    }

    [Fact]
    public void SameQuestion_CanOnlyBeAsked_WhereServiceMethodAndFixedSegmentsAreTheSame()
    {
        var plan = Plan(
            """
                    a: "users/x/{query:a}"
                    b: "users/x/{query:b}?q=1"
                    other: "users/y/{query:b}"
                    longer: "users/x/{query:b}/z"
                    service: "orders/x/{query:b}"
                    method: "HEAD users/x/{query:b}"
                    unsafe: "POST orders/e"
                    twice: "POST orders/e"

            """
        );
        Assert.Equal(["a", "b"], plan.Calls.Where(c => c.MayRepeat).Select(c => c.Name));
    }

    [Fact]
    public void Vary_NamesHeadersThatRequestsAndVariantsLookAt()
    {
        var plan = Plan(
            "        a: { request: \"users/{header:X-Kind}\", headers: { X-Id: \"{cookie:id}\" } }\n        b: "
                + "\"users/b?l={header:Accept-Language}\"\n",
            "variants: { mobile: { body: a } }"
        );
        Assert.Equal(["Accept-Language", "Cookie", "X-Client", "X-Kind"], plan.VaryBy);
    }

    private static string Parsed(CallPlan plan) => string.Join(' ', plan.Calls.Where(c => c.NeedsDocument).Select(c => c.Name));

    private static PlannedCall Call(CallPlan plan, string name) => plan.Calls.Single(c => c.Name == name);

    private static CallPlan Plan(string calls, string answer = "")
    {
        var snapshot = GatewayReader.Snapshot(
            $$"""
            services: { users: http://127.0.0.1:1, orders: http://127.0.0.1:2 }
            clients: { mobile: { when: { headers: { X-Client: ios } } } }
            routes:
              r:
                match: "/r/{id}"
                compose:
                  calls:
            {{calls}}      {{answer}}
            """
        );
        var exchange = TestRequest.Matched(snapshot, TestRequest.Create("GET", "/r/1"));
        var plan = ((ComposeTarget)exchange.Route!.Target).Plan;
        snapshot.Retire();
        return plan;
    }
}
