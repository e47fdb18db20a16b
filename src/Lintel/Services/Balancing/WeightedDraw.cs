namespace Lintel.Services.Balancing;

/// <summary>
/// Draws places at random, in proportion to weights and in constant time (Walker's alias method, as Vose builds it).
/// </summary>
internal sealed class WeightedDraw
{
    private readonly Random _random;
    private readonly double[] _upTo;
    private readonly double[] _own;
    private readonly int[] _alias;

    /// <param name="weights">The weights, each above 0.</param>
    /// <param name="random">The source of random numbers.</param>
    public WeightedDraw(double[] weights, Random random)
    {
        _random = random;
        _upTo = new double[weights.Length];
        var sum = 0.0;
        for (var i = 0; i < weights.Length; i++)
            _upTo[i] = sum += weights[i];

        // Every place has a column of height 1: its own share below, that of one heavier place above.
        _own = [.. weights.Select(w => w * weights.Length / sum)];
        _alias = [.. Enumerable.Range(0, weights.Length)];
        var small = new Stack<int>(_alias.Where(i => _own[i] < 1));
        var large = new Stack<int>(_alias.Where(i => _own[i] >= 1));
        while (small.TryPop(out var low) && large.TryPeek(out var high))
        {
            _alias[low] = high;
            _own[high] -= 1 - _own[low];
            if (_own[high] < 1)
                small.Push(large.Pop());
        }
    }

    /// <summary>Draws a place.</summary>
    public int Draw()
    {
        var point = _random.NextDouble() * _own.Length;
        var place = (int)point;
        return point - place < _own[place] ? place : _alias[place];
    }

    /// <summary>Draws another place, in proportion to the weights of the others.</summary>
    public int DrawOther(int place)
    {
        var other = Draw(); // of another place, it has the right distribution; of the same one, the slow way has it too
        if (other != place)
            return other;
        var before = place == 0 ? 0 : _upTo[place - 1];
        var weight = _upTo[place] - before;
        var point = _random.NextDouble() * (_upTo[^1] - weight);
        other = Find(point < before ? point : point + weight);
        return other != place ? other
            : place == 0 ? 1
            : place - 1; // floating point
    }

    /// <summary>The place whose part of the sum of weights contains a point.</summary>
    private int Find(double point)
    {
        var (low, high) = (0, _upTo.Length - 1);
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (_upTo[middle] <= point)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }
}

/// <summary>Chooses at random, in proportion to weight.</summary>
internal sealed class WeightedRandom(WeightedInstance[] instances, Random random) : Balancer(instances, random)
{
    private readonly WeightedDraw _draw = new([.. instances.Select(i => i.Weight)], random);

    public override Instance Pick(ulong key) => Instances[_draw.Draw()].Instance;
}
