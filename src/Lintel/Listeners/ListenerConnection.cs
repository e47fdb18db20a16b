using System.Net;
using Lintel.Carriers;
using Lintel.Errors;
using Lintel.Transport.Loop;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace Lintel.Listeners;

/// <summary>Tracks the end of a listener's connection: the reason of an abort is recorded here.</summary>
internal sealed class ListenerConnection(ListenerConnections all, ConnectionContext connection, IPAddress? client, TimeProvider time)
    : IConnectionEnd
{
    private GatewayError? _cut;
    private int _requests;
    private volatile bool _hasServed;
    private long _idleSince = time.GetTimestamp();

    /// <summary>The protocol error that ended the connection.</summary>
    public string? Fault { get; set; }

    /// <summary>The client address, if connections per client are counted.</summary>
    public IPAddress? Client { get; } = client;

    /// <summary>The index in the list of connections, guarded by its lock; −1 if it is not in the list.</summary>
    public int Index { get; set; } = -1;

    /// <summary>Since when no request is under way; 0 while one is.</summary>
    public long IdleSince => Volatile.Read(ref _idleSince);

    /// <inheritdoc/>
    public GatewayError? Reason =>
        Volatile.Read(ref _cut)
        ?? AbortReasons.Of(
            connection switch
            {
                LoopConnection loop => loop.AbortReason,
                TrackedConnection noted => noted.AbortReason,
                _ => null,
            }
        )
        ?? ((Fault ?? all.Fault(connection)) is { } fault ? new GatewayError(GatewayErrorKind.ClientAborted, fault) : null);

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

    /// <summary>Closes the connection after the requests in flight; one that has never had a request, immediately.</summary>
    /// <param name="reason">The reason for a request that starts at the same moment.</param>
    public void Close(GatewayError reason)
    {
        if (_hasServed && connection.Features.Get<IConnectionLifetimeNotificationFeature>() is { } notification)
            notification.RequestClose();
        else
            Cut(reason);
    }

    /// <summary>
    /// Aborts the connection with its requests. The first reason is kept; a client that has already disconnected is not an abort.
    /// </summary>
    public void Cut(GatewayError reason)
    {
        if (!connection.ConnectionClosed.IsCancellationRequested)
            Interlocked.CompareExchange(ref _cut, reason, null);
        connection.Abort(new ConnectionAbortedException(reason.Detail ?? reason.Rule.Title));
    }
}
