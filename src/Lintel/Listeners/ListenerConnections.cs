using System.Net;
using Lintel.Carriers;
using Lintel.Config;
using Lintel.Errors;
using Lintel.Observability.Logs;
using Lintel.Transport.Loop;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace Lintel.Listeners;

/// <summary>The connections of a listener: enforces their limit, and selects the one that is closed at the limit.</summary>
/// <remarks>
/// Thread rule: any thread, guarded by a lock that is taken when a connection starts and ends; requests access only the entry of their own
/// connection.
/// </remarks>
internal sealed class ListenerConnections(ListenerConfig config, long most, TimeProvider time, ILogger logger)
{
    /// <summary>
    /// Of so many connections the one that is idle longest is looked for, from a place that moves on: all of a small listener's, and a
    /// sample of a large one's, in some 10 µs.
    /// </summary>
    private const int Sample = 1000;

    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(1);

    private static readonly GatewayError MadeRoom = new(
        GatewayErrorKind.ClientAborted,
        "the connection was idle and was closed in favor of a new one"
    );

    private readonly Lock _lock = new();
    private readonly List<ListenerConnection> _all = [];
    private readonly Dictionary<IPAddress, int> _ofClient = [];
    private readonly Dictionary<string, string> _faults = new(0, StringComparer.Ordinal);
    private readonly Throttle _throttle = new(Silence, time);
    private int _next;

    /// <summary>Where they come in, for the log.</summary>
    public string Address => config.Address.ToString();

    /// <summary>How many there may be.</summary>
    public long Most => most;

    /// <summary>How many there are.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
                return _all.Count;
        }
    }

    /// <summary>The step of a connection that counts it.</summary>
    public ConnectionDelegate Use(ConnectionDelegate next) =>
        async connection =>
        {
            if (connection is not LoopConnection)
                connection = new TrackedConnection(connection);
            var client = config.Limits.ConnectionsPerClient is null ? null : (connection.RemoteEndPoint as IPEndPoint)?.Address;
            var entry = new ListenerConnection(this, connection, client, time);
            if (!TryAdd(entry, out var idle))
            {
                connection.Abort(new ConnectionAbortedException("the listener has reached its connection limit"));
                return;
            }

            idle?.Close(MadeRoom);
            connection.Features.Set(entry);
            connection.Features.Set<IConnectionEnd>(entry);
            try
            {
                await next(connection).ConfigureAwait(false);
            }
            finally
            {
                Remove(entry, connection);
            }
        };

    /// <summary>
    /// Closes the existing connections: idle ones immediately, others after their requests, and aborts the rest after a time.
    /// </summary>
    /// <param name="patience">The time.</param>
    /// <param name="reason">The reason for the aborted requests.</param>
    public void Drain(TimeSpan patience, GatewayError reason)
    {
        var all = All();
        foreach (var connection in all)
            connection.Close(reason);
        _ = CutAsync(all, patience, reason);
    }

    /// <summary>Records a protocol error of the client, which ends its connection before its requests are notified.</summary>
    /// <param name="connection">The connection's id.</param>
    /// <param name="fault">The protocol error.</param>
    public void Note(string connection, string fault)
    {
        lock (_lock)
            _faults[connection] = fault;
    }

    /// <summary>The protocol error of a connection; <see langword="null"/> if there is none.</summary>
    public string? Fault(ConnectionContext connection)
    {
        lock (_lock)
            return _faults.Count == 0 ? null : _faults.GetValueOrDefault(connection.ConnectionId);
    }

    /// <summary>Aborts the existing connections.</summary>
    public void Cut(GatewayError reason)
    {
        foreach (var connection in All())
            connection.Cut(reason);
    }

    private async Task CutAsync(ListenerConnection[] connections, TimeSpan patience, GatewayError reason)
    {
        await Task.Delay(patience, time).ConfigureAwait(false);
        foreach (var connection in connections)
            connection.Cut(reason); // one that has ended already does not mind
    }

    private ListenerConnection[] All()
    {
        lock (_lock)
            return [.. _all];
    }

    /// <param name="connection">The newcomer.</param>
    /// <param name="idle">The one that makes room for it.</param>
    private bool TryAdd(ListenerConnection connection, out ListenerConnection? idle)
    {
        idle = null;
        lock (_lock)
        {
            if (connection.Client is { } client)
            {
                var count = _ofClient.GetValueOrDefault(client);
                if (count >= config.Limits.ConnectionsPerClient)
                {
                    LogRejection("the client has reached its connection limit", config.Limits.ConnectionsPerClient.Value);
                    return false;
                }

                _ofClient[client] = count + 1;
            }

            if (_all.Count >= most && (idle = LongestIdle_NeedsLock()) is null)
            {
                Forget_NeedsLock(connection.Client);
                LogRejection("the listener has reached its connection limit, and no connection is idle", most);
                return false;
            }

            if (idle is not null)
                Remove_NeedsLock(idle);
            connection.Index = _all.Count;
            _all.Add(connection);
            return true;
        }
    }

    private ListenerConnection? LongestIdle_NeedsLock()
    {
        ListenerConnection? longest = null;
        for (var i = Math.Min(Sample, _all.Count); i > 0; i--)
        {
            _next = (_next + 1) % _all.Count;
            if (_all[_next].IdleSince is not 0 and var since && (longest is null || since < longest.IdleSince))
                longest = _all[_next];
        }

        return longest;
    }

    private void Remove(ListenerConnection entry, ConnectionContext connection)
    {
        lock (_lock)
        {
            Remove_NeedsLock(entry);
            if (_faults.Count > 0 && _faults.Remove(connection.ConnectionId, out var fault))
                entry.Fault = fault; // its requests may end after it
        }
    }

    private void Remove_NeedsLock(ListenerConnection connection)
    {
        if (connection.Index < 0)
            return; // it has made room
        var last = _all[^1];
        _all[connection.Index] = last;
        last.Index = connection.Index;
        _all.RemoveAt(_all.Count - 1);
        connection.Index = -1;
        Forget_NeedsLock(connection.Client);
    }

    private void Forget_NeedsLock(IPAddress? client)
    {
        if (client is null)
            return;
        if (_ofClient[client] == 1)
            _ofClient.Remove(client);
        else
            _ofClient[client]--;
    }

    /// <summary>A listener at its limit rejects hundreds of connections per second, which is logged once.</summary>
    private void LogRejection(string why, long limit)
    {
        if (_throttle.MayLog(out var others))
            ConnectionLog.Refused(logger, config.Address.ToString(), why, limit, others);
    }
}

/// <summary>Log lines of connections: event ids 1160 to 1169.</summary>
internal static partial class ConnectionLog
{
    [LoggerMessage(
        EventId = 1160,
        Level = LogLevel.Warning,
        Message = "A connection to {Address} was rejected: {Why} ({Limit}; {Others} others since the last line)"
    )]
    public static partial void Refused(ILogger logger, string address, string why, long limit, int others);
}
