using System.Text;
using Lintel.Transport.Loop;

namespace Lintel.Transport.Http1;

/// <summary>The send buffer. Grows on demand and holds no memory after it was released.</summary>
internal sealed class SendBuffer
{
    private byte[]? _bytes;
    private int _count;

    public bool IsEmpty => _count == 0;

    public ReadOnlyMemory<byte> Written => _bytes.AsMemory(0, _count);

    /// <summary>ASCII or Latin-1 text: bytes are forwarded unchanged.</summary>
    public void Append(string text)
    {
        Reserve(text.Length);
        _count += Encoding.Latin1.GetBytes(text, _bytes.AsSpan(_count));
    }

    public void Append(ReadOnlySpan<byte> bytes)
    {
        Reserve(bytes.Length);
        bytes.CopyTo(_bytes.AsSpan(_count));
        _count += bytes.Length;
    }

    public void Clear() => _count = 0;

    public void Release()
    {
        if (_bytes is not null)
            Blocks.Return(_bytes);
        _bytes = null;
        _count = 0;
    }

    private void Reserve(int count)
    {
        if (_bytes is null)
        {
            _bytes = Blocks.Rent(count);
        }
        else if (_bytes.Length - _count < count)
        {
            var larger = Blocks.Rent(Math.Max(_bytes.Length * 2, _count + count));
            _bytes.AsSpan(0, _count).CopyTo(larger);
            Blocks.Return(_bytes);
            _bytes = larger;
        }
    }
}
