using System.Numerics;

namespace Lintel.Services.Breaking;

/// <summary>
/// The median of latencies, with an error of at most 3 %: they are counted in sixteenths of powers of two, so that a window of any number
/// of them takes the same few kilobytes.
/// </summary>
/// <remarks>Thread rule: one thread at a time.</remarks>
internal sealed class LatencyMedian
{
    private const int StepBits = 4;
    private const int Steps = 1 << StepBits;
    private const int Powers = 44; // 2^44 ticks of 100 ns are 20 days

    private readonly int[] _counts = new int[Powers * Steps];
    private int _least = Powers * Steps;
    private int _largest;

    /// <summary>The number of latencies.</summary>
    public int Count { get; private set; }

    public void Add(TimeSpan latency)
    {
        var place = PlaceOf(Math.Max(latency.Ticks, 1));
        _counts[place]++;
        _least = Math.Min(_least, place);
        _largest = Math.Max(_largest, place);
        Count++;
    }

    /// <summary>Returns the median in seconds, and clears the window, which is not empty.</summary>
    public double Take()
    {
        var place = _least;
        for (var passed = _counts[place]; 2 * passed < Count; passed += _counts[place])
            place++;
        Clear();
        return (LowerBound(place) + LowerBound(place + 1)) / 2 / TimeSpan.TicksPerSecond;
    }

    public void Clear()
    {
        if (Count == 0)
            return;
        Array.Clear(_counts, _least, _largest - _least + 1);
        (_least, _largest, Count) = (_counts.Length, 0, 0);
    }

    private static int PlaceOf(long ticks)
    {
        var power = BitOperations.Log2((ulong)ticks);
        var step = power >= StepBits ? ticks >> (power - StepBits) : ticks << (StepBits - power);
        return Math.Min(power, Powers - 1) * Steps + (int)(step & (Steps - 1));
    }

    private static double LowerBound(int place) => Math.ScaleB(1 + ((place % Steps) / (double)Steps), place / Steps);
}
