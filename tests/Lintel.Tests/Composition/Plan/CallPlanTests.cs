using Lintel.Composition;
using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Pipeline;
using Lintel.Routing;

namespace Lintel.Tests.Composition.Plan;

public sealed class CallPlanTests
{
    private const string Yaml = """
        services: { s: "http://127.0.0.1:1" }
        clients: { zurich: { when: { headers: { X-City: Zürich } } } }
        routes:
          r: { match: /r, compose: { calls: { a: s/a }, variants: { zurich: { body: { only: a } } } } }
        """;

    /// <summary>The gateway's own listeners read header values as bytes, other servers as UTF-8: both select the variant.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Variant_OfAClientByAHeaderBeyondAscii_IsSelected(bool ownListener)
    {
        var snapshot = GatewayReader.Snapshot(Yaml);
        var listener = ownListener ? new ListenerIdentity("public", ListenerConfig.Default) : null;
        var context = TestRequest.Create("GET", "/r", headers: [("X-City", ownListener ? FieldText.ToBytes("Zürich") : "Zürich")]);
        var exchange = new Exchange();
        exchange.Begin(context.AsClient(), snapshot, 0, new RequestOrigin(listener, null));
        var lookup = default(RouteLookup<Route>);
        snapshot.Routes.Find(exchange.Routed, "/r", ref lookup);
        var plan = Assert.IsType<ComposeTarget>(lookup.Candidate!.Route.Target).Plan;
        Assert.Equal("zurich", plan.ShapeFor(exchange.Routed).Client);
    }
}
