namespace Lintel.Transport.Memory;

/// <summary>
/// The memory that everything of one gateway that buffers may hold together. Who gets none refuses its request (503) instead of exhausting
/// the process.
/// </summary>
/// <remarks>
/// Counted is what is allocated (the length of a rented array, not of what lies in it). Blocks that only pass bytes through
/// (<see cref="Loop.Blocks"/>) are not counted: they are bounded by the connections. Thread rule: everything from any thread.
/// <see cref="Limit"/> may shrink below <see cref="Used"/>: nothing is taken back, new takers are refused until enough was given back.
/// </remarks>
internal sealed class MemoryBudget(long limit)
{
    private readonly long[] _usedBy = new long[Enum.GetValues<BufferUse>().Length];
    private readonly long[] _refusedBy = new long[Enum.GetValues<BufferUse>().Length];
    private long _limit = limit;
    private long _used;

    /// <summary>The most that may be held, in bytes.</summary>
    public long Limit
    {
        get => Volatile.Read(ref _limit);
        set => Volatile.Write(ref _limit, value);
    }

    /// <summary>What is held now, in bytes.</summary>
    public long Used => Volatile.Read(ref _used);

    /// <summary>What is held now for one use, in bytes.</summary>
    /// <param name="use">The use.</param>
    public long UsedBy(BufferUse use) => Volatile.Read(ref _usedBy[(int)use]);

    /// <summary>How often this use was refused.</summary>
    /// <param name="use">The use.</param>
    public long RefusedBy(BufferUse use) => Volatile.Read(ref _refusedBy[(int)use]);

    /// <summary>Takes memory before it is allocated.</summary>
    /// <param name="use">What it is for.</param>
    /// <param name="bytes">How much; not negative.</param>
    /// <returns><see langword="false"/>: nothing was taken, and the refusal is counted.</returns>
    public bool TryTake(BufferUse use, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        var used = Used;
        while (bytes == 0 || bytes <= Limit - used)
        {
            var seen = Interlocked.CompareExchange(ref _used, used + bytes, used);
            if (seen == used)
            {
                Interlocked.Add(ref _usedBy[(int)use], bytes);
                return true;
            }

            used = seen;
        }

        Interlocked.Increment(ref _refusedBy[(int)use]);
        return false;
    }

    /// <summary>Gives back what was taken.</summary>
    /// <param name="use">What it was for.</param>
    /// <param name="bytes">How much; not negative, and not more than was taken.</param>
    public void Give(BufferUse use, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        Interlocked.Add(ref _usedBy[(int)use], -bytes);
        Interlocked.Add(ref _used, -bytes);
    }
}
