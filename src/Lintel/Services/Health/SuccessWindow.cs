namespace Lintel.Services.Health;

/// <summary>Counts recent attempts in ten buckets of exact length, so that old attempts expire bucket by bucket.</summary>
/// <remarks>
/// Thread rule: any thread. A bucket that is reset while others count may lose a few counts, which is negligible beside the minimum number of
/// attempts that a decision requires.
/// </remarks>
internal sealed class SuccessWindow(TimeSpan length, TimeProvider time)
{
    private const int Parts = 10;

    private readonly long _ticksPerPart = Math.Max(1, (long)(length.TotalSeconds / Parts * time.TimestampFrequency));
    private readonly Part[] _parts = [.. Enumerable.Range(0, Parts).Select(_ => new Part())];

    /// <summary>Counts an attempt.</summary>
    public void Count(bool isFailure)
    {
        var number = time.GetTimestamp() / _ticksPerPart;
        var part = _parts[number % Parts];
        part.Begin(number);
        Interlocked.Increment(ref part.All);
        if (isFailure)
            Interlocked.Increment(ref part.Failed);
    }

    /// <summary>Sums the window.</summary>
    public (int All, int Failed) Sum()
    {
        var last = time.GetTimestamp() / _ticksPerPart;
        var (all, failed) = (0, 0);
        foreach (var part in _parts)
        {
            if (Volatile.Read(ref part.Number) <= last - Parts)
                continue;
            all += Volatile.Read(ref part.All);
            failed += Volatile.Read(ref part.Failed);
        }

        return (all, failed);
    }

    /// <summary>Clears the window.</summary>
    public void Clear()
    {
        foreach (var part in _parts)
            Volatile.Write(ref part.Number, -1);
    }

    private sealed class Part
    {
        public long Number = -1;
        public int All;
        public int Failed;

        public void Begin(long number)
        {
            var old = Volatile.Read(ref Number);
            if (old == number || Interlocked.CompareExchange(ref Number, number, old) != old)
                return;
            Volatile.Write(ref All, 0);
            Volatile.Write(ref Failed, 0);
        }
    }
}
