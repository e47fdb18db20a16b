using System.Net;
using System.Net.Sockets;
using System.Threading.Tasks.Sources;

namespace Lintel.Transport.Loop;

/// <summary>A connection to a server, made and watched by a loop.</summary>
/// <remarks>Thread rule: one read and one write at a time, each on any thread; <see cref="Abort(Exception?)"/> from anywhere.</remarks>
public sealed class LoopStream : Stream
{
    private readonly ServerSocket _socket;

    private LoopStream(ServerSocket socket) => _socket = socket;

    /// <summary>The loop on whose thread waits complete.</summary>
    public EventLoop Loop => _socket.Loop;

    /// <summary>
    /// Called on the loop's thread when the connection becomes readable without a pending read: the server closed it, or sent unsolicited
    /// data.
    /// </summary>
    public Action? BecameReadable
    {
        get => _socket.BecameReadable;
        set => _socket.BecameReadable = value;
    }

    /// <summary>
    /// Whether <see cref="HasBecomeReadable"/> may be true: if no event has occurred since the last read, it is false, and no system call
    /// is needed.
    /// </summary>
    internal bool MayHaveBecomeReadable => _socket.MayHaveBecomeReadable && _socket.HasBecomeReadable;

    /// <summary>Whether <see cref="TryRead"/> would make a system call.</summary>
    internal bool IsReadable => _socket.MayBeRead;

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Connects to an address. A wait that is canceled closes the socket.</summary>
    /// <param name="loop">The event loop of the connection.</param>
    /// <param name="address">An IP address and port, or a Unix socket.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="SocketException">There is no connection to be had.</exception>
    public static async ValueTask<LoopStream> ConnectAsync(EventLoop loop, EndPoint address, CancellationToken cancellation)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Unspecified);
        ServerSocket? server = null;
        try
        {
            socket.Blocking = false;
            if (address is IPEndPoint)
                socket.NoDelay = true;
            server = new ServerSocket(loop, socket);
            var bytes = address.Serialize();
            var error = Libc.Connect(socket.SafeHandle, bytes.Buffer.Span[..bytes.Size]);
            server.Register();
            if (error == Libc.EInProgress)
                await server.ConnectedAsync(cancellation).ConfigureAwait(false);
            else if (error != 0)
                throw Libc.Failure(error);
            return new LoopStream(server);
        }
        catch
        {
            server?.Dispose();
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Shuts down both directions; waiters fail with the reason.</summary>
    public void Abort(Exception? reason) => _socket.Abort(reason);

    /// <summary>Shuts down sending; the server may continue to send.</summary>
    public void EndSending() => _socket.EndSending();

    /// <summary>
    /// Whether there is unread data, or the server has closed the connection. Makes a system call: for a connection that is about to be
    /// reused.
    /// </summary>
    public bool HasBecomeReadable => _socket.HasBecomeReadable;

    /// <summary>
    /// Reads available data without waiting. <see cref="ReadAsync(Memory{byte}, CancellationToken)"/> with an empty buffer waits until data
    /// is available.
    /// </summary>
    /// <returns>
    /// 0 at the end; -1 if no data is available, or if so much was read in a row that other connections of the loop have their turn first:
    /// wait.
    /// </returns>
    /// <exception cref="IOException">The connection is broken or cut off.</exception>
    public int TryRead(Span<byte> buffer) => _socket.TryRead(buffer);

    /// <summary>
    /// Waits until <see cref="TryRead"/> has a result: data, the end, or the error of the connection. The wait itself never fails, and its
    /// result has no meaning.
    /// </summary>
    public ValueTask<int> WaitReadableAsync() => _socket.WaitReadableAsync();

    /// <inheritdoc/>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        _socket.ReadAsync(buffer, cancellationToken);

    /// <inheritdoc/>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
        _socket.WriteAsync(buffer, cancellationToken);

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public override void Flush() { }

    /// <summary>Not supported: a loop never blocks.</summary>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <summary>Not supported: a loop never blocks.</summary>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _socket.Dispose();
        base.Dispose(disposing);
    }

    private sealed class ServerSocket(EventLoop loop, Socket socket) : LoopSocket(loop, socket), IValueTaskSource<int>, IValueTaskSource
    {
        private ManualResetValueTaskSourceCore<int> _read;
        private ManualResetValueTaskSourceCore<bool> _write;
        private Memory<byte> _into;
        private ReadOnlyMemory<byte> _from;
        private CancellationTokenRegistration _readCancellation;
        private CancellationTokenRegistration _writeCancellation;
        private volatile Exception? _abort;
        private bool _isConnecting;

        public Action? BecameReadable { get; set; }

        public bool MayHaveBecomeReadable => HasEnded || IsReadable;

        public bool HasBecomeReadable
        {
            get
            {
                if (HasEnded)
                    return true;
                try
                {
                    return Socket.Poll(0, SelectMode.SelectRead);
                }
                catch (Exception e) when (e is SocketException or ObjectDisposedException)
                {
                    return true;
                }
            }
        }

        public bool MayBeRead => IsReadable;

        public int TryRead(Span<byte> buffer) => TakeTurn() ? Receive(buffer) : WouldBlock;

        public ValueTask<int> WaitReadableAsync()
        {
            _into = default;
            _read.Reset();
            var version = _read.Version;
            return BeginReceive() ? default : new(this, version);
        }

        public ValueTask ConnectedAsync(CancellationToken cancellation)
        {
            _isConnecting = true;
            _write.Reset();
            var version = _write.Version;
            Watch(ref _writeCancellation, cancellation);
            if (!BeginSend() || !TryFinishConnecting())
                return new(this, version);
            _writeCancellation.Dispose();
            return default;
        }

        public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellation)
        {
            if (cancellation.IsCancellationRequested)
                return ValueTask.FromCanceled<int>(cancellation);
            _into = buffer;
            _read.Reset();
            var version = _read.Version;
            Watch(ref _readCancellation, cancellation);
            try
            {
                while (BeginReceive())
                {
                    if (Receive() is not (>= 0 and var count))
                        continue;
                    _readCancellation.Dispose();
                    return new(count);
                }
            }
            catch (IOException e)
            {
                _readCancellation.Dispose();
                return ValueTask.FromException<int>(e);
            }

            return new(this, version);
        }

        public ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellation)
        {
            if (cancellation.IsCancellationRequested)
                return ValueTask.FromCanceled(cancellation);
            _from = buffer;
            _write.Reset();
            var version = _write.Version;
            Watch(ref _writeCancellation, cancellation);
            try
            {
                if (!Send())
                    return new(this, version);
                _writeCancellation.Dispose();
                return default;
            }
            catch (IOException e)
            {
                _writeCancellation.Dispose();
                return ValueTask.FromException(e);
            }
        }

        public override void Abort(Exception? reason)
        {
            if (_abort is not null)
                return;
            _abort = reason ?? new IOException("The connection was aborted by the gateway.");
            ShutDown(SocketShutdown.Both);
        }

        public void EndSending() => ShutDown(SocketShutdown.Send);

        public void Dispose() => Close(resets: false);

        protected override void OnReadable()
        {
            if (_into.IsEmpty)
            {
                _readCancellation.Dispose();
                _read.SetResult(0);
                return;
            }

            try
            {
                int count;
                while ((count = Receive()) < 0)
                {
                    if (!BeginReceive())
                        return;
                }

                _readCancellation.Dispose();
                _read.SetResult(count);
            }
            catch (IOException e)
            {
                _readCancellation.Dispose();
                _read.SetException(e);
            }
        }

        protected override void OnWritable()
        {
            try
            {
                if (_isConnecting ? !TryFinishConnecting() : !Send())
                    return;
                _writeCancellation.Dispose();
                _write.SetResult(true);
            }
            catch (Exception e) when (e is IOException or SocketException)
            {
                _writeCancellation.Dispose();
                _write.SetException(e);
            }
        }

        protected override void OnEnded() => BecameReadable?.Invoke();

        protected override void OnBecameReadable() => BecameReadable?.Invoke();

        int IValueTaskSource<int>.GetResult(short token) => _read.GetResult(token);

        ValueTaskSourceStatus IValueTaskSource<int>.GetStatus(short token) => _read.GetStatus(token);

        void IValueTaskSource<int>.OnCompleted(
            Action<object?> continuation,
            object? state,
            short token,
            ValueTaskSourceOnCompletedFlags flags
        ) => _read.OnCompleted(continuation, state, token, flags);

        void IValueTaskSource.GetResult(short token) => _write.GetResult(token);

        ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _write.GetStatus(token);

        void IValueTaskSource.OnCompleted(
            Action<object?> continuation,
            object? state,
            short token,
            ValueTaskSourceOnCompletedFlags flags
        ) => _write.OnCompleted(continuation, state, token, flags);

        /// <summary>
        /// TLS handshakes and connecting have tokens; the request path has none, and pays little for them. Before the wait begins: after
        /// it, the loop may have ended it already, and the registration would outlive it and cut off whoever uses the connection later.
        /// </summary>
        private void Watch(ref CancellationTokenRegistration registration, CancellationToken cancellation)
        {
            registration = default;
            if (cancellation.CanBeCanceled)
                registration = cancellation.UnsafeRegister(
                    static (s, token) => ((ServerSocket)s!).Abort(new OperationCanceledException(token)),
                    this
                );
        }

        private bool TryFinishConnecting()
        {
            if (_abort is { } reason)
                throw new IOException(reason.Message, reason);
            var error = (int)Socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error)!;
            if (error != 0)
                throw new SocketException(error);
            if (!Socket.Poll(0, SelectMode.SelectWrite))
                return !BeginSend() ? false : TryFinishConnecting(); // an event of the socket before it was connecting
            _isConnecting = false;
            return true;
        }

        /// <summary>A wait for data does not consume it.</summary>
        private int Receive() => _into.IsEmpty && _abort is null ? 0 : Receive(_into.Span);

        /// <returns><see cref="LoopSocket.WouldBlock"/> if no data is available.</returns>
        private int Receive(Span<byte> buffer)
        {
            try
            {
                var count = TryReceive(buffer);
                return count > 0 || _abort is not { } reason ? count : throw new IOException(reason.Message, reason);
            }
            catch (SocketException e)
            {
                throw new IOException(_abort?.Message ?? e.Message, _abort ?? e);
            }
        }

        /// <returns>False when the rest has to wait.</returns>
        private bool Send()
        {
            try
            {
                while (!_from.IsEmpty)
                {
                    var sent = TrySend(_from.Span);
                    if (sent > 0)
                        _from = _from[sent..];
                    else if (_abort is null && !BeginSend())
                        return false;
                    if (_abort is { } reason)
                        throw new IOException(reason.Message, reason);
                }

                _from = default;
                return true;
            }
            catch (SocketException e)
            {
                throw new IOException(_abort?.Message ?? e.Message, _abort ?? e);
            }
        }
    }
}
