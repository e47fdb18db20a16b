namespace Lintel.Transport.Tests.Http1.Fuzz;

/// <summary>
/// A connection without a network: what is sent is forgotten, what is received was decided before. Everything completes at once.
/// </summary>
internal sealed class SegmentedStream : Stream
{
    private byte[] _bytes = [];
    private int[] _cuts = [];
    private int _at;
    private int _piece;
    private int _left;

    public bool IsDisposed { get; private set; }

    /// <summary>The number of reads. More than there are bytes means that the reader loops.</summary>
    public int Reads { get; private set; }

    public bool IsAtEnd => _at == _bytes.Length;

    public override bool CanRead => true;

    public override bool CanWrite => true;

    public override bool CanSeek => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>The next answer.</summary>
    public void Load(byte[] bytes, int[] cuts)
    {
        (_bytes, _cuts, _at, _piece, _left, Reads) = (bytes, cuts, 0, 0, 0, 0);
    }

    public override int Read(Span<byte> buffer)
    {
        if (++Reads > (2 * _bytes.Length) + 100)
            throw new InvalidOperationException("The reader runs in circles.");
        if (buffer.IsEmpty || _at == _bytes.Length)
            return 0;
        if (_left == 0)
            _left = _cuts.Length == 0 ? int.MaxValue : _cuts[_piece++ % _cuts.Length];
        var count = Math.Min(Math.Min(buffer.Length, _bytes.Length - _at), _left);
        _bytes.AsSpan(_at, count).CopyTo(buffer);
        _at += count;
        _left -= count;
        return count;
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(Read(buffer.Span));

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        Task.FromResult(Read(buffer.AsSpan(offset, count)));

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => default;

    public override void Write(byte[] buffer, int offset, int count) { }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => Task.CompletedTask;

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override void Flush() { }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        IsDisposed = true;
        base.Dispose(disposing);
    }
}
