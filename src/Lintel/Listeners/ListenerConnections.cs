using System.Net;
using Lintel.Config;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.Logging;

namespace Lintel.Listeners;

/// <summary>A listener's connections: how many there may be, and which one makes room when that many are there.</summary>
/// <remarks>Thread rule: any thread, ordered by a lock that is taken when a connection begins and ends; requests touch their own connection's entry alone.</remarks>
internal sealed class ListenerConnections(ListenerConfig config, long most, TimeProvider time, ILogger logger)
{
    /// <summary>Of so many connections the one that is idle longest is looked for, from a place that moves on: all of a small listener's, and a sample of a large one's, in some 10 µs.</summary>
    private const int Sample = 1000;

    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly List<ListenerConnection> _all = [];
    private readonly Dictionary<IPAddress, int> _ofClient = [];
    private int _next;
    private int _untold;
    private long? _lastTold;

    /// <summary>The step of a connection that counts it.</summary>
    public ConnectionDelegate Use(ConnectionDelegate next) => async connection =>
    {
        var entry = new ListenerConnection(connection, config.Limits.ConnectionsPerClient is null ? null : (connection.RemoteEndPoint as IPEndPoint)?.Address, time);
        if (!TryAdd(entry, out var idle))
        {
            connection.Abort(new ConnectionAbortedException("the listener has as many connections as it may"));
            return;
        }

        idle?.Close();
        connection.Features.Set(entry);
        try
        {
            await next(connection).ConfigureAwait(false);
        }
        finally
        {
            Remove(entry);
        }
    };

    /// <summary>Lets the connections that are there end: idle ones at once, others after their requests; those that are there after a time are cut off.</summary>
    public void Drain(TimeSpan patience)
    {
        ListenerConnection[] all;
        lock (_lock)
            all = [.. _all];
        foreach (var connection in all)
            connection.Close();
        _ = CutAsync(all, patience);
    }

    private async Task CutAsync(ListenerConnection[] connections, TimeSpan patience)
    {
        await Task.Delay(patience, time).ConfigureAwait(false);
        foreach (var connection in connections)
            connection.Cut(); // one that has ended already does not mind
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
                    Tell("its client has as many as one may", config.Limits.ConnectionsPerClient.Value);
                    return false;
                }

                _ofClient[client] = count + 1;
            }

            if (_all.Count >= most && (idle = LongestIdle_NeedsLock()) is null)
            {
                Forget_NeedsLock(connection.Client);
                Tell("the listener has as many as it may, and none is idle", most);
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

    private void Remove(ListenerConnection connection)
    {
        lock (_lock)
            Remove_NeedsLock(connection);
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

    /// <summary>A listener at its limit refuses hundreds in a second: that is one thing to tell.</summary>
    private void Tell(string why, long limit)
    {
        if (_lastTold is { } last && time.GetElapsedTime(last) < Silence)
        {
            _untold++;
            return;
        }

        _lastTold = time.GetTimestamp();
        ConnectionLog.Refused(logger, config.Address.ToString(), why, limit, _untold);
        _untold = 0;
    }
}

/// <summary>A connection of a listener, as far as its end is concerned.</summary>
internal sealed class ListenerConnection(ConnectionContext connection, IPAddress? client, TimeProvider time)
{
    private int _requests;
    private volatile bool _hasServed;
    private long _idleSince = time.GetTimestamp();

    /// <summary>Whose it is, where that is counted.</summary>
    public IPAddress? Client { get; } = client;

    /// <summary>Its place among the others, under their lock; −1 when it has none.</summary>
    public int Index { get; set; } = -1;

    /// <summary>Since when no request is under way; 0 while one is.</summary>
    public long IdleSince => Volatile.Read(ref _idleSince);

    public void RequestBegins()
    {
        if (Interlocked.Increment(ref _requests) > 1)
            return;
        _hasServed = true;
        Volatile.Write(ref _idleSince, 0);
    }

    public void RequestEnds()
    {
        if (Interlocked.Decrement(ref _requests) == 0)
            Volatile.Write(ref _idleSince, time.GetTimestamp());
    }

    /// <summary>Ends it: after the requests under way; one that has never had any, at once.</summary>
    public void Close()
    {
        if (_hasServed && connection.Features.Get<IConnectionLifetimeNotificationFeature>() is { } notification)
            notification.RequestClose();
        else
            Cut();
    }

    public void Cut() => connection.Abort(new ConnectionAbortedException("the connection was closed here"));
}

/// <summary>Log lines of connections: event ids 1160 to 1169.</summary>
internal static partial class ConnectionLog
{
    [LoggerMessage(EventId = 1160, Level = LogLevel.Warning, Message = "A connection to {Address} was closed at once: {Why} ({Limit}; {Others} others since the last line)")]
    public static partial void Refused(ILogger logger, string address, string why, long limit, int others);
}
