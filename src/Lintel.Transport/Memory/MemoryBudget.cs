namespace Lintel.Transport.Memory;

/// <summary>
/// The memory budget that all buffers of a gateway share. A request that gets no memory is refused (503) instead of exhausting the process.
/// </summary>
/// <remarks>
/// Allocated memory is counted (the length of a rented array, not of its content). Blocks that only pass bytes through (<see
/// cref="Loop.Blocks"/>) are not counted: they are bounded by the connections. Thread rule: all members from any thread.
/// <see cref="Limit"/> may shrink below <see cref="Used"/>: held memory is not reclaimed, and new requests are refused until enough has
/// been returned.
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

    /// <summary>The memory that is held, in bytes.</summary>
    public long Used => Volatile.Read(ref _used);

    /// <summary>The memory that is held for one use, in bytes.</summary>
    /// <param name="use">The use.</param>
    public long UsedBy(BufferUse use) => Volatile.Read(ref _usedBy[(int)use]);

    /// <summary>How often this use was refused.</summary>
    /// <param name="use">The use.</param>
    public long RefusedBy(BufferUse use) => Volatile.Read(ref _refusedBy[(int)use]);

    /// <summary>Reserves memory before it is allocated.</summary>
    /// <param name="use">The use of the memory.</param>
    /// <param name="bytes">How much; not negative.</param>
    /// <returns><see langword="false"/>: nothing was reserved, and the refusal is counted.</returns>
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

    /// <summary>Returns reserved memory.</summary>
    /// <param name="use">The use of the memory.</param>
    /// <param name="bytes">The number of bytes; not negative, and not more than was reserved.</param>
    public void Give(BufferUse use, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        Interlocked.Add(ref _usedBy[(int)use], -bytes);
        Interlocked.Add(ref _used, -bytes);
    }
}
