namespace Lintel.Transport.Memory;

/// <summary>One owner's part of the budget: it grows and shrinks with a buffer, and ends with it.</summary>
/// <remarks>Thread rule: its owner's. A mutable struct: a field, never a copy.</remarks>
internal struct MemoryLease(MemoryBudget budget, BufferUse use) : IDisposable
{
    private long _held;

    /// <summary>The memory that the lease holds, in bytes.</summary>
    public readonly long Held => _held;

    /// <summary>Sets the size of the lease, larger or smaller than before.</summary>
    /// <param name="bytes">The total size, not the increment.</param>
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

    /// <summary>Returns all memory; the lease can be used again.</summary>
    public void Dispose()
    {
        if (_held > 0)
            budget.Give(use, _held);
        _held = 0;
    }
}
