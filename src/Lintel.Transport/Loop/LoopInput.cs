using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Threading.Tasks.Sources;
using Microsoft.AspNetCore.Connections;

namespace Lintel.Transport.Loop;

/// <summary>
/// The input pipe of a client connection for Kestrel. Blocks are rented when data is available and returned when it was consumed: an idle
/// connection holds none.
/// </summary>
/// <remarks>Thread rule: one reader at a time, on any thread; <see cref="CancelPendingRead"/> from anywhere.</remarks>
internal sealed class LoopInput(ClientSocket socket) : PipeReader, IValueTaskSource<ReadResult>
{
    /// <summary>For uploads: fewer system calls; more made no difference (Kestrel's body reader copies 4 KiB at a time).</summary>
    private const int LargeBlock = 32 * 1024;

    private ManualResetValueTaskSourceCore<ReadResult> _read;
    private Block? _first;
    private Block? _last;
    private Block? _spare; // without its bytes: most connections need one block at a time
    private int _start;
    private int _nextBlock = Blocks.Size;
    private bool _hasUnexamined;
    private bool _isCompleted;
    private Exception? _failure;
    private int _isCanceled;
    private volatile bool _isCanceledByToken;
    private CancellationToken _token;
    private CancellationTokenRegistration _tokenRegistration;

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (TryRead(out var result))
            return new(result);
        if (_isCompleted)
            return new(TakeResult());
        _isCanceledByToken = false;
        _read.Reset();
        var version = _read.Version;
        if (cancellationToken.CanBeCanceled)
        {
            // Before the wait begins: after it, the loop may have ended it already, and the registration would cancel a later one.
            _token = cancellationToken;
            _tokenRegistration = cancellationToken.UnsafeRegister(static input => ((LoopInput)input!).CancelByToken(), this);
        }

        while (socket.BeginReceive())
        {
            if (!Receive() && !_isCanceledByToken)
                continue;
            _tokenRegistration.Dispose();
            _tokenRegistration = default;
            return new(TakeResult());
        }

        return new(this, version);
    }

    public override bool TryRead(out ReadResult result)
    {
        if (!_hasUnexamined && !_isCompleted && Volatile.Read(ref _isCanceled) == 0)
        {
            result = default;
            return false;
        }

        result = TakeResult();
        return true;
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        if (_last is null)
            return;
        _hasUnexamined = examined.GetObject() != _last || examined.GetInteger() < _last.Length;
        var block = (Block)consumed.GetObject()!;
        while (_first != block)
        {
            var done = _first!;
            _first = (Block?)done.Next;
            Return(done);
        }

        _start = consumed.GetInteger();
        if (_first == _last && _start == _last.Length)
            Release();
    }

    public override void CancelPendingRead()
    {
        Interlocked.Exchange(ref _isCanceled, 1);
        socket.WakeInput();
    }

    public override void Complete(Exception? exception = null) => Release();

    /// <summary>Gives the blocks back.</summary>
    public void Release()
    {
        for (var block = _first; block is not null; )
        {
            var next = (Block?)block.Next;
            Return(block);
            block = next;
        }

        _first = _last = null;
        _start = 0;
        _hasUnexamined = false;
    }

    /// <summary>The reader waited, and bytes have come, or the end, or a cancellation.</summary>
    public void BecameReadable()
    {
        do
        {
            if (!Receive() && Volatile.Read(ref _isCanceled) == 0 && !_isCanceledByToken)
                continue;
            CompleteRead();
            return;
        } while (socket.BeginReceive());
    }

    ReadResult IValueTaskSource<ReadResult>.GetResult(short token) => _read.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<ReadResult>.GetStatus(short token) => _read.GetStatus(token);

    void IValueTaskSource<ReadResult>.OnCompleted(
        Action<object?> continuation,
        object? state,
        short token,
        ValueTaskSourceOnCompletedFlags flags
    ) => _read.OnCompleted(continuation, state, token, flags);

    private void CancelByToken()
    {
        _isCanceledByToken = true;
        socket.WakeInput();
    }

    private void CompleteRead()
    {
        ReadResult result;
        _tokenRegistration.Dispose(); // waits for one that is under way: it would cancel the next read
        _tokenRegistration = default;
        try
        {
            result = TakeResult();
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            _read.SetException(e);
            return;
        }

        _read.SetResult(result);
    }

    private ReadResult TakeResult()
    {
        if (_isCanceledByToken)
        {
            _isCanceledByToken = false;
            throw new OperationCanceledException(_token);
        }

        var canceled = Volatile.Read(ref _isCanceled) == 1 && Interlocked.Exchange(ref _isCanceled, 0) == 1;
        if (_failure is { } failure && !_hasUnexamined && !canceled)
            throw failure is ConnectionAbortedException ? failure : new ConnectionResetException(failure.Message, failure);
        var buffer = _first is null ? ReadOnlySequence<byte>.Empty : new ReadOnlySequence<byte>(_first, _start, _last!, _last!.Length);
        return new ReadResult(buffer, canceled, _isCompleted);
    }

    /// <returns>Whether there is a result.</returns>
    private bool Receive()
    {
        var room = Room();
        int count;
        try
        {
            count = socket.TryReceive(room);
            if (count == 0 && socket.AbortReason is { } reason)
                _failure = reason;
        }
        catch (SocketException e)
        {
            _failure = socket.AbortReason ?? e;
            count = 0;
        }

        if (count < 0)
        {
            if (_first == _last && _last!.Length == _start)
                Release();
            return false;
        }

        if (count == 0)
        {
            _isCompleted = true;
        }
        else
        {
            _nextBlock = count == room.Length ? LargeBlock : Blocks.Size;
            _last!.Grow(count);
            _hasUnexamined = true;
        }

        return true;
    }

    /// <summary>The free space for the next bytes: after the buffered data, or in a new block if little space is left.</summary>
    private Span<byte> Room()
    {
        if (_last is null)
            _first = _last = NewBlock(null);
        else if (_last.Free.Length < Blocks.Size / 8)
            _last = NewBlock(_last);
        return _last.Free;
    }

    private Block NewBlock(Block? before)
    {
        var block = _spare ?? new Block();
        _spare = null;
        block.Rent(_nextBlock, before);
        return block;
    }

    private void Return(Block block)
    {
        block.Return();
        _spare = block;
    }

    private sealed class Block : ReadOnlySequenceSegment<byte>
    {
        private byte[] _array = [];

        public void Rent(int size, Block? before)
        {
            _array = Blocks.Rent(size);
            if (before is null)
                return;
            RunningIndex = before.RunningIndex + before.Length;
            before.Next = this;
        }

        public int Length { get; private set; }

        public Span<byte> Free => _array.AsSpan(Length);

        public void Grow(int count)
        {
            Length += count;
            Memory = _array.AsMemory(0, Length);
        }

        public void Return()
        {
            Blocks.Return(_array);
            _array = [];
            Memory = default;
            Next = null;
            RunningIndex = 0;
            Length = 0;
        }
    }
}
