using System.Buffers;
using Lintel.Transport.Memory;

namespace Lintel.Composition.Answers;

/// <summary>
/// Holds a complete body in one array that grows by doubling: it uses at most twice the received length, and three times while growing. The
/// memory is taken from the budget before it is allocated.
/// </summary>
/// <remarks>Thread rule: used by its owner only.</remarks>
internal sealed class AnswerBody : IBufferWriter<byte>
{
    /// <summary>The initial size: most parts of a composed answer are small.</summary>
    private const int UsualSize = 4096;

    /// <summary>The largest announced length that is allocated in advance; beyond it the bytes have to arrive first.</summary>
    private const int LargestPromise = 1 << 20;

    /// <summary>
    /// The largest array that is pooled. Larger arrays are left to the garbage collector: the shared pool would keep 32 of each size per
    /// core, for a minute, unknown to the budget.
    /// </summary>
    private const int LargestPooled = 64 * 1024;

    private byte[]? _bytes;
    private MemoryLease _lease;
    private long _beside;
    private bool _isCounted;

    public int Length { get; private set; }

    public ReadOnlyMemory<byte> Memory => _bytes.AsMemory(0, Length);

    public ReadOnlySpan<byte> Span => _bytes.AsSpan(0, Length);

    /// <summary>Takes memory from the budget from now on, including for what is already held; a second call has no effect.</summary>
    /// <exception cref="InsufficientMemoryException">The budget is exhausted.</exception>
    public void TakeFrom(MemoryBudget budget, BufferUse use = BufferUse.Answer)
    {
        if (_isCounted)
            return;
        _lease = new MemoryLease(budget, use);
        _isCounted = true;
        Hold(_bytes?.Length ?? 0);
    }

    /// <summary>
    /// Reserves memory for an object that is derived from the bytes, such as a document that points into them. It is released with them.
    /// Two readers of the same bytes may call concurrently.
    /// </summary>
    /// <exception cref="InsufficientMemoryException">The budget is exhausted.</exception>
    public void HoldBeside(long bytes)
    {
        if (_bytes is not { } array || bytes == 0)
            return;
        lock (array)
        {
            _beside += bytes;
            if (TryHold(array.Length))
                return;
            _beside -= bytes;
        }

        throw Refused();
    }

    /// <summary>Returns room for the next bytes.</summary>
    /// <param name="expected">How many are still to come, if known.</param>
    /// <exception cref="InsufficientMemoryException">The budget is exhausted.</exception>
    public Memory<byte> Room(long expected = UsualSize)
    {
        if (_bytes is null)
            Allocate((int)Math.Clamp(expected, 1, LargestPromise));
        else if (Length == _bytes.Length)
            Grow(_bytes, Length + 1L);
        return _bytes.AsMemory(Length);
    }

    public void Advance(int count) => Length += count;

    /// <exception cref="InsufficientMemoryException">The budget is exhausted.</exception>
    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        var needed = (long)Length + Math.Max(1, sizeHint);
        if (_bytes is null)
            Allocate(Math.Max(UsualSize, sizeHint));
        else if (_bytes.Length < needed)
            Grow(_bytes, needed);
        return _bytes.AsMemory(Length);
    }

    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    /// <summary>Replaces the bytes.</summary>
    /// <exception cref="InsufficientMemoryException">The budget is exhausted.</exception>
    public void Replace(ReadOnlySpan<byte> bytes)
    {
        Release();
        Allocate(Math.Max(1, bytes.Length));
        bytes.CopyTo(_bytes);
        Length = bytes.Length;
    }

    /// <summary>Releases all memory. The bytes must not be read afterwards.</summary>
    public void Release()
    {
        if (_bytes is not null)
            Return(_bytes);
        _bytes = null;
        _beside = 0;
        Length = 0;
        Hold(0);
    }

    private static InsufficientMemoryException Refused() => new("limits.memory is reached");

    private void Allocate(int size)
    {
        Hold(Size(size));
        _bytes = Rent(size);
    }

    private void Grow(byte[] full, long needed)
    {
        var size = (int)Math.Min(Math.Max(full.Length * 2L, needed), Array.MaxLength);
        if (size < needed)
            throw Refused();
        Hold(full.Length + Size(size));
        _bytes = Rent(size);
        full.AsSpan(0, Length).CopyTo(_bytes);
        Return(full);
        Hold(_bytes.Length);
    }

    private void Hold(long bytes)
    {
        if (!TryHold(bytes))
            throw Refused();
    }

    private bool TryHold(long bytes) => !_isCounted || _lease.TryHold(bytes + _beside);

    /// <summary>Returns the memory of an array of this capacity: pooled arrays are powers of two.</summary>
    private static long Size(int size) =>
        size > LargestPooled ? size : (long)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, size));

    private static byte[] Rent(int size) =>
        size > LargestPooled ? GC.AllocateUninitializedArray<byte>(size) : ArrayPool<byte>.Shared.Rent(size);

    private static void Return(byte[] array)
    {
        if (array.Length <= LargestPooled)
            ArrayPool<byte>.Shared.Return(array);
    }
}
