using System.Buffers;

namespace Lintel.Composition;

/// <summary>The bytes of a service's answer, in one pooled array. Grows by doubling: at most twice what came is held, and three times for the moment of growing.</summary>
internal sealed class AnswerBody : IBufferWriter<byte>
{
    /// <summary>Most parts of a composed answer are small.</summary>
    private const int UsualSize = 4096;

    /// <summary>What a service says about its length is believed up to here; beyond it the bytes have to come first.</summary>
    private const int LargestPromise = 1 << 20;

    private byte[]? _bytes;

    public int Length { get; private set; }

    public ReadOnlyMemory<byte> Memory => _bytes.AsMemory(0, Length);

    public ReadOnlySpan<byte> Span => _bytes.AsSpan(0, Length);

    /// <summary>Where the next bytes go.</summary>
    /// <param name="expected">How many are still to come, where that is known.</param>
    public Memory<byte> Room(long expected = UsualSize)
    {
        if (_bytes is null)
            _bytes = ArrayPool<byte>.Shared.Rent((int)Math.Clamp(expected, 1, LargestPromise));
        else if (Length == _bytes.Length)
            Grow(_bytes);
        return _bytes.AsMemory(Length);
    }

    public void Advance(int count) => Length += count;

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        while (_bytes is null || _bytes.Length - Length < Math.Max(1, sizeHint))
        {
            if (_bytes is null)
                _bytes = ArrayPool<byte>.Shared.Rent(Math.Max(UsualSize, sizeHint));
            else
                Grow(_bytes);
        }

        return _bytes.AsMemory(Length);
    }

    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    /// <summary>The last bytes are not wanted.</summary>
    public void TakeBack(int count) => Length -= count;

    /// <summary>Puts other bytes in the place of these.</summary>
    public void Replace(ReadOnlySpan<byte> bytes)
    {
        Release();
        _bytes = ArrayPool<byte>.Shared.Rent(Math.Max(1, bytes.Length));
        bytes.CopyTo(_bytes);
        Length = bytes.Length;
    }

    /// <summary>Gives the array back. Nothing may read it any more.</summary>
    public void Release()
    {
        if (_bytes is not null)
            ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = null;
        Length = 0;
    }

    private void Grow(byte[] full)
    {
        _bytes = ArrayPool<byte>.Shared.Rent((int)Math.Min(full.Length * 2L, Array.MaxLength));
        full.AsSpan().CopyTo(_bytes);
        ArrayPool<byte>.Shared.Return(full);
    }
}
