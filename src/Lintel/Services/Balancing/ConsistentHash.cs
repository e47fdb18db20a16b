using System.IO.Hashing;
using System.Text;

namespace Lintel.Services.Balancing;

/// <summary>
/// Chooses the same instance for the same key (Maglev): if one of n instances leaves, its keys move, and few others. Requests without a key
/// are balanced by <see cref="LeastRequests"/>.
/// </summary>
/// <remarks>
/// The table depends on the instances' addresses and weights alone, so that all nodes with the same configuration choose alike. With
/// bounded load an instance that has its share of the requests in flight is passed over, and the next one of the table is taken.
/// </remarks>
internal sealed class ConsistentHash : Balancer
{
    /// <summary>The table's size: a prime, Envoy's default, at least a hundred entries for each of 600 instances.</summary>
    internal const int TableSize = 65537;

    /// <summary>Entries that are looked at for another instance: with 600 instances, each is among them.</summary>
    private const int MostSteps = 8192;

    private readonly int[] _table;
    private readonly LeastRequests _unkeyed;
    private readonly double[]? _bounds;
    private int _picks;
    private int _active;

    /// <param name="instances">The instances.</param>
    /// <param name="boundedLoad">The most requests in flight in percent of the average; <see langword="null"/> for no limit.</param>
    /// <param name="parts">The dependencies.</param>
    public ConsistentHash(WeightedInstance[] instances, double? boundedLoad, BalancingParts parts)
        : base(instances, parts.Random)
    {
        _table = Table(instances);
        _unkeyed = new LeastRequests(instances, parts.Random);
        var sum = instances.Sum(i => i.Weight);
        _bounds = boundedLoad is { } bound ? [.. instances.Select(i => bound / 100 * i.Weight / sum)] : null;
    }

    public override Instance Pick(ulong key)
    {
        if (key == 0)
            return _unkeyed.Pick(key);
        var slot = (int)(key % TableSize);
        var place = _table[slot];
        return _bounds is null ? Instances[place].Instance : WithinBounds(_bounds, slot);
    }

    public override Instance? PickOther(List<Instance> tried, ulong key)
    {
        if (key == 0)
            return _unkeyed.PickOther(tried, key);
        var slot = (int)(key % TableSize);
        for (var i = 0; i < MostSteps; i++)
        {
            var instance = Instances[_table[slot]].Instance;
            if (!tried.Contains(instance))
                return instance;
            slot = Next(slot);
        }

        return _unkeyed.PickOther(tried, key);
    }

    private Instance WithinBounds(double[] bounds, int first)
    {
        var total = Active() + 1;
        var slot = first;
        for (var i = 0; i < MostSteps; i++)
        {
            var place = _table[slot];
            var instance = Instances[place].Instance;
            if (instance.Active < Math.Ceiling(bounds[place] * total))
                return instance;
            slot = Next(slot);
        }

        return Instances[_table[first]].Instance;
    }

    /// <summary>
    /// The requests in flight. Summed again after one pick for each eight instances: meanwhile the average grows by an eighth of a request
    /// at most, and a pick reads few of the counters.
    /// </summary>
    private int Active()
    {
        if (Interlocked.Increment(ref _picks) % Math.Max(1, Instances.Length / 8) != 0)
            return Volatile.Read(ref _active);
        var sum = 0;
        foreach (ref readonly var instance in Instances.AsSpan())
            sum += instance.Instance.Active;
        Volatile.Write(ref _active, sum);
        return sum;
    }

    private static int Next(int slot) => slot + 1 == TableSize ? 0 : slot + 1;

    /// <summary>
    /// Fills the table: in turn, each instance takes the next free entry of its own permutation, one that is a third of the heaviest only
    /// every third time.
    /// </summary>
    internal static int[] Table(WeightedInstance[] instances)
    {
        var table = new int[TableSize];
        Array.Fill(table, -1);
        var heaviest = instances.Max(i => i.Weight);
        var next = new int[instances.Length];
        var skip = new int[instances.Length];
        var taken = new int[instances.Length];

        // A calendar: the instances whose turn it is in a round, as linked lists.
        var first = new int[TableSize + 2];
        var following = new int[instances.Length];
        Array.Fill(first, -1);
        foreach (
            var place in Enumerable.Range(0, instances.Length).OrderByDescending(i => instances[i].Instance.Name, StringComparer.Ordinal)
        )
        {
            var name = Encoding.UTF8.GetBytes(instances[place].Instance.Name);
            next[place] = (int)(XxHash3.HashToUInt64(name) % TableSize);
            skip[place] = (int)(XxHash3.HashToUInt64(name, seed: 1) % (TableSize - 1)) + 1;
            (following[place], first[1]) = (first[1], place);
        }

        var free = TableSize;
        for (var round = 1; free > 0; round++)
        {
            for (var place = first[round]; place >= 0 && free > 0; )
            {
                var after = following[place];
                while (table[next[place]] >= 0)
                    next[place] = (int)(((long)next[place] + skip[place]) % TableSize);
                table[next[place]] = place;
                free--;
                var again = Math.Max(round + 1, Math.Ceiling(++taken[place] * heaviest / instances[place].Weight));
                if (again <= TableSize)
                    (following[place], first[(int)again]) = (first[(int)again], place);
                place = after;
            }
        }

        return table;
    }
}
