using Lintel.Config;
using Lintel.Services;
using Lintel.Services.Attempts;
using Lintel.Services.Balancing;

namespace Lintel.Tests.Services.Balancing;

/// <summary>Instances and balancers without a service.</summary>
internal static class Pool
{
    public static WeightedInstance[] Weighted(params double[] weights) =>
        [.. weights.Select((w, i) => new WeightedInstance(Instance(i), w))];

    public static Instance Instance(int number) => new(Config(number));

    public static InstanceConfig Config(int number, int weight = 1, string? zone = null, int priority = 0) =>
        new()
        {
            Address = new Uri($"http://10.0.{number / 256}.{number % 256}"),
            Weight = weight,
            Zone = zone,
            Priority = priority,
        };

    public static Balancer Create(BalancingKind kind, WeightedInstance[] instances, int seed = 7, TimeProvider? time = null) =>
        Create(
            new BalancingConfig { Kind = kind, ConsistentHash = kind == BalancingKind.ConsistentHash ? new() : null },
            instances,
            seed,
            time
        );

    public static Balancer Create(BalancingConfig config, WeightedInstance[] instances, int seed = 7, TimeProvider? time = null) =>
        Balancer.Create(config, instances, new BalancingParts(new Random(seed), time ?? TimeProvider.System, new RoundRobinTurn()));

    /// <summary>The end of an attempt with a response.</summary>
    public static AttemptEnd End(int status, TimeSpan duration = default) =>
        new(AttemptVerdicts.Of(status, null), status, null, 0, duration);

    public static void Load(Instance instance, int requests)
    {
        for (var i = 0; i < requests; i++)
            instance.Enter();
    }

    /// <summary>Pearson's statistic of counts against the expected shares.</summary>
    public static double ChiSquare(int[] counts, double[] shares)
    {
        var (all, sum) = (counts.Sum(), shares.Sum());
        return counts.Select((c, i) => Math.Pow(c - (all * shares[i] / sum), 2) / (all * shares[i] / sum)).Sum();
    }
}
