namespace Lintel.Services.Health;

/// <summary>The attempts of the last moments, counted in ten parts of exact length: what has passed leaves by parts, not all at once.</summary>
/// <remarks>
/// Thread rule: any thread. A part that is begun anew while others count may lose a few counts, which is nothing beside the minimum that a
/// judgement needs.
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

    /// <summary>What is in the window.</summary>
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

    /// <summary>Forgets everything.</summary>
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
