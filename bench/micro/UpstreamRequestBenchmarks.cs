using BenchmarkDotNet.Attributes;
using Lintel.Carriers;
using Lintel.Forwarding;
using Lintel.Pipeline;
using Lintel.Routing;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Lintel.Benchmarks;

/// <summary>The request to a service, created from the client's.</summary>
public class UpstreamRequestBenchmarks
{
    private static readonly QueryChanges NoQueryChanges = new([], []);
    private static readonly HeaderChanges NoHeaderChanges = new([], []);

    private Exchange _plain = null!;
    private Exchange _browser = null!;

    [GlobalSetup]
    public void Match()
    {
        var snapshot = Compiled.Snapshot(
            "services: { s: http://127.0.0.1:1 }\nroutes: { r: { match: \"/users/{id}\", forward: s } }",
            Compiled.Metrics()
        );
        _plain = Matched(snapshot, Requests.Plain("/users/42"));
        _browser = Matched(snapshot, Requests.Browser("/users/42"));
    }

    /// <summary>One header in.</summary>
    [Benchmark(Baseline = true)]
    public object OfPlainRequest() => Create(_plain);

    /// <summary>Thirteen headers in.</summary>
    [Benchmark]
    public object OfBrowserRequest() => Create(_browser);

    private static UpstreamRequest Create(Exchange exchange) =>
        UpstreamRequest.Create(exchange, path: null, NoQueryChanges, NoHeaderChanges, out var error)
        ?? throw new InvalidOperationException(error!.Detail);

    private static Exchange Matched(Snapshot snapshot, HttpContext context)
    {
        var exchange = new Exchange();
        exchange.Begin(new ClientRequest(context), snapshot, 0);
        RequestSpan.Start(exchange);
        if (!RequestTarget.TryParse(context.Features.Get<IHttpRequestFeature>()!.RawTarget, out var target, out var problem))
            throw new InvalidOperationException(problem);
        exchange.RequestTarget = target;
        var lookup = default(RouteLookup<Route>);
        snapshot.Routes.Find(exchange.Routed, target.Path, ref lookup);
        exchange.Matched(ref lookup);
        return exchange;
    }
}
