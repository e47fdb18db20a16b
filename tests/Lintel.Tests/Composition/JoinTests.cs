using Microsoft.AspNetCore.Http;

namespace Lintel.Tests.Composition;

/// <summary>Answers that are put into the elements of another call's list.</summary>
public sealed class JoinTests
{
    [Fact]
    public async Task Join_PutsEachAnswerIntoItsElement_AndKeepsTheRestAsItWas()
    {
        var backend = new MemoryService();
        backend
            .On("orders", """[ {"p": 1, "n": 1.50},{"p":"2"}, {"p":9},{"q":0}, 5 ]""")
            .On("products", """[{"id":"1","t":"\u0061"},{"id":2}]""");
        using var gateway = MemoryGateway.Compose(
            """
            calls:
              orders: a/orders
              products: { request: "a/products?ids={items}", forEach: "orders[*].p", batch: 100, join: { into: orders, on: "id = p", as: product } }
            """,
            backend
        );
        var answer = await gateway.GetAsync();
        Assert.Equal(
            """{"orders":[{"p":1,"n":1.50,"product":{"id":"1","t":"\u0061"}},{"p":"2","product":{"id":2}},{"p":9,"product":null},{"q":0,"product":null},5]}""",
            answer.Body
        );
        Assert.Equal("/products?ids=1,2,9", backend.SeenOnce("products").Target);
    }

    [Fact]
    public async Task Join_OfAListOfKeys_GivesAList_AndReplacesWhatHadTheName()
    {
        var backend = new MemoryService();
        backend
            .On("orders", """[{"tags":[2,1,7],"named":"old"},{"tags":[]}]""")
            .On("tag", context => context.Response.WriteAsync($$"""{"id":{{context.Request.Path.Value![5..]}}}"""));
        using var gateway = MemoryGateway.Compose(
            """
            calls:
              orders: a/orders
              tags: { request: "a/tag/{item}", forEach: "orders[].tags[]", join: { into: orders, on: "id = tags", as: named } }
            """,
            backend
        );
        Assert.Equal(
            """{"orders":[{"tags":[2,1,7],"named":[{"id":2},{"id":1},{"id":7}]},{"tags":[],"named":[]}]}""",
            (await gateway.GetAsync()).Body
        );
    }

    [Fact]
    public async Task NestedJoins_AreMadeFromTheInsideOut()
    {
        var backend = new MemoryService();
        backend
            .On("orders", """[{"p":1},{"p":2}]""")
            .On("product", context => context.Response.WriteAsync($$"""{"id":{{context.Request.Path.Value![9..]}},"m":"acme"}"""))
            .On("maker", context => context.Response.WriteAsync("""{"name":"acme"}"""));
        using var gateway = MemoryGateway.Compose(
            """
            calls:
              makers: { request: "a/maker/{item}", forEach: "products[*].m", join: { into: products, on: "name = m", as: maker } }
              products: { request: "a/product/{item}", forEach: "orders[*].p", join: { into: orders, on: "id = p", as: product } }
              orders: a/orders
            """,
            backend
        );
        Assert.Equal(
            """{"orders":[{"p":1,"product":{"id":1,"m":"acme","maker":{"name":"acme"}}},{"p":2,"product":{"id":2,"m":"acme","maker":{"name":"acme"}}}]}""",
            (await gateway.GetAsync()).Body
        );
        Assert.Equal(1, backend.Count("maker"));
    }

    [Fact]
    public async Task Join_IntoAnObject_AndIntoWhatFailed()
    {
        var backend = new MemoryService();
        backend.On("cart", """{"p":1}""").On("product", """{"id":1}""");
        using var gateway = MemoryGateway.Compose(
            """
            calls:
              cart: { request: a/cart, optional: true, fallback: { value: [{ "p": 5 }] } }
              products: { request: "a/product/{item}", forEach: "[`1`]", optional: true, join: { into: cart, on: "id = p", as: product } }
            """.Replace("forEach: \"[`1`]\"", "forEach: \"cart.p && [cart.p] || [`1`]\"", StringComparison.Ordinal),
            backend
        );
        Assert.Equal("""{"cart":{"p":1,"product":{"id":1}}}""", (await gateway.GetAsync()).Body);
        backend.On("cart", 500, "");
        Assert.Equal("""{"cart":[{"p":5,"product":null}]}""", (await gateway.GetAsync()).Body);
    }

    [Theory]
    [InlineData(
        "page",
        "page: a/page",
        """{"page":{"total":2,"items":[{"id":1,"reviews":[{"product":1,"n":1},{"product":1,"n":2}]},{"id":2,"reviews":[]}],"next":null}}"""
    )]
    [InlineData(
        "page",
        "page: { request: a/page, as: . }",
        """{"total":2,"items":[{"id":1,"reviews":[{"product":1,"n":1},{"product":1,"n":2}]},{"id":2,"reviews":[]}],"next":null}"""
    )]
    public async Task Join_OfMany_IntoAListInAnObject_OutOfAnEnvelope(string into, string page, string expected)
    {
        var backend = new MemoryService();
        backend
            .On("page", """{"total":2,"items":[{"id":1},{"id":2}],"next":null}""")
            .On("reviews", """{"data":[{"product":1,"n":1},{"product":1,"n":2},{"product":7}]}""");
        using var gateway = MemoryGateway.Compose(
            $$"""
            calls:
              {{page}}
              reviews: { forEach: "page.items[*].id", batch: 50, request: "a/reviews?ids={items}", select: data, join: { into: {{into}}.items, on: product = id, as: reviews, many: true } }
            """,
            backend
        );
        Assert.Equal(expected, (await gateway.GetAsync()).Body);
        Assert.Equal("/reviews?ids=1,2", backend.SeenOnce("reviews").Target);
    }

    [Theory]
    [InlineData("""[{"id":1}]""", """[{"k":1},{"k":1}]""", "into: list", "id")] // several answers for one element
    [InlineData("""[{"id":[1]}]""", """[{"k":1},{"k":1}]""", "into: list", "id")]
    [InlineData("""{"items":[{"id":1}]}""", """[{"k":1}]""", "into: list", "id")] // the list is in an object
    [InlineData("""{"items":[{"id":1}]}""", """[{"k":1}]""", "into: list.item", "id")]
    [InlineData("""{"items":null}""", """[{"k":1}]""", "into: list.items", "id")]
    [InlineData("""{"items":[{"id":1}]}""", """[{"k":1}]""", "into: list.items.more", "id")]
    [InlineData("""[1,2]""", """[{"k":1}]""", "into: list", "id")] // nothing to put a property into
    [InlineData("""[{"id":1}]""", """{"data":[{"k":1}]}""", "into: list", "id")] // the answers are in an envelope
    [InlineData("""[{"id":1}]""", """[{"k":1},{"q":1}]""", "into: list", "id")]
    [InlineData("""[{"id":1}]""", """[{"k":1}]""", "into: list", "length(id)")]
    public async Task Join_ThatWouldLoseSomething_IsTheCallsFailure(string list, string answers, string into, string parentKey)
    {
        var backend = new MemoryService();
        backend.On("list", list).On("answers", answers);
        var calls =
            $"calls: {{ list: a/list, more: {{ request: \"a/answers?x={{items}}\", forEach: \"[`1`]\", batch: 9, OPTIONAL join: {{ {into}, on: \"k = {parentKey}\", as: more }} }} }}".Replace(
                "forEach: \"[`1`]\"",
                "forEach: \"list && [`1`]\"",
                StringComparison.Ordinal
            );
        using (var required = MemoryGateway.Compose(calls.Replace("OPTIONAL", "", StringComparison.Ordinal), backend))
        {
            var refused = await required.GetAsync();
            Assert.Equal((502, "urn:problem-type:lintel:expression-failed"), (refused.Status, (string?)refused.Json["type"]));
            Assert.Contains(";err=expression-failed", refused.Of("more"), StringComparison.Ordinal);
        }

        using var optional = MemoryGateway.Compose(
            calls.Replace("OPTIONAL", "optional: true,", StringComparison.Ordinal) + "\nrespond: { errors: true }",
            backend
        );
        var answer = await optional.GetAsync();
        Assert.Equal((200, "no-store"), (answer.Status, answer["Cache-Control"]));
        Assert.Contains(";err=expression-failed", answer.Of("more"), StringComparison.Ordinal);
        Assert.Equal("more", (string?)answer.Json["_errors"]![0]!["call"]);
    }

    [Fact]
    public async Task Join_OfASelectionThatIsNotThere_IsTheCallsFailure()
    {
        var backend = new MemoryService();
        backend.On("list", """[{"id":1}]""").On("answers", """{"dat":[{"k":1}]}""");
        using var gateway = MemoryGateway.Compose(
            "calls: { list: a/list, more: { request: \"a/answers?x={items}\", forEach: \"list[*].id\", batch: 9, select: data, join: "
                + "{ into: list, on: k = id, as: more } } }",
            backend
        );
        Assert.Contains(";err=expression-failed", (await gateway.GetAsync()).Of("more"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Join_OfTheSameAnswerTwice_IsOne()
    {
        var backend = new MemoryService();
        backend.On("list", """[{"k":1,"n":1},{"k":"1","n":2}]""").On("item", """{"id":1}""");
        using var gateway = MemoryGateway.Compose(
            "calls: { list: a/list, more: { request: \"a/item/{item.k}\", forEach: list, join: { into: list, on: id = k, as: more } } }",
            backend
        );
        Assert.Equal("""{"list":[{"k":1,"n":1,"more":{"id":1}},{"k":"1","n":2,"more":{"id":1}}]}""", (await gateway.GetAsync()).Body);
    }

    [Fact]
    public async Task Join_OfNoItems_NeedsNoList()
    {
        var backend = new MemoryService();
        backend.On("list", """{"total":0}""");
        using var gateway = MemoryGateway.Compose(
            "calls: { list: a/list, more: { request: \"a/x/{item}\", forEach: \"list.items[*].id\", join: { into: list.items, on: k "
                + "= id, as: more } } }",
            backend
        );
        Assert.Equal((200, """{"list":{"total":0}}"""), ((await gateway.GetAsync()).Status, (await gateway.GetAsync()).Body));
    }

    [Fact]
    public async Task Join_ThatDoesNotFit_FallsBackToTheCallsValue_AndPointsAtTheList()
    {
        var backend = new MemoryService();
        backend.On("page", """{"a/b":[{"id":1},{"id":2}]}""").On("answers", """[{"k":1},{"k":1}]""");
        using var gateway = MemoryGateway.Compose(
            "calls: { page: a/page, more: { request: \"a/answers?x={items}\", forEach: \"page.\\\"a/b\\\"[*].id\", batch: 9, "
                + "optional: true, fallback: { value: [{ \"k\": 2, \"old\": true }] }, join: { into: page.a/b, on: k = id, as: more "
                + "} } }\nrespond: { errors: true }",
            backend
        );
        var answer = await gateway.GetAsync();
        Assert.Equal("""[{"id":1,"more":null},{"id":2,"more":{"k":2,"old":true}}]""", answer.Json["page"]!["a/b"]!.ToJsonString());
        Assert.Contains(";src=value", answer.Of("more"), StringComparison.Ordinal);
        Assert.Equal("/page/a~1b", (string?)answer.Json["_errors"]![0]!["pointer"]);
    }

    [Fact]
    public async Task Join_OfAWriteThatDoesNotFit_IsUndone()
    {
        var backend = new MemoryService();
        backend.On("list", """[{"id":1}]""").On("made", """{"q":1}""").On("undo", 204, "");
        using var gateway = MemoryGateway.Compose(
            "calls: { list: a/list, made: { request: \"POST a/made/{item}\", forEach: \"list[*].id\", compensate: \"DELETE a/undo\", "
                + "join: { into: list, on: k = id, as: made } } }",
            backend
        );
        Assert.Equal(502, (await gateway.GetAsync()).Status);
        Assert.Equal("DELETE", backend.SeenOnce("undo").Method);
    }

    [Fact]
    public async Task Select_GivesThePartOfAnAnswerThatIsTheCallsValue()
    {
        var backend = new MemoryService();
        backend
            .On("one", """{"data":{"n": 1.50 },"meta":0}""")
            .On("list", """{"ids":[1,2]}""")
            .On("item", context => context.Response.WriteAsync("{\"data\":{\"id\":" + context.Request.Path.Value![6..] + "}}"));
        using var gateway = MemoryGateway.Compose(
            "calls: { one: { request: a/one, select: data, optional: true, fallback: stale }, list: { request: a/list, select: ids "
                + "}, each: { request: \"a/item/{item}\", forEach: list, select: data } }",
            backend
        );
        const string Expected = """{"one":{"n": 1.50 },"list":[1,2],"each":[{"id":1},{"id":2}]}""";
        Assert.Equal(Expected, (await gateway.GetAsync()).Body);
        backend.On("one", 503, "");
        var stale = await gateway.GetAsync();
        Assert.Equal(Expected, stale.Body);
        Assert.Contains("src=stale", stale.Of("one"), StringComparison.Ordinal);
    }
}
