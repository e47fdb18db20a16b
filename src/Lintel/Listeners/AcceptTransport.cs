using System.Net;
using System.Net.Sockets;
using Lintel.Config;
using Lintel.Observability.Logs;
using Lintel.Services;
using Lintel.Transport.Loop;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;

namespace Lintel.Listeners;

/// <summary>Accepts connections for Kestrel while the process has file descriptors for them.</summary>
/// <remarks>
/// Connections that are not accepted yet stay in the accept queue of the listener: they are served late rather than never. Kestrel's own
/// transport (10.0) accepts up to the last descriptor and then retries in a loop, which takes a whole core, and leaves none for connections
/// to services, for files, and for assemblies that .NET has not loaded yet, whose failure to load it remembers.
/// </remarks>
/// <param name="reserve">The number of descriptors reserved for other uses.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">The log.</param>
/// <param name="loops">The event loops of the connections; <see langword="null"/> for Kestrel's sockets.</param>
internal sealed class AcceptTransport(DescriptorReserve reserve, TimeProvider time, ILogger<AcceptTransport> logger, LoopGroup? loops)
    : IConnectionListenerFactory
{
    /// <summary>Kestrel's default.</summary>
    private const int Backlog = 512;

    /// <summary>Short compared with client timeouts, long compared with the cost of a failed accept.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    /// <summary>A gateway at its limit exceeds it repeatedly, which is logged once.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromMinutes(1);

    /// <summary>Between two accepts Kestrel only dispatches a connection: if it has not called again for so long, it never will.</summary>
    private static readonly TimeSpan Absence = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly List<Accepting> _open = [];
    private readonly Throttle _throttle = new(Silence, time);

    private TimeProvider Time => time;

    private ILogger Logger => logger;

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        var socket = SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
        try
        {
            socket.Listen(Backlog);
        }
        catch (SocketException e)
        {
            socket.Dispose();
            if (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
                throw new AddressInUseException(e.Message, e);
            throw;
        }

        var accepting = new Accepting(this, socket);
        lock (_lock)
            _open.Add(accepting);
        return ValueTask.FromResult<IConnectionListener>(accepting);
    }

    /// <summary>
    /// Why the address does not accept connections; <see langword="null"/> if it does. Kestrel permanently stops accepting at the first
    /// unexpected failure.
    /// </summary>
    public string? Problem()
    {
        lock (_lock)
            return _open.Find(a => a.IsDead) is { } dead ? $"connections to {dead.EndPoint} are no longer accepted" : null;
    }

    private void Closed(Accepting accepting)
    {
        lock (_lock)
            _open.Remove(accepting);
    }

    private LoopGroup? Loops => loops;

    private DescriptorReserve Reserve => reserve;

    private static bool IsExhaustion(SocketError error) => error is SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable;

    /// <summary>Whether a line may be logged now.</summary>
    private bool MayLog() => _throttle.MayLog(out _);

    private sealed class Accepting(AcceptTransport transport, Socket socket) : IConnectionListener
    {
        private readonly SocketConnectionContextFactory? _connections = transport.Loops is null
            ? new(new SocketConnectionFactoryOptions(), transport.Logger)
            : null;
        private readonly CancellationTokenSource _unbound = new();
        private bool _isTight;
        private long _leftAt = transport.Time.GetTimestamp();
        private volatile bool _isInside;

        /// <summary>Whether Kestrel has not accepted for long: it has stopped.</summary>
        public bool IsDead =>
            !_isInside && !_unbound.IsCancellationRequested && transport.Time.GetElapsedTime(Volatile.Read(ref _leftAt)) > Absence;

        public EndPoint EndPoint { get; } = socket.LocalEndPoint!;

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            _isInside = true;
            try
            {
                return await NextAsync(cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                Volatile.Write(ref _leftAt, transport.Time.GetTimestamp());
                _isInside = false;
            }
        }

        private async ValueTask<ConnectionContext?> NextAsync(CancellationToken cancellationToken)
        {
            while (!_unbound.IsCancellationRequested)
            {
                if (_isTight && transport.Reserve.IsTouched())
                {
                    await PauseAsync().ConfigureAwait(false);
                    continue;
                }

                try
                {
                    var accepted = await socket.AcceptAsync(cancellationToken).ConfigureAwait(false);
                    _isTight = transport.Reserve.Holds(accepted.Handle);
                    if (accepted.LocalEndPoint is IPEndPoint)
                        accepted.NoDelay = true; // answers are written whole: nothing is gained by waiting for more
                    return _connections?.Create(accepted) ?? transport.Loops!.Accept(accepted);
                }
                catch (ObjectDisposedException)
                {
                    return null;
                }
                catch (SocketException e) when (e.SocketErrorCode == SocketError.OperationAborted)
                {
                    return null;
                }
                catch (SocketException e) when (IsExhaustion(e.SocketErrorCode))
                {
                    _isTight = true;
                    await PauseAsync().ConfigureAwait(false);
                }
                catch (IOException e)
                {
                    // Kestrel would never accept again.
                    if (transport.MayLog())
                        AcceptLog.Unwatched(transport.Logger, EndPoint.ToString() ?? "", e.Message);
                    await DelayAsync().ConfigureAwait(false);
                }
                catch (SocketException)
                {
                    // The client gave up while it was waiting in the queue: the next one.
                }
                catch (Exception e) when (e is not OperationCanceledException)
                {
                    // No memory, or a defect: Kestrel would never accept again.
                    if (transport.MayLog())
                        AcceptLog.Failed(transport.Logger, EndPoint.ToString() ?? "", e);
                    await DelayAsync().ConfigureAwait(false);
                }
            }

            return null;
        }

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            transport.Closed(this);
            _unbound.Cancel();
            socket.Dispose();
            return default;
        }

        public ValueTask DisposeAsync()
        {
            transport.Closed(this);
            _unbound.Cancel();
            socket.Dispose();
            _connections?.Dispose();
            return default;
        }

        private Task PauseAsync()
        {
            if (transport.MayLog())
                AcceptLog.Exhausted(transport.Logger, transport.Reserve.Limit, EndPoint.ToString() ?? "");
            return DelayAsync();
        }

        private Task DelayAsync() => Task.Delay(Pause, transport.Time, _unbound.Token).ContinueWith(static _ => { }, TaskScheduler.Default);
    }
}

/// <summary>The transports that listeners choose from.</summary>
internal sealed class Transports(DescriptorReserve reserve, TimeProvider time, ILogger<AcceptTransport> logger, GatewayLoops loops)
{
    private readonly AcceptTransport? _loop = loops.Group is { } group ? new AcceptTransport(reserve, time, logger, group) : null;

    public AcceptTransport Sockets { get; } = new(reserve, time, logger, null);

    /// <summary>The transport of the listener's configuration; without loops there is only one.</summary>
    public AcceptTransport For(ListenerConfig listener) => listener.Transport == ListenerTransport.Sockets ? Sockets : _loop ?? Sockets;

    /// <summary>Why the listeners do not accept connections; <see langword="null"/> if they do.</summary>
    public string? Problem() => Sockets.Problem() ?? _loop?.Problem();

    /// <summary>Whether the listener's connections run on event loops.</summary>
    public bool HasLoops(ListenerConfig listener) => For(listener) == _loop;
}

/// <summary>Log lines of accepting: event ids 1150 to 1159.</summary>
internal static partial class AcceptLog
{
    [LoggerMessage(
        EventId = 1150,
        Level = LogLevel.Error,
        Message = "Out of file descriptors (the limit is {Limit}): new connections to {EndPoint} wait until others close. Raise the "
            + "limit (systemd: LimitNOFILE=, Docker: --ulimit nofile=, shell: ulimit -n): a client's connection and the one to its "
            + "service use one descriptor each"
    )]
    public static partial void Exhausted(ILogger logger, long? limit, string endPoint);

    [LoggerMessage(
        EventId = 1151,
        Level = LogLevel.Error,
        Message = "A new connection to {EndPoint} was closed: {Problem}. The system's memory, or fs.epoll.max_user_watches, is exhausted"
    )]
    public static partial void Unwatched(ILogger logger, string endPoint, string problem);

    [LoggerMessage(
        EventId = 1152,
        Level = LogLevel.Error,
        Message = "A connection to {EndPoint} could not be accepted; the listener continues to accept connections"
    )]
    public static partial void Failed(ILogger logger, string endPoint, Exception cause);
}
