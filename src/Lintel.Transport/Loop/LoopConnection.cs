using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;

namespace Lintel.Transport.Loop;

/// <summary>A client connection for Kestrel.</summary>
/// <remarks>
/// Kestrel reads from <see cref="LoopInput"/> and writes to <see cref="LoopOutput"/>, both straight on the socket: there is no pipe
/// between, and no copy. The end of the client's sending is reported to the reader only: a client may close its side after a whole
/// request and still expects the response (RFC 9112 section 9.6). It has disconnected when it resets the connection or accepts no bytes.
/// </remarks>
public sealed class LoopConnection
    : ConnectionContext,
        IDuplexPipe,
        IConnectionIdFeature,
        IConnectionItemsFeature,
        IConnectionLifetimeFeature,
        IConnectionTransportFeature,
        IConnectionEndPointFeature,
        IMemoryPoolFeature
{
    private static long _lastId;

    private readonly ClientSocket _socket;
    private readonly CancellationTokenSource _closed = new();
    private readonly FeatureCollection _features;
    private string? _id;
    private IDictionary<object, object?>? _items;
    private IClientWatch? _watch; // callback and state in one reference: the two always belong together
    private int _hasNotified;
    private int _isDisposed;

    internal LoopConnection(EventLoop loop, Socket socket)
    {
        LocalEndPoint = socket.LocalEndPoint;
        RemoteEndPoint = socket.RemoteEndPoint;
        _socket = new ClientSocket(this, loop, socket);
        Transport = this;
        ConnectionClosed = _closed.Token;
        _features = new FeatureCollection(10);
        _features.Set<IConnectionIdFeature>(this);
        _features.Set<IConnectionItemsFeature>(this);
        _features.Set<IConnectionLifetimeFeature>(this);
        _features.Set<IConnectionTransportFeature>(this);
        _features.Set<IConnectionEndPointFeature>(this);
        _features.Set<IMemoryPoolFeature>(this);
        _features.Set(this);
    }

    /// <summary>The event loop of the connection.</summary>
    public EventLoop Loop => _socket.Loop;

    /// <inheritdoc/>
    public override string ConnectionId
    {
        get => _id ??= "L" + Interlocked.Increment(ref _lastId).ToString("X", System.Globalization.CultureInfo.InvariantCulture);
        set => _id = value;
    }

    /// <inheritdoc/>
    public override IFeatureCollection Features => _features;

    /// <inheritdoc/>
    public override IDictionary<object, object?> Items
    {
        get => _items ??= new ConnectionItems();
        set => _items = value;
    }

    /// <inheritdoc/>
    public override IDuplexPipe Transport { get; set; }

    /// <inheritdoc/>
    public override CancellationToken ConnectionClosed { get; set; }

    /// <inheritdoc/>
    public override EndPoint? LocalEndPoint { get; set; }

    /// <inheritdoc/>
    public override EndPoint? RemoteEndPoint { get; set; }

    /// <inheritdoc/>
    public MemoryPool<byte> MemoryPool => MemoryPool<byte>.Shared;

    /// <summary>Why the connection was aborted here, the first reason; <see langword="null"/> while it was not.</summary>
    public ConnectionAbortedException? AbortReason => _socket.AbortReason as ConnectionAbortedException;

    /// <summary>
    /// The connection has switched protocols: an abort no longer has to be signaled by a reset, because the frames of the new protocol
    /// define their end.
    /// </summary>
    public void OpenTunnel() => _socket.IsTunnel = true;

    PipeReader IDuplexPipe.Input => _socket.Input;

    PipeWriter IDuplexPipe.Output => _socket.Output;

    /// <summary>
    /// The watcher that is notified, at most once, when the client has disconnected or the connection was aborted: the current request, one
    /// at a time; <see langword="null"/> when it is over. If it has already happened, it is notified immediately.
    /// </summary>
    /// <remarks>The previous watcher may be notified on another thread while this runs.</remarks>
    public void Watch(IClientWatch? watch)
    {
        Volatile.Write(ref _watch, watch);
        Interlocked.MemoryBarrier(); // the notifying side uses the opposite order
        if (watch is not null && Volatile.Read(ref _hasNotified) == 1)
            NotifyRequest();
    }

    /// <inheritdoc/>
    public override void Abort(ConnectionAbortedException abortReason) => _socket.Abort(abortReason);

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) == 0)
        {
            await _socket.CloseAsync().ConfigureAwait(false);
            NotifyClosed();
        }

        await base.DisposeAsync().ConfigureAwait(false);
    }

    internal void Start()
    {
        try
        {
            _socket.Register();
        }
        catch
        {
            _socket.CloseNow();
            throw;
        }
    }

    /// <summary>
    /// The current request is notified inline; callbacks of the token may be application code, and run on the thread pool, as in Kestrel's
    /// transport.
    /// </summary>
    internal void NotifyClosed()
    {
        if (Interlocked.Exchange(ref _hasNotified, 1) == 1)
            return;
        NotifyRequest();
        ThreadPool.UnsafeQueueUserWorkItem(static closed => closed.Cancel(), _closed, preferLocal: false);
    }

    private void NotifyRequest() => Interlocked.Exchange(ref _watch, null)?.ClientDisconnected();
}

/// <summary>Is notified when a client has disconnected.</summary>
public interface IClientWatch
{
    /// <summary>It has: on the loop's thread, or on the one that began to watch too late.</summary>
    public void ClientDisconnected();
}
