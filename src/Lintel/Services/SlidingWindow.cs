namespace Lintel.Services;

/// <summary>
/// Counts recent events, some of them marked, in ten buckets of exact length, so that old events expire bucket by bucket.
/// </summary>
/// <remarks>
/// Thread rule: any thread. A bucket that is reset while others count may lose a few counts, which is negligible beside the numbers that a
/// decision requires.
/// </remarks>
internal sealed class SlidingWindow
{
    private const int Buckets = 10;

    private readonly long _ticksPerBucket;
    private readonly Bucket[] _buckets = [.. Enumerable.Range(0, Buckets).Select(_ => new Bucket())];

    /// <param name="length">The length of the window.</param>
    /// <param name="time">The clock whose timestamps are passed in.</param>
    public SlidingWindow(TimeSpan length, TimeProvider time) =>
        _ticksPerBucket = Math.Max(1, (long)(length.TotalSeconds / Buckets * time.TimestampFrequency));

    /// <summary>Counts an event.</summary>
    /// <param name="now">The clock's timestamp.</param>
    /// <param name="isMarked">Whether the event is marked: a failure, a retry.</param>
    public void Count(long now, bool isMarked)
    {
        var number = now / _ticksPerBucket;
        var bucket = _buckets[number % Buckets];
        bucket.Begin(number);
        Interlocked.Increment(ref bucket.All);
        if (isMarked)
            Interlocked.Increment(ref bucket.Marked);
    }

    /// <summary>Sums the window.</summary>
    /// <param name="now">The clock's timestamp.</param>
    public (int All, int Marked) Sum(long now)
    {
        var last = now / _ticksPerBucket;
        var (all, marked) = (0, 0);
        foreach (var bucket in _buckets)
        {
            if (Volatile.Read(ref bucket.Number) <= last - Buckets)
                continue;
            all += Volatile.Read(ref bucket.All);
            marked += Volatile.Read(ref bucket.Marked);
        }

        return (all, marked);
    }

    /// <summary>Clears the window.</summary>
    public void Clear()
    {
        foreach (var bucket in _buckets)
            Volatile.Write(ref bucket.Number, -1);
    }

    private sealed class Bucket
    {
        public long Number = -1;
        public int All;
        public int Marked;

        public void Begin(long number)
        {
            var old = Volatile.Read(ref Number);
            if (old == number || Interlocked.CompareExchange(ref Number, number, old) != old)
                return;
            Volatile.Write(ref All, 0);
            Volatile.Write(ref Marked, 0);
        }
    }
}
