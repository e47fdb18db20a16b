using System.Diagnostics;
using System.Globalization;

namespace Lintel.Bench.Clients;

/// <summary>Every latency of a run, by the second in which its request was due. Its room is made beforehand.</summary>
internal sealed class Latencies(int rate, int warmSeconds, int seconds)
{
    private readonly int[][] _bySecond = [.. Enumerable.Range(0, seconds).Select(_ => new int[rate + 1])]; // in tenths of a microsecond
    private readonly int[] _counts = new int[seconds];
    private readonly int[] _failures = new int[seconds];
    private long _begin;
    private long _beginUnix;

    /// <summary>Failed requests, those of the warm-up too.</summary>
    public int Failed { get; private set; }

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

    public void FailedAt(long due, bool isFailure)
    {
        if (!isFailure)
            return;
        Failed++;
        if (SecondOf(due) is >= 0 and var second && second < seconds)
            _failures[second]++;
    }

    /// <summary>
    /// Lines of: total or the second's beginning in milliseconds of Unix time, requests answered, failed, p50, p90, p99, p99.9 and longest
    /// in milliseconds.
    /// </summary>
    public void Print(TextWriter writer)
    {
        for (var second = 0; second < seconds; second++)
            Print(
                writer,
                (_beginUnix + (second * 1000L)).ToString(CultureInfo.InvariantCulture),
                _bySecond[second][.._counts[second]],
                _failures[second]
            );
        Print(writer, "total", [.. Enumerable.Range(0, seconds).SelectMany(s => _bySecond[s].Take(_counts[s]))], Failed);
    }

    private static void Print(TextWriter writer, string name, int[] latencies, int failed)
    {
        Array.Sort(latencies);
        string[] values = [.. new[] { 0.5, 0.9, 0.99, 0.999, 1 }.Select(q => At(latencies, q))];
        writer.WriteLine($"{name}\t{latencies.Length}\t{failed}\t{string.Join('\t', values)}");
    }

    private static string At(int[] sorted, double quantile) =>
        sorted.Length == 0
            ? ""
            : (sorted[(int)Math.Min(sorted.Length - 1, Math.Ceiling(sorted.Length * quantile) - 1)] / 10_000d).ToString(
                "F4",
                CultureInfo.InvariantCulture
            );

    private int SecondOf(long due) => due < _begin ? -1 : (int)((due - _begin) / Stopwatch.Frequency);
}
