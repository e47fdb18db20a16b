namespace Lintel.Services.Balancing;

/// <summary>The position of a service's round robin: a new set of instances goes on where the last one was.</summary>
internal sealed class RoundRobinTurn
{
    private uint _next;

    public uint Next() => Interlocked.Increment(ref _next) - 1;
}

/// <summary>
/// Chooses in turn, with heavier instances spread evenly between the others (nginx' smooth weighted round robin, computed in advance).
/// </summary>
internal sealed class RoundRobin(WeightedInstance[] instances, BalancingParts parts) : Balancer(instances, parts.Random)
{
    private readonly int[] _turns = Turns([.. instances.Select(i => i.Weight)]);
    private readonly RoundRobinTurn _turn = parts.Turn;

    public override Instance Pick(ulong key) => Instances[_turns[_turn.Next() % (uint)_turns.Length]].Instance;

    /// <summary>
    /// Computes the places in turn: in each window of the whole table, each place has exactly as many turns as its weight.
    /// </summary>
    internal static int[] Turns(double[] weights)
    {
        var slots = Slots(weights);
        var total = slots.Sum();
        if (total == slots.Length)
            return [.. Enumerable.Range(0, total)];
        var current = new int[slots.Length];
        var turns = new int[total];
        for (var turn = 0; turn < total; turn++)
        {
            var best = 0;
            for (var i = 0; i < slots.Length; i++)
            {
                current[i] += slots[i];
                if (current[i] > current[best])
                    best = i;
            }

            current[best] -= total;
            turns[turn] = best;
        }

        return turns;
    }

    /// <summary>
    /// The number of turns of each place: exact for small whole weights, otherwise rounded to a table of at most about 4096 turns, or fewer
    /// for many instances, because it takes turns × instances steps to fill it.
    /// </summary>
    private static int[] Slots(double[] weights)
    {
        var most = Math.Max(weights.Length, Math.Min(4096, 4_000_000 / weights.Length));
        if (Array.TrueForAll(weights, w => w == weights[0]))
            return [.. weights.Select(_ => 1)];
        if (Array.TrueForAll(weights, w => w == Math.Floor(w)))
        {
            var divisor = weights.Select(w => (int)w).Aggregate(GreatestCommonDivisor);
            if (weights.Sum() / divisor <= most)
                return [.. weights.Select(w => (int)w / divisor)];
        }

        var unit = weights.Sum() / most;
        return [.. weights.Select(w => Math.Max(1, (int)Math.Round(w / unit)))];
    }

    private static int GreatestCommonDivisor(int a, int b) => b == 0 ? a : GreatestCommonDivisor(b, a % b);
}
