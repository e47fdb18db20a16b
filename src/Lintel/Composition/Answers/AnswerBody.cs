using System.Buffers;
using Lintel.Transport.Memory;

namespace Lintel.Composition.Answers;

/// <summary>
/// Bytes that are kept as a whole, in one array that grows by doubling: at most twice what came is held, and three times for the moment of
/// growing. They are taken from the budget before they are allocated.
/// </summary>
/// <remarks>Thread rule: its owner's.</remarks>
internal sealed class AnswerBody : IBufferWriter<byte>
{
    /// <summary>Most parts of a composed answer are small.</summary>
    private const int UsualSize = 4096;

    /// <summary>What a service says about its length is believed up to here; beyond it the bytes have to come first.</summary>
    private const int LargestPromise = 1 << 20;

    /// <summary>
    /// Larger arrays are the collector's: the shared pool would keep 32 of each size for each core, for a minute, and the budget would not
    /// know of them.
    /// </summary>
    private const int LargestPooled = 64 * 1024;

    private byte[]? _bytes;
    private MemoryLease _lease;
    private long _beside;
    private bool _isCounted;

    public int Length { get; private set; }

    public ReadOnlyMemory<byte> Memory => _bytes.AsMemory(0, Length);

    public ReadOnlySpan<byte> Span => _bytes.AsSpan(0, Length);

    /// <summary>From now on it takes its memory from the budget, and what it has already; a second time it does nothing.</summary>
    /// <exception cref="InsufficientMemoryException">The budget has no more.</exception>
    public void TakeFrom(MemoryBudget budget, BufferUse use = BufferUse.Answer)
    {
        if (_isCounted)
            return;
        _lease = new MemoryLease(budget, use);
        _isCounted = true;
        Hold(_bytes?.Length ?? 0);
    }

    /// <summary>
    /// Takes more memory for what is made of the bytes beside them: a document that points into them. Given back with them. Two who read
    /// the same bytes may ask at once.
    /// </summary>
    /// <exception cref="InsufficientMemoryException">The budget has no more.</exception>
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

    /// <summary>Where the next bytes go.</summary>
    /// <param name="expected">How many are still to come, where that is known.</param>
    /// <exception cref="InsufficientMemoryException">The budget has no more.</exception>
    public Memory<byte> Room(long expected = UsualSize)
    {
        if (_bytes is null)
            Allocate((int)Math.Clamp(expected, 1, LargestPromise));
        else if (Length == _bytes.Length)
            Grow(_bytes, Length + 1L);
        return _bytes.AsMemory(Length);
    }

    public void Advance(int count) => Length += count;

    /// <exception cref="InsufficientMemoryException">The budget has no more.</exception>
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

    /// <summary>The last bytes are not wanted.</summary>
    public void TakeBack(int count) => Length -= count;

    /// <summary>Puts other bytes in the place of these.</summary>
    /// <exception cref="InsufficientMemoryException">The budget has no more.</exception>
    public void Replace(ReadOnlySpan<byte> bytes)
    {
        Release();
        Allocate(Math.Max(1, bytes.Length));
        bytes.CopyTo(_bytes);
        Length = bytes.Length;
    }

    /// <summary>Gives everything back. Nothing may read it any more.</summary>
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

    /// <summary>What an array that holds so much takes: those of the pool are powers of two.</summary>
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
