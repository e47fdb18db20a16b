using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;

namespace Lintel.Transport.Loop;

/// <summary>A client's connection as Kestrel sees it.</summary>
/// <remarks>
/// Kestrel reads from <see cref="LoopInput"/> and writes to <see cref="LoopOutput"/>, both straight on the socket: there is no pipe between, and no copy. The end
/// of the client's sending is the end of the connection, as in Kestrel's own transport and in nginx.
/// </remarks>
public sealed class LoopConnection : ConnectionContext, IDuplexPipe, IConnectionIdFeature, IConnectionItemsFeature, IConnectionLifetimeFeature, IConnectionTransportFeature, IConnectionEndPointFeature, IMemoryPoolFeature
{
    private static long _lastId;

    private readonly ClientSocket _socket;
    private readonly CancellationTokenSource _closed = new();
    private readonly FeatureCollection _features;
    private string? _id;
    private IDictionary<object, object?>? _items;
    private Action<object?>? _onGone;
    private object? _goneState;
    private int _hasTold;
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

    /// <summary>The loop that the connection lives on.</summary>
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

    /// <summary>The connection has left HTTP: cutting it off no longer has to be told from its end by a reset, for the other protocol's frames say where they end.</summary>
    public void OpenTunnel() => _socket.IsTunnel = true;

    PipeReader IDuplexPipe.Input => _socket.Input;

    PipeWriter IDuplexPipe.Output => _socket.Output;

    /// <summary>What to do, on the loop's thread and at most once, when the client has ended or broken the connection. One at a time: the request under way. If it has already, it is done at once.</summary>
    public void OnGone(Action<object?>? action, object? state)
    {
        _goneState = state;
        Volatile.Write(ref _onGone, action);
        if (action is not null && Volatile.Read(ref _hasTold) == 1)
            TellRequest();
    }

    /// <inheritdoc/>
    public override void Abort(ConnectionAbortedException abortReason) => _socket.Abort(abortReason);

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) == 0)
        {
            await _socket.CloseAsync().ConfigureAwait(false);
            TellClosed();
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

    /// <summary>The request under way is told inline; the token's followers may be anybody's code, and are told on the thread pool, as Kestrel's transport does.</summary>
    internal void TellClosed()
    {
        if (Interlocked.Exchange(ref _hasTold, 1) == 1)
            return;
        TellRequest();
        ThreadPool.UnsafeQueueUserWorkItem(static closed => closed.Cancel(), _closed, preferLocal: false);
    }

    private void TellRequest() => Interlocked.Exchange(ref _onGone, null)?.Invoke(_goneState);
}
