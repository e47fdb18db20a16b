namespace Lintel.Transport.Memory;

/// <summary>One owner's part of the budget: it grows and shrinks with a buffer, and ends with it.</summary>
/// <remarks>Thread rule: its owner's. A mutable struct: a field, never a copy.</remarks>
internal struct MemoryLease(MemoryBudget budget, BufferUse use) : IDisposable
{
    private long _held;

    /// <summary>What is held, in bytes.</summary>
    public readonly long Held => _held;

    /// <summary>Holds as much as asked from now on, be it more or less than before.</summary>
    /// <param name="bytes">The whole of it, not what is added.</param>
    /// <returns><see langword="false"/>: the budget has no more; what was held is held as before.</returns>
    public bool TryHold(long bytes)
    {
        if (bytes > _held && !budget.TryTake(use, bytes - _held))
            return false;
        if (bytes < _held)
            budget.Give(use, _held - bytes);
        _held = bytes;
        return true;
    }

    /// <summary>Gives everything back; the lease may hold again.</summary>
    public void Dispose()
    {
        if (_held > 0)
            budget.Give(use, _held);
        _held = 0;
    }
}
