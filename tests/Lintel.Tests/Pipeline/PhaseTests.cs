using System.Reflection;
using Lintel.Errors;
using Lintel.Pipeline;
using Lintel.Routing;

namespace Lintel.Tests.Pipeline;

/// <summary>The phases, their order, and the answers that they apply to.</summary>
public sealed class PhaseTests
{
    private readonly List<string> _asked = [];

    [Fact]
    public async Task Phases_OfARequest_ComeInOrder()
    {
        var answer = await RunAsync(new Asked(_asked, "a"), new Asked(_asked, "b"));
        Assert.Equal(
            ["a admits", "b admits", "a answers", "b answers", "target", "a responds", "b responds", "a concludes ", "b concludes "],
            _asked
        );
        Assert.Equal("a,b", answer.Headers["X-Asked"].ToString());
    }

    [Fact]
    public async Task Refusal_InPhase2_SkipsEverythingUpToTheResponse()
    {
        var answer = await RunAsync(new Asked(_asked, "a") { Refuses = true }, new Asked(_asked, "b"));
        Assert.Equal(["a admits", "a responds", "b responds", "a concludes access-denied", "b concludes access-denied"], _asked);
        Assert.Equal((403, "a,b"), (answer.StatusCode, answer.Headers["X-Asked"].ToString()));
    }

    [Fact]
    public async Task Answer_InPhase3_TakesTheTargetsPlace()
    {
        var answer = await RunAsync(new Asked(_asked, "a") { Answers = true }, new Asked(_asked, "b"));
        Assert.Equal(["a admits", "b admits", "a answers", "a responds", "b responds", "a concludes ", "b concludes "], _asked);
        Assert.Equal(202, answer.StatusCode);
    }

    [Fact]
    public async Task Defect_OfAPolicyInAnyPhase_IsAnsweredAndConcluded()
    {
        var answer = await RunAsync(new Asked(_asked, "a") { ThrowsIn = "admits" });
        Assert.Equal((500, "a concludes internal"), (answer.StatusCode, _asked[^1]));
        _asked.Clear();
        await RunAsync(new Asked(_asked, "a") { ThrowsIn = "concludes " }, new Asked(_asked, "b"));
        Assert.Equal("b concludes ", _asked[^1]);
    }

    [Fact]
    public async Task Problem_AfterAHeadThatWasNotSent_IsRespondedToAnew()
    {
        var answer = await RunAsync(
            [new Asked(_asked, "a")],
            new Acting(e =>
            {
                e.Response.Headers["X-Left"] = "over";
                ResponsePhase.Enter(e);
                return new GatewayError(GatewayErrorKind.ConnectionTerminated);
            })
        );
        Assert.Equal((502, "a"), (answer.StatusCode, answer.Headers["X-Asked"].ToString()));
        Assert.False(answer.Headers.ContainsKey("X-Left"));
    }

    [Theory]
    [InlineData("/fixed", 200)]
    [InlineData("/moved", 307)]
    [InlineData("/denied", 403)]
    [InlineData("/empty", 204)]
    public async Task Transform_OfTheResponse_AppliesToEveryAnswerOfTheRoute(string path, int status)
    {
        using var spine = new Spine(
            """
            policies: { nobody: { access: { deny: "0.0.0.0/0" } } }
            routes:
              fixed: { match: /fixed, respond: { body: x, headers: { X-Gone: y, X-Set: old } }, transform: { response: { setHeaders: { X-Set: new }, removeHeaders: [X-Gone] } } }
              moved: { match: /moved, redirect: /fixed, transform: { response: { setHeaders: { X-Set: new } } } }
              denied: { match: /denied, respond: { body: x }, policies: [nobody], transform: { response: { setHeaders: { X-Set: new } } } }
              empty: { match: /empty, respond: { status: 204 }, transform: { response: { setHeaders: { X-Set: new } } } }
            """
        );
        var answer = await spine.SendAsync("GET", path);
        Assert.Equal((status, "new"), (answer.StatusCode, answer.Headers["X-Set"].ToString()));
        Assert.False(answer.Headers.ContainsKey("X-Gone"));
    }

    /// <summary>
    /// A pooled object must not keep state of one request for the next: all of it is one value, which is reset as a whole.
    /// </summary>
    [Fact]
    public void State_OfAnExchange_IsOneValue()
    {
        var field = Assert.Single(typeof(Exchange).GetFields(BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public));
        Assert.True(field.FieldType.IsValueType);
    }

    private Task<Microsoft.AspNetCore.Http.HttpResponse> RunAsync(params Policy[] policies) =>
        RunAsync(
            policies,
            new Acting(e =>
            {
                _asked.Add("target");
                return null;
            })
        );

    private static async Task<Microsoft.AspNetCore.Http.HttpResponse> RunAsync(Policy[] policies, Target target)
    {
        var route = new Route("r", "/{**rest}", PathTraits.None, null, target) { Policies = PolicySet.Of(policies) };
        var table = RouteTableBuilder.Build(
            [new RouteEntry<Route>("r", route, [], [PathTemplate.Parse("/{**rest}", out _, out _)!], ["rest"], [], [])],
            []
        );
        using var spine = new Spine(new Snapshot(table, new GatewayIdentity("lintel", "lintel"), new TrustedProxies([]), () => { }));
        return await spine.SendAsync("GET", "/x");
    }

    private sealed class Acting(Func<Exchange, GatewayError?> act) : Target
    {
        public override ValueTask<GatewayError?> RunAsync(Exchange exchange) => new(act(exchange));
    }

    /// <summary>A policy of all phases that records its calls.</summary>
    private sealed class Asked(List<string> asked, string name) : Policy, IAdmitting, IAnswering, IResponding, IConcluding
    {
        public bool Refuses { get; init; }

        public bool Answers { get; init; }

        public string? ThrowsIn { get; init; }

        public ValueTask<GatewayError?> AdmitAsync(Exchange exchange)
        {
            Note("admits");
            return new(Refuses ? new GatewayError(GatewayErrorKind.AccessDenied) : null);
        }

        public ValueTask<bool> AnswerAsync(Exchange exchange)
        {
            Note("answers");
            if (Answers)
                exchange.AnswerEmpty(202);
            return new(Answers);
        }

        public void Respond(Exchange exchange)
        {
            Note("responds");
            exchange.AppendResponseField("X-Asked", name);
        }

        public void Conclude(Exchange exchange, GatewayError? error) => Note("concludes " + error?.Rule.Slug);

        private void Note(string what)
        {
            if (what == ThrowsIn)
                throw new InvalidOperationException("a defect");
            asked.Add($"{name} {what}");
        }
    }
}
