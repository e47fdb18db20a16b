using BenchmarkDotNet.Attributes;
using Lintel.Config;
using Lintel.Services;
using Lintel.Services.Balancing;

namespace Lintel.Benchmarks;

/// <summary>An instance is picked for a request, beside what any counter costs.</summary>
public class BalancingBenchmarks
{
    private readonly ulong[] _keys = [.. Enumerable.Range(1, 1024).Select(i => (ulong)i * 0x9E3779B97F4A7C15)];
    private InstanceSet _set = null!;
    private int _next;
    private int _counter;

    [Params("leastRequests", "roundRobin", "random", "ewma", "consistentHash", "boundedLoad")]
    public string Algorithm { get; set; } = "";

    [Params(3, 1_000)]
    public int Instances { get; set; }

    /// <summary>Whether a third of the instances is ejected.</summary>
    [Params(false, true)]
    public bool Ejected { get; set; }

    [GlobalSetup]
    public void Build()
    {
        var config = new ServiceConfig
        {
            Instances =
            [
                .. Enumerable
                    .Range(0, Instances)
                    .Select(i => new InstanceConfig { Address = new Uri($"http://10.0.{i / 250}.{(i % 250) + 1}"), Weight = 1 + (i % 3) }),
            ],
            Balancing = Algorithm switch
            {
                "roundRobin" => new() { Kind = BalancingKind.RoundRobin },
                "random" => new() { Kind = BalancingKind.Random },
                "ewma" => new() { Kind = BalancingKind.Ewma },
                "consistentHash" => new() { ConsistentHash = new() { Header = "X-User" } },
                "boundedLoad" => new()
                {
                    ConsistentHash = new() { Header = "X-User", BoundedLoad = 125 },
                },
                _ => new(),
            },
        };
        Member[] members = [.. config.Instances.Select(i => new Member(new Instance(i), i, 0))];
        for (var i = 0; i < members.Length; i++)
        {
            members[i].Instance.Latency = new PeakLatency(TimeSpan.FromSeconds(10), TimeProvider.System);
            members[i].Instance.Health.IsUnhealthy = Ejected && i % 3 == 0;
            members[i].Instance.Enter();
        }

        _set = new InstanceSet(members, config, new BalancingParts(Random.Shared, TimeProvider.System, new RoundRobinTurn()));
    }

    [Benchmark(Baseline = true)]
    public int Increment() => Interlocked.Increment(ref _counter);

    [Benchmark]
    public object? Pick() => _set.Pick(new RequestKey(_keys[_next++ & 1023], 0));
}
