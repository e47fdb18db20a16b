using Microsoft.AspNetCore.Http;

namespace Lintel.FunctionalTests.Composition;

/// <summary>Answers that are put into the elements of another call's list.</summary>
public sealed class JoinTests
{
    [Fact]
    public async Task Join_PutsEachAnswerIntoItsElement_AndKeepsTheRestAsItWas()
    {
        await using var backend = await Backend.StartAsync();
        backend.On("orders", """[ {"p": 1, "n": 1.50},{"p":"2"}, {"p":9},{"q":0}, 5 ]""").On("products", """[{"id":"1","t":"\u0061"},{"id":2}]""");
        await using var gateway = await ComposedGateway.StartAsync("""
            calls:
              orders: a/orders
              products: { request: "a/products?ids={items}", forEach: "orders[*].p", batch: 100, join: { into: orders, on: "id = p", as: product } }
            """, backend);
        var answer = await gateway.GetAsync();
        Assert.Equal("""{"orders":[{"p":1,"n":1.50,"product":{"id":"1","t":"\u0061"}},{"p":"2","product":{"id":2}},{"p":9,"product":null},{"q":0,"product":null},5]}""", answer.Body);
        Assert.Equal("/products?ids=1,2,9", backend.Single("products").Target);
    }

    [Fact]
    public async Task Join_OfAListOfKeys_GivesAList_AndReplacesWhatHadTheName()
    {
        await using var backend = await Backend.StartAsync();
        backend.On("orders", """[{"tags":[2,1,7],"named":"old"},{"tags":[]}]""").On("tag", context => context.Response.WriteAsync($$"""{"id":{{context.Request.Path.Value![5..]}}}"""));
        await using var gateway = await ComposedGateway.StartAsync("""
            calls:
              orders: a/orders
              tags: { request: "a/tag/{item}", forEach: "orders[].tags[]", join: { into: orders, on: "id = tags", as: named } }
            """, backend);
        Assert.Equal("""{"orders":[{"tags":[2,1,7],"named":[{"id":2},{"id":1},{"id":7}]},{"tags":[],"named":[]}]}""", (await gateway.GetAsync()).Body);
    }

    [Fact]
    public async Task NestedJoins_AreMadeFromTheInsideOut()
    {
        await using var backend = await Backend.StartAsync();
        backend.On("orders", """[{"p":1},{"p":2}]""")
            .On("product", context => context.Response.WriteAsync($$"""{"id":{{context.Request.Path.Value![9..]}},"m":"acme"}"""))
            .On("maker", context => context.Response.WriteAsync("""{"name":"acme"}"""));
        await using var gateway = await ComposedGateway.StartAsync("""
            calls:
              makers: { request: "a/maker/{item}", forEach: "products[*].m", join: { into: products, on: "name = m", as: maker } }
              products: { request: "a/product/{item}", forEach: "orders[*].p", join: { into: orders, on: "id = p", as: product } }
              orders: a/orders
            """, backend);
        Assert.Equal("""{"orders":[{"p":1,"product":{"id":1,"m":"acme","maker":{"name":"acme"}}},{"p":2,"product":{"id":2,"m":"acme","maker":{"name":"acme"}}}]}""", (await gateway.GetAsync()).Body);
        Assert.Equal(1, backend.Count("maker"));
    }

    [Fact]
    public async Task Join_IntoAnObject_AndIntoWhatFailed()
    {
        await using var backend = await Backend.StartAsync();
        backend.On("cart", """{"p":1}""").On("product", """{"id":1}""");
        await using var gateway = await ComposedGateway.StartAsync("""
            calls:
              cart: { request: a/cart, optional: true, fallback: { value: [{ "p": 5 }] } }
              products: { request: "a/product/{item}", forEach: "[`1`]", optional: true, join: { into: cart, on: "id = p", as: product } }
            """.Replace("forEach: \"[`1`]\"", "forEach: \"cart.p && [cart.p] || [`1`]\"", StringComparison.Ordinal), backend);
        Assert.Equal("""{"cart":{"p":1,"product":{"id":1}}}""", (await gateway.GetAsync()).Body);
        backend.On("cart", 500, "");
        Assert.Equal("""{"cart":[{"p":5,"product":null}]}""", (await gateway.GetAsync()).Body);
    }
}
