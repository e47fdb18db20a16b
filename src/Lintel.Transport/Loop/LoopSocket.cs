using System.Net.Sockets;

namespace Lintel.Transport.Loop;

/// <summary>
/// A socket whose readiness is reported by an event loop. Receiving and sending are tried immediately, on any thread; only waiting
/// continues on the loop's thread.
/// </summary>
/// <remarks>
/// <para>
/// For each direction a word says what is known: nothing (<see cref="Unknown"/>), that an event has come (<see cref="Ready"/>), or that
/// somebody waits for one (<see cref="Waiting"/>). The loop exchanges it for Ready, and calls who waited; who wants to wait moves it from
/// Unknown to Waiting, which fails where an event came between. So no edge is lost, without a lock.
/// </para>
/// <para>Thread rule: one reader and one writer at a time, each on any thread; <see cref="Abort"/> from anywhere.</para>
/// </remarks>
public abstract class LoopSocket
{
    private const int Unknown = 0;
    private const int Ready = 1;
    private const int Waiting = 2;

    /// <summary>
    /// How often in a row one socket may be read without going back to the loop: a fast sender must not keep the loop from its neighbours
    /// and its timers.
    /// </summary>
    private const int MaxTurns = 16;

    /// <summary>
    /// Bytes that count as one more read (16 KiB, as a power of two): some 200 KiB are read in a row, which take less than a millisecond to
    /// forward.
    /// </summary>
    private const int TurnBytesLog = 14;

    /// <summary>What <see cref="TryReceive"/> and <see cref="TrySend"/> give when they would have to wait.</summary>
    protected const int WouldBlock = -1;

    private readonly int _descriptor;
    private readonly RedispatchWork _again;
    private int _reading;
    private int _writing;
    private int _turns;
    private volatile bool _hasEnded;
    private volatile bool _isReset;
    private volatile bool _isSending;
    private volatile int _broken;
    private int _isClosed;
    private int _isReleased;
    private bool _resets;

    /// <param name="loop">The loop that reports the readiness of the socket.</param>
    /// <param name="socket">Owned from now on.</param>
    protected LoopSocket(EventLoop loop, Socket socket)
    {
        Loop = loop;
        Socket = socket;
        _descriptor = (int)socket.SafeHandle.DangerousGetHandle();
        _again = new RedispatchWork(this);
    }

    /// <summary>The loop of the socket.</summary>
    public EventLoop Loop { get; }

    internal uint Generation { get; set; }

    private protected Socket Socket { get; }

    /// <summary>Whether the peer has ended, or reset, the connection; bytes may still be there to be read.</summary>
    protected bool HasEnded => _hasEnded;

    /// <summary>Whether both directions have ended: the peer has reset the connection.</summary>
    protected bool IsReset => _isReset;

    /// <summary>Whether it was closed here.</summary>
    protected bool IsClosed => Volatile.Read(ref _isClosed) == 1;

    /// <summary>Whether this is the loop's thread, which alone closes the socket while the loop runs.</summary>
    private bool IsOnLoop => EventLoop.Current == Loop;

    /// <summary>Whether the socket can be used without protection against concurrent closing.</summary>
    private bool IsAlone => Libc.HasNumbers && IsOnLoop;

    /// <summary>Shuts down both directions immediately and wakes waiters.</summary>
    public abstract void Abort(Exception? reason);

    internal void Register() => Loop.Register(this, _descriptor);

    /// <summary>An event has come. On the loop's thread.</summary>
    internal void Dispatch(uint flags)
    {
        _turns = 0;
        if ((flags & (Libc.EpollRdHup | Libc.EpollHup | Libc.EpollErr)) != 0)
        {
            _isReset |= (flags & (Libc.EpollHup | Libc.EpollErr)) != 0;
            _hasEnded = true;
            flags |= Libc.EpollIn | Libc.EpollOut;
        }

        // The writer first: it gives its buffers back before the reader takes some.
        if ((flags & Libc.EpollOut) != 0 && Volatile.Read(ref _writing) != Ready && Interlocked.Exchange(ref _writing, Ready) == Waiting)
            OnWritable();
        if ((flags & Libc.EpollIn) != 0)
            BecomeReadable();
        if (_hasEnded)
            OnEnded();
    }

    /// <summary>Receives if there may be something; with 0 the peer has ended.</summary>
    /// <returns><see cref="WouldBlock"/> when there is nothing.</returns>
    /// <exception cref="SocketException">The connection is broken.</exception>
    protected int TryReceive(Span<byte> buffer)
    {
        if (IsClosed)
            throw new SocketException((int)SocketError.OperationAborted);
        Interlocked.Exchange(ref _reading, Unknown); // before receiving: an event that comes during it says that there is more
        int count;
        try
        {
            count = IsAlone ? Libc.Receive(_descriptor, buffer) : Libc.Receive(Socket.SafeHandle, buffer);
        }
        catch (ObjectDisposedException)
        {
            throw new SocketException((int)SocketError.OperationAborted);
        }

        if (count == buffer.Length || (_hasEnded && count >= 0))
            // a short read has emptied the socket: epoll(7); after the end no event comes, and it can be read again and again
            Interlocked.CompareExchange(ref _reading, Ready, Unknown);
        if (count == 0)
            ThrowIfBroken();
        _turns += Math.Max(0, count) >> TurnBytesLog;
        if (count >= 0)
            return count;
        return count == -Libc.Eagain ? WouldBlock : throw Libc.Failure(-count);
    }

    /// <summary>
    /// Whether data may be available and it is still the reader's turn, for a reader that receives until <see cref="BeginReceive"/> makes
    /// it wait.
    /// </summary>
    protected bool TakeTurn() => IsReadable && ++_turns <= MaxTurns;

    /// <summary>Whether to receive now. Otherwise <see cref="OnReadable"/> is called, perhaps before this returns.</summary>
    protected bool BeginReceive()
    {
        if (++_turns > MaxTurns)
        {
            Interlocked.Exchange(ref _reading, Waiting);
            Loop.Post(_again);
            return false;
        }

        return Interlocked.CompareExchange(ref _reading, Waiting, Unknown) != Unknown;
    }

    /// <summary>Whether something may be there to be received.</summary>
    protected bool IsReadable => Volatile.Read(ref _reading) == Ready;

    /// <summary>Sends as much as the system accepts.</summary>
    /// <returns><see cref="WouldBlock"/> if it accepts nothing now.</returns>
    /// <exception cref="SocketException">The connection is broken.</exception>
    protected int TrySend(ReadOnlySpan<byte> buffer)
    {
        if (IsClosed)
            throw new SocketException((int)SocketError.OperationAborted);
        int count;
        _isSending = true;
        try
        {
            count = IsAlone ? Libc.Send(_descriptor, buffer) : Libc.Send(Socket.SafeHandle, buffer);
            if (count < 0 && count != -Libc.Eagain && count != -Libc.EPipe)
                _broken = -count;
        }
        catch (ObjectDisposedException)
        {
            throw new SocketException((int)SocketError.OperationAborted);
        }
        finally
        {
            _isSending = false;
        }

        if (count >= 0)
            return count;
        return count == -Libc.Eagain ? WouldBlock : throw Libc.Failure(-count);
    }

    /// <summary>
    /// After <see cref="WouldBlock"/>: whether to try again now. Otherwise <see cref="OnWritable"/> is called, perhaps before this returns.
    /// </summary>
    protected bool BeginSend()
    {
        if (Interlocked.CompareExchange(ref _writing, Waiting, Unknown) == Unknown)
            return false;
        Interlocked.Exchange(ref _writing, Unknown); // every event says "writable" too: once again, and then wait
        return true;
    }

    /// <summary>The waiting reader can receive. On the loop's thread.</summary>
    protected abstract void OnReadable();

    /// <summary>The waiting writer can send. On the loop's thread.</summary>
    protected abstract void OnWritable();

    /// <summary>Data is available, and there is no waiting reader. On the loop's thread.</summary>
    protected virtual void OnBecameReadable() { }

    /// <summary>
    /// The peer has closed or reset the connection. On the loop's thread, after the reader was notified; may be called more than once.
    /// </summary>
    protected abstract void OnEnded();

    /// <summary>Wakes the waiting reader, on the loop's thread, as if data had arrived.</summary>
    private protected void WakeReader() => Loop.Post(_again);

    /// <summary>Ends both directions in the kernel: whoever waits is woken by the events that this makes.</summary>
    private protected void ShutDown(SocketShutdown how)
    {
        try
        {
            Socket.Shutdown(how);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It was never connected, or is closed.
        }
    }

    /// <summary>Closes the socket, once.</summary>
    /// <param name="resets">Whether to reset the connection and discard unsent data.</param>
    /// <returns>Whether this call did it.</returns>
    private protected bool Close(bool resets)
    {
        if (Interlocked.Exchange(ref _isClosed, 1) == 1)
            return false;
        _resets = resets;
        Loop.Forget(this, _descriptor);

        // On the loop's thread nobody is receiving: .NET resets a connection whose socket is in use while it is closed.
        if (IsOnLoop || !Loop.Post(_again))
            CloseSocket();
        return true;
    }

    /// <summary>On the loop's thread, or after its end; work that was posted before may call it again.</summary>
    private void CloseSocket()
    {
        if (Interlocked.Exchange(ref _isReleased, 1) == 1)
            return;
        try
        {
            if (_resets)
                Socket.LingerState = new LingerOption(true, 0);
        }
        catch (SocketException)
        {
            // A Unix socket, or one that is broken already.
        }

        Socket.Dispose();

        // No event comes any more: who still waits learns that it is over.
        if (Interlocked.Exchange(ref _writing, Ready) == Waiting)
            OnWritable();
        if (Interlocked.Exchange(ref _reading, Ready) == Waiting)
            OnReadable();
    }

    /// <summary>
    /// The system reports a reset once: if the writer gets it first, the reader sees a regular end of the stream. A broken pipe is
    /// different: the peer had already closed.
    /// </summary>
    private void ThrowIfBroken()
    {
        SpinWait spin = default;
        while (_isSending)
            spin.SpinOnce(); // it may have taken the error, and not have said so yet
        if (_broken != 0)
            throw Libc.Failure(_broken);
    }

    private void BecomeReadable()
    {
        if (Interlocked.Exchange(ref _reading, Ready) == Waiting)
            OnReadable();
        else
            OnBecameReadable();
    }

    private sealed class RedispatchWork(LoopSocket socket) : ILoopWork
    {
        public void Run()
        {
            if (socket.IsClosed)
            {
                socket.CloseSocket();
                return;
            }

            socket._turns = 0;
            socket.BecomeReadable();
        }
    }
}
