using Lintel.Config;

namespace Lintel.Services.Balancing;

/// <summary>The dependencies of balancers.</summary>
/// <param name="Random">The source of random choices; safe from any thread.</param>
/// <param name="Time">The clock.</param>
/// <param name="Turn">The position of round robin, which outlives the balancer.</param>
internal sealed record BalancingParts(Random Random, TimeProvider Time, RoundRobinTurn Turn);

/// <summary>Chooses an instance for a request. Safe from any thread, without locks.</summary>
internal abstract class Balancer(WeightedInstance[] instances, Random random)
{
    protected WeightedInstance[] Instances { get; } = instances;

    /// <param name="config">The algorithm.</param>
    /// <param name="instances">The instances that take part, at least one.</param>
    /// <param name="parts">The dependencies.</param>
    public static Balancer Create(BalancingConfig config, WeightedInstance[] instances, BalancingParts parts) =>
        (instances.Length, config.Kind) switch
        {
            (1, _) => new SingleInstance(instances, parts.Random),
            (_, BalancingKind.RoundRobin) => new RoundRobin(instances, parts),
            (_, BalancingKind.Random) => new WeightedRandom(instances, parts.Random),
            (_, BalancingKind.Ewma) => new LeastLatency(instances, parts),
            (_, BalancingKind.ConsistentHash) => new ConsistentHash(instances, config.ConsistentHash!.BoundedLoad, parts),
            _ => new LeastRequests(instances, parts.Random),
        };

    /// <summary>Chooses an instance.</summary>
    /// <param name="key">The request's <see cref="RequestKey.Hash"/>.</param>
    public abstract Instance Pick(ulong key);

    /// <summary>Chooses an instance that was not tried; <see langword="null"/> if all were tried.</summary>
    public virtual Instance? PickOther(List<Instance> tried, ulong key)
    {
        // A few picks preserve the balance; if they return only tried instances, another one is drawn.
        for (var i = 0; i < 3; i++)
        {
            var picked = Pick(key);
            if (!tried.Contains(picked))
                return picked;
        }

        return DrawOther(tried);
    }

    /// <summary>Draws an instance that was not tried, by weight.</summary>
    private Instance? DrawOther(List<Instance> tried)
    {
        var left = Array.FindAll(Instances, i => !tried.Contains(i.Instance));
        var point = random.NextDouble() * left.Sum(i => i.Weight);
        foreach (var (instance, weight) in left)
        {
            if ((point -= weight) < 0)
                return instance;
        }

        return left.Length == 0 ? null : left[^1].Instance; // floating point
    }

    private sealed class SingleInstance(WeightedInstance[] instances, Random random) : Balancer(instances, random)
    {
        public override Instance Pick(ulong key) => Instances[0].Instance;
    }
}
