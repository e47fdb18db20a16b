using Lintel.Transport.Loop;

namespace Lintel.Transport.Http1;

/// <summary>How a server's connections are kept.</summary>
public sealed record Http1Options
{
    /// <summary>
    /// How long an unused connection is kept. Default: 60 s, before most servers close theirs (nginx 75 s, Kestrel 130 s), so that requests
    /// seldom meet a closing one.
    /// </summary>
    public TimeSpan IdleLifetime { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long a connection is used. Default: 5 min, so that a name that resolves to other addresses is noticed.</summary>
    public TimeSpan Lifetime { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Connections of one loop to the server, at most; further requests wait in their order. Default: 4096.</summary>
    public int MaxConnections { get; init; } = 4096;

    /// <summary>The maximum size of a response head in bytes. Default: 64 KiB, as SocketsHttpHandler's.</summary>
    public int MaxHead { get; init; } = 64 * 1024;

    /// <summary>
    /// Whether lines of the head, of chunk framing and of trailers may end with a bare LF (RFC 9112 section 2.2). Default: false.
    /// </summary>
    public bool AllowsBareLf { get; init; }

    /// <summary>
    /// Whether several <c>Content-Length</c> that are all the same count as one (RFC 9110 section 8.6). Default: they are refused.
    /// </summary>
    public bool AllowsEqualLengths { get; init; }

    /// <summary>
    /// The maximum number of interim responses (1xx) of one exchange; together they may be as long as one head (as in Go since 1.23).
    /// Default: 100, a 102 (Processing) every 20 s (RFC 2518 section 10.1) for half an hour.
    /// </summary>
    public int MaxInterimHeads { get; init; } = DefaultMaxInterimHeads;

    internal const int DefaultMaxInterimHeads = 100;
}

/// <summary>A connection that was made: the socket, and what speaks on it, the socket itself or TLS.</summary>
/// <param name="Socket">The socket.</param>
/// <param name="Stream">The socket again, or TLS over it.</param>
public readonly record struct EstablishedConnection(LoopStream Socket, Stream Stream);

/// <summary>A connection pool for one server, with a shard per event loop: a request uses a connection of its own loop.</summary>
public sealed class Http1Pool : IDisposable
{
    private readonly LoopGroup _loops;
    private readonly Http1Shard[] _shards;

    /// <param name="loops">The loops.</param>
    /// <param name="connect">Establishes a connection on an event loop.</param>
    /// <param name="options">How they are kept.</param>
    public Http1Pool(LoopGroup loops, Func<EventLoop, CancellationToken, ValueTask<EstablishedConnection>> connect, Http1Options options)
    {
        ArgumentNullException.ThrowIfNull(loops);
        _loops = loops;
        _shards = [.. loops.Loops.Select(l => new Http1Shard(l, connect, options))];
    }

    /// <summary>Connections that are open, busy or not.</summary>
    public int Open => _shards.Sum(s => s.Open);

    /// <summary>Rents a connection: a pooled one, or a new one, or, at the connection limit, the next one that is returned.</summary>
    /// <param name="loop">The loop that the request runs on.</param>
    /// <param name="isFresh">Whether it must be a new one.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public ValueTask<Http1Connection> RentAsync(EventLoop loop, bool isFresh, CancellationToken cancellation) =>
        _shards[loop.Index].RentAsync(isFresh, cancellation);

    /// <summary>A pooled connection of that loop; <see langword="null"/> if there is none: then use <see cref="RentAsync"/>.</summary>
    /// <param name="loop">The loop that the request runs on.</param>
    /// <param name="isChecked">Whether to check if the server has closed it: for a request that could not be sent a second time.</param>
    public Http1Connection? TryRent(EventLoop loop, bool isChecked = false) => _shards[loop.Index].TryRent(isChecked);

    /// <summary>A loop for callers that do not run on one.</summary>
    public EventLoop AnyLoop() => _loops.Choose();

    /// <summary>
    /// Closes idle connections, and the others when they are returned. Requests that still rent one get a new one, or wait for their turn.
    /// </summary>
    public void Drain()
    {
        foreach (var shard in _shards)
            shard.Drain();
    }

    /// <summary>Closes idle connections, and the others when they are returned. Nobody gets one any more.</summary>
    public void Dispose()
    {
        foreach (var shard in _shards)
            shard.Dispose();
    }
}

/// <summary>A pool's connections on one loop.</summary>
/// <remarks>Thread rule: any thread, ordered by a lock that is almost always taken by the loop's own thread alone.</remarks>
internal sealed class Http1Shard(
    EventLoop loop,
    Func<EventLoop, CancellationToken, ValueTask<EstablishedConnection>> connect,
    Http1Options options
) : IDisposable
{
    /// <summary>
    /// The maximum number of consecutive dead or expired pooled connections that are discarded before a new one is established: closing
    /// each costs the request some microseconds. Their own events and timers close the others.
    /// </summary>
    private const int MostDead = 8;

    private readonly Lock _lock = new();

    /// <summary>Last in, first out: connections that are not needed grow old together.</summary>
    private readonly List<Http1Connection> _idle = [];

    /// <summary>
    /// Waiters for a connection, or, with <see langword="null"/>, for the slot of one: it is still counted in <see cref="_open"/>, so that
    /// later callers cannot take it first.
    /// </summary>
    private readonly LinkedList<TaskCompletionSource<Http1Connection?>> _waiting = [];
    private int _open;
    private bool _isDraining;
    private bool _isDisposed;

    public int Open => Volatile.Read(ref _open);

    public Http1Connection? TryRent(bool isChecked)
    {
        lock (_lock)
            return TryRent_NeedsLock(isChecked);
    }

    public async ValueTask<Http1Connection> RentAsync(bool isFresh, CancellationToken cancellation)
    {
        Task<Http1Connection?>? turn = null;
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            if (!isFresh && TryRent_NeedsLock(isChecked: false) is { } kept)
                return kept;
            if (_open < options.MaxConnections)
                _open++;
            else if (_idle.Count > 0)
                TakeOldest_NeedsLock().Dispose(); // its place is what is wanted
            else
                turn = _waiting
                    .AddLast(new TaskCompletionSource<Http1Connection?>(TaskCreationOptions.RunContinuationsAsynchronously))
                    .Value.Task;
        }

        if (turn is not null)
        {
            var given = await WaitAsync(turn, cancellation).ConfigureAwait(false);
            if (given is not null && !isFresh)
                return given;
            given?.Dispose();
        }

        return await ConnectAsync(cancellation).ConfigureAwait(false);
    }

    /// <summary>Returns a connection.</summary>
    public void Return(Http1Connection connection, bool isClean)
    {
        connection.IsReused = true;
        if (isClean && IsYoung(connection))
        {
            lock (_lock)
            {
                // What the server says unasked would be the answer to the next request.
                while (!_isDraining && _waiting.First is { } first && !connection.Socket.MayHaveBecomeReadable)
                {
                    _waiting.RemoveFirst();
                    if (first.Value.TrySetResult(connection))
                        return;
                }

                if (!_isDraining && _waiting.Count == 0)
                {
                    connection.Socket.BecameReadable = connection.Dropping;
                    _idle.Add(connection);
                    loop.Start(connection.IdleTimer, options.IdleLifetime);
                    if (!connection.Socket.MayHaveBecomeReadable)
                        return;
                    _idle.Remove(connection);
                }
            }
        }

        connection.Dispose();
        Closed();
    }

    /// <summary>An unused connection has grown old, or the server has ended it.</summary>
    public void Drop(Http1Connection connection)
    {
        lock (_lock)
        {
            if (!_idle.Remove(connection))
                return;
        }

        connection.Dispose();
        Closed();
    }

    public void Drain()
    {
        List<Http1Connection> idle;
        lock (_lock)
        {
            _isDraining = true;
            idle = [.. _idle];
            _idle.Clear();
            _open -= idle.Count;
        }

        idle.ForEach(c => c.Dispose());
    }

    public void Dispose()
    {
        Drain();
        lock (_lock)
        {
            _isDisposed = true;
            while (_waiting.First is { } first)
            {
                _waiting.RemoveFirst();
                first.Value.TrySetException(new ObjectDisposedException(nameof(Http1Pool)));
            }
        }
    }

    private async ValueTask<Http1Connection> ConnectAsync(CancellationToken cancellation)
    {
        try
        {
            var made = await connect(loop, cancellation).ConfigureAwait(false);
            return new Http1Connection(this, made.Stream, made.Socket, options, EventLoop.Now);
        }
        catch
        {
            Closed();
            throw;
        }
    }

    private Http1Connection? TryRent_NeedsLock(bool isChecked)
    {
        for (var dead = 0; _idle.Count > 0 && dead < MostDead; dead++)
        {
            var connection = _idle[^1];
            _idle.RemoveAt(_idle.Count - 1);
            connection.Socket.BecameReadable = null;
            EventLoop.Stop(connection.IdleTimer);
            if (IsYoung(connection) && !(isChecked && connection.HasBecomeReadable))
                return connection;
            _open--; // whoever could wait for its place would not wait while it was unused
            connection.Dispose();
        }

        return null;
    }

    private Http1Connection TakeOldest_NeedsLock()
    {
        var connection = _idle[0];
        _idle.RemoveAt(0);
        connection.Socket.BecameReadable = null;
        return connection;
    }

    private bool IsYoung(Http1Connection connection) => EventLoop.Now - connection.Born < options.Lifetime.TotalMilliseconds;

    private async Task<Http1Connection?> WaitAsync(Task<Http1Connection?> turn, CancellationToken cancellation)
    {
        try
        {
            return await turn.WaitAsync(cancellation).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            GiveUp(turn);
            throw;
        }
    }

    /// <summary>A connection has ended: whoever waits longest has its place.</summary>
    private void Closed()
    {
        lock (_lock)
        {
            while (_waiting.First is { } first)
            {
                _waiting.RemoveFirst();
                if (first.Value.TrySetResult(null))
                    return;
            }

            _open--;
        }
    }

    /// <summary>A waiter that was canceled after it received a connection passes it on.</summary>
    private void GiveUp(Task<Http1Connection?> turn)
    {
        lock (_lock)
        {
            for (var node = _waiting.First; node is not null; node = node.Next)
            {
                if (node.Value.Task != turn)
                    continue;
                _waiting.Remove(node);
                return;
            }
        }

        if (!turn.IsCompletedSuccessfully)
            return; // disposed of
        if (turn.GetAwaiter().GetResult() is { } given)
            Return(given, isClean: true);
        else
            Closed();
    }
}
