using System.Diagnostics;
using System.Globalization;

namespace Lintel.Bench.Clients;

/// <summary>Every latency of a run, by the second in which its request was due. Its room is made beforehand.</summary>
internal sealed class Latencies(int rate, int warmSeconds, int seconds)
{
    private readonly int[][] _bySecond = [.. Enumerable.Range(0, seconds).Select(_ => new int[rate + 1])]; // in tenths of a microsecond
    private readonly int[] _counts = new int[seconds];
    private long _begin;
    private long _beginUnix;

    public void Begin(long timestamp)
    {
        _begin = timestamp + (warmSeconds * Stopwatch.Frequency);
        _beginUnix = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() + (warmSeconds * 1000L);
    }

    public void Add(long due, long now)
    {
        if (SecondOf(due) is >= 0 and var second && second < seconds && _counts[second] <= rate)
            _bySecond[second][_counts[second]++] = (int)Math.Min(int.MaxValue, (now - due) * 10_000_000 / Stopwatch.Frequency);
    }

    /// <summary>When a second began, in milliseconds of Unix time.</summary>
    public long Began(int second) => _beginUnix + (second * 1000L);

    /// <summary>The latencies of a second, or of all, sorted.</summary>
    public int[] Sorted(int? second)
    {
        int[] latencies = second is { } one
            ? _bySecond[one][.._counts[one]]
            : [.. Enumerable.Range(0, seconds).SelectMany(s => _bySecond[s].Take(_counts[s]))];
        Array.Sort(latencies);
        return latencies;
    }

    /// <summary>-1 where it is part of the warm-up.</summary>
    public int SecondOf(long due) => due < _begin ? -1 : (int)((due - _begin) / Stopwatch.Frequency);

    /// <summary>In milliseconds; empty where there are none.</summary>
    public static string At(int[] sorted, double quantile) =>
        sorted.Length == 0
            ? ""
            : (sorted[(int)Math.Min(sorted.Length - 1, Math.Ceiling(sorted.Length * quantile) - 1)] / 10_000d).ToString(
                "F4",
                CultureInfo.InvariantCulture
            );
}
