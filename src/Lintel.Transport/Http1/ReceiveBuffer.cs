using Lintel.Transport.Loop;

namespace Lintel.Transport.Http1;

/// <summary>Received data that was not read yet. Holds no memory after it was released.</summary>
internal sealed class ReceiveBuffer
{
    /// <summary>The size of the buffer for small chunks.</summary>
    private const int LargeSize = 32 * 1024;

    private byte[]? _bytes;
    private int _start;
    private int _end;
    private int _scanned;

    public bool IsEmpty => _start == _end;

    public ReadOnlySpan<byte> Unread => _bytes.AsSpan(_start, _end - _start);

    /// <summary>Bytes in the lines since <see cref="StartScan"/>.</summary>
    public int Scanned => _scanned - _start;

    /// <summary>Lines are looked for from here on.</summary>
    public void StartScan() => _scanned = _start;

    /// <summary>The next whole line, without its line feed. Bytes that were looked at are not looked at again when more come.</summary>
    public bool NextLine(out ReadOnlySpan<byte> line)
    {
        var rest = _bytes.AsSpan(_scanned, _end - _scanned);
        var length = rest.IndexOf((byte)'\n');
        line = length < 0 ? default : rest[..length];
        _scanned += length + 1;
        return length >= 0;
    }

    /// <summary>The lines are done with.</summary>
    public void TakeScanned() => _start = _scanned;

    public int Take(Span<byte> into)
    {
        var count = Math.Min(into.Length, _end - _start);
        _bytes.AsSpan(_start, count).CopyTo(into);
        _start += count;
        return count;
    }

    /// <summary>The next bytes, where they are. They stay until the buffer is released or has to make room.</summary>
    public ReadOnlyMemory<byte> TakeInPlace(int count)
    {
        var taken = _bytes.AsMemory(_start, count);
        _start += count;
        return taken;
    }

    public void Skip(int count) => _start += count;

    /// <summary>Where the next bytes go.</summary>
    public Memory<byte> Room()
    {
        if (_start == _end)
            _start = _end = _scanned = 0;
        if (_bytes is null)
            _bytes = Blocks.Rent();
        else if (_end == _bytes.Length)
            MakeRoom(_bytes);
        return _bytes.AsMemory(_end);
    }

    public void Received(int count) => _end += count;

    public void Release()
    {
        if (_bytes is not null)
            Blocks.Return(_bytes);
        _bytes = null;
        _start = _end = _scanned = 0;
    }

    private void MakeRoom(byte[] old)
    {
        var count = _end - _start;
        var larger = count < old.Length / 2 ? old : Blocks.Rent(Math.Max(LargeSize, old.Length * 2));
        old.AsSpan(_start, count).CopyTo(larger);
        if (larger != old)
            Blocks.Return(old);
        _bytes = larger;
        _scanned -= _start;
        _start = 0;
        _end = count;
    }
}
