using Lintel.Config;

namespace Lintel.Services.Balancing;

/// <summary>Chooses an instance for a request. Safe from any thread, without locks.</summary>
internal abstract class Balancer(Instance[] instances)
{
    protected Instance[] Instances { get; } = instances;

    public static Balancer Create(BalancingKind kind, Instance[] instances, Random random) =>
        (instances.Length, kind) switch
        {
            (1, _) => new SingleInstance(instances),
            (_, BalancingKind.RoundRobin) => new RoundRobin(instances),
            (_, BalancingKind.Random) => new WeightedRandom(instances, random),
            _ => new LeastRequests(instances, random),
        };

    /// <summary>Chooses an instance.</summary>
    /// <param name="key">The request's <see cref="RequestKey.Hash"/>.</param>
    public abstract Instance Pick(ulong key);

    /// <summary>Chooses an instance that was not tried; <see langword="null"/> if all were tried.</summary>
    public Instance? PickOther(List<Instance> tried, ulong key)
    {
        // A few picks preserve the balance; if they return only tried instances, any other is taken.
        for (var i = 0; i < 3; i++)
        {
            var picked = Pick(key);
            if (!tried.Contains(picked))
                return picked;
        }

        return Array.Find(Instances, i => !tried.Contains(i));
    }

    private sealed class SingleInstance(Instance[] instances) : Balancer(instances)
    {
        public override Instance Pick(ulong key) => Instances[0];
    }
}

/// <summary>Chooses at random, in proportion to weight.</summary>
internal sealed class WeightedRandom : Balancer
{
    private readonly Random _random;
    private readonly int[] _upTo;

    public WeightedRandom(Instance[] instances, Random random)
        : base(instances)
    {
        _random = random;
        _upTo = new int[instances.Length];
        var sum = 0;
        for (var i = 0; i < instances.Length; i++)
            _upTo[i] = sum += instances[i].Weight;
    }

    public override Instance Pick(ulong key) => Instances[Draw()];

    /// <summary>Draws an index.</summary>
    public int Draw() => At(_random.Next(_upTo[^1]));

    /// <summary>Draws another index, in proportion to the weights of the others.</summary>
    public int DrawOther(int place)
    {
        var before = place == 0 ? 0 : _upTo[place - 1];
        var weight = _upTo[place] - before;
        var point = _random.Next(_upTo[^1] - weight);
        return At(point < before ? point : point + weight);
    }

    private int At(int point)
    {
        var found = Array.BinarySearch(_upTo, point);
        return found >= 0 ? found + 1 : ~found;
    }
}

/// <summary>
/// Power of two choices: of two different instances drawn by weight, the one with fewer requests in flight for its weight.
/// </summary>
/// <remarks>
/// Drawn by weight and not evenly, so that an idle service still receives its requests in proportion (Envoy switches to round robin for
/// that).
/// </remarks>
internal sealed class LeastRequests(Instance[] instances, Random random) : Balancer(instances)
{
    private readonly WeightedRandom _draw = new(instances, random);

    public override Instance Pick(ulong key)
    {
        var place = _draw.Draw();
        var first = Instances[place];
        var second = Instances[_draw.DrawOther(place)];
        return (long)second.Active * first.Weight < (long)first.Active * second.Weight ? second : first;
    }
}

/// <summary>
/// Chooses in turn, with heavier instances spread evenly between the others (nginx' smooth weighted round robin, computed in advance).
/// </summary>
internal sealed class RoundRobin : Balancer
{
    private readonly Instance[] _turns;
    private uint _next;

    public RoundRobin(Instance[] instances)
        : base(instances)
    {
        var divisor = instances.Select(i => i.Weight).Aggregate(GreatestCommonDivisor);
        var weights = instances.Select(i => i.Weight / divisor).ToArray();
        var total = weights.Sum();
        var current = new int[instances.Length];
        _turns = new Instance[total];
        for (var turn = 0; turn < total; turn++)
        {
            var best = 0;
            for (var i = 0; i < instances.Length; i++)
            {
                current[i] += weights[i];
                if (current[i] > current[best])
                    best = i;
            }

            current[best] -= total;
            _turns[turn] = instances[best];
        }
    }

    public override Instance Pick(ulong key) => _turns[(Interlocked.Increment(ref _next) - 1) % (uint)_turns.Length];

    private static int GreatestCommonDivisor(int a, int b) => b == 0 ? a : GreatestCommonDivisor(b, a % b);
}
