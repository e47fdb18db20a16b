namespace Lintel.Bench.Clients;

/// <summary>How the requests of a kind ended: those that were answered and those that were shed with their latencies, the others with their reasons.</summary>
internal sealed class Outcomes(int rate, int warmSeconds, int seconds)
{
    private readonly Latencies _answered = new(rate, warmSeconds, seconds);
    private readonly Latencies _shed = new(rate, warmSeconds, seconds);
    private readonly int[] _failures = new int[seconds];
    private readonly SortedDictionary<string, int> _reasons = new(StringComparer.Ordinal);

    /// <summary>Failed requests, those of the warm-up too.</summary>
    public int Failed { get; private set; }

    /// <summary>Shed requests, those of the warm-up too.</summary>
    public int Shed { get; private set; }

    public void Begin(long timestamp)
    {
        _answered.Begin(timestamp);
        _shed.Begin(timestamp);
    }

    public void AnsweredAt(long due, long now) => _answered.Add(due, now);

    public void ShedAt(long due, long now, string reason)
    {
        Shed++;
        _shed.Add(due, now);
        Count(reason);
    }

    public void FailedAt(long due, string reason)
    {
        Failed++;
        if (_answered.SecondOf(due) is >= 0 and var second && second < seconds)
            _failures[second]++;
        Count(reason);
    }

    /// <summary>
    /// Lines of: total or the second's beginning in milliseconds of Unix time, requests answered, failed, p50, p90, p99, p99.9 and longest
    /// in milliseconds.
    /// </summary>
    public void Print(TextWriter writer)
    {
        foreach (var second in Lines())
        {
            var latencies = _answered.Sorted(second);
            writer.WriteLine(string.Join('\t', Name(second), latencies.Length, Failures(second), Quantiles(latencies)));
        }
    }

    /// <summary>
    /// Lines of: kind, total or the number of the second, requests answered, failed, shed, p50, p90, p99, p99.9 and longest of those
    /// answered, p99 of those shed, in milliseconds. And of: kind, <c>why</c>, the number, the reason.
    /// </summary>
    public void Print(TextWriter writer, string kind)
    {
        foreach (var second in Lines())
        {
            var answered = _answered.Sorted(second);
            var shed = _shed.Sorted(second);
            var name = second?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "total";
            var count = second is null ? Shed : shed.Length;
            writer.WriteLine(
                string.Join('\t', kind, name, answered.Length, Failures(second), count, Quantiles(answered), Latencies.At(shed, 0.99))
            );
        }

        foreach (var (reason, count) in _reasons)
            writer.WriteLine($"{kind}\twhy\t{count}\t{reason}");
    }

    private static string Quantiles(int[] sorted) =>
        string.Join('\t', new[] { 0.5, 0.9, 0.99, 0.999, 1 }.Select(q => Latencies.At(sorted, q)));

    /// <summary>Each second, and null for the total.</summary>
    private IEnumerable<int?> Lines() => Enumerable.Range(0, seconds).Select(s => (int?)s).Append(null);

    private string Name(int? second) =>
        second is { } one ? _answered.Began(one).ToString(System.Globalization.CultureInfo.InvariantCulture) : "total";

    private int Failures(int? second) => second is { } one ? _failures[one] : Failed;

    private void Count(string reason) => _reasons[reason] = _reasons.GetValueOrDefault(reason) + 1;
}
