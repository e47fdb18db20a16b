using BenchmarkDotNet.Attributes;
using Lintel.Carriers;
using Lintel.Routing;

namespace Lintel.Benchmarks;

/// <summary>A path is normalised and its route found among others of the same shape.</summary>
public class RoutingBenchmarks
{
    private readonly ClientRequest _request = new(Requests.Plain("/"));
    private RouteTable<string> _table = null!;
    private string _last = "";

    [Params(10, 1_000, 10_000)]
    public int Routes { get; set; }

    [GlobalSetup]
    public void Build()
    {
        var conflicts = new List<RouteConflict>();
        _table = RouteTableBuilder.Build(Enumerable.Range(0, Routes).Select(Entry), conflicts);
        if (conflicts.Count > 0)
            throw new InvalidOperationException($"{conflicts.Count} conflicts");
        _last = $"/service-{Routes - 1}/items/42";
    }

    [Benchmark(Baseline = true)]
    public string Find() => Find(_last);

    [Benchmark]
    public string FindWhatNeedsNormalising() => Find("/service-1/./x/../items/%34%32");

    private static RouteEntry<string> Entry(int number)
    {
        var name = $"route-{number}";
        var template = PathTemplate.Parse($"/service-{number}/items/{{id}}", out var problem, out _)
            ?? throw new InvalidOperationException(problem);
        return new RouteEntry<string>(name, name, [], [template], ["id"], ["GET"], []);
    }

    private string Find(string raw)
    {
        if (!RequestTarget.TryParse(raw, out var target, out var problem))
            throw new InvalidOperationException(problem);
        var lookup = default(RouteLookup<string>);
        _table.Find(_request, target.Path, ref lookup);
        return lookup.Outcome == RouteOutcome.Found ? lookup.Candidate!.Route : throw new InvalidOperationException($"{raw} has no route");
    }
}
