using System.Net;
using Lintel.Carriers;
using Lintel.Errors;
using Lintel.Transport.Loop;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace Lintel.Listeners;

/// <summary>A connection of a listener, as far as its end is concerned: whoever cuts it off says here why.</summary>
internal sealed class ListenerConnection(ListenerConnections all, ConnectionContext connection, IPAddress? client, TimeProvider time)
    : IConnectionEnd
{
    private GatewayError? _cut;
    private int _requests;
    private volatile bool _hasServed;
    private long _idleSince = time.GetTimestamp();

    /// <summary>How the client broke the protocol, once the connection has ended by that.</summary>
    public string? Fault { get; set; }

    /// <summary>Whose it is, where that is counted.</summary>
    public IPAddress? Client { get; } = client;

    /// <summary>Its place among the others, under their lock; −1 when it has none.</summary>
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

    /// <summary>Ends it: after the requests under way; one that has never had any, at once.</summary>
    /// <param name="reason">What a request is told by that begins in the same moment.</param>
    public void Close(GatewayError reason)
    {
        if (_hasServed && connection.Features.Get<IConnectionLifetimeNotificationFeature>() is { } notification)
            notification.RequestClose();
        else
            Cut(reason);
    }

    /// <summary>Cuts it off, with the requests on it. The first reason holds; a client that has gone before is none.</summary>
    public void Cut(GatewayError reason)
    {
        if (!connection.ConnectionClosed.IsCancellationRequested)
            Interlocked.CompareExchange(ref _cut, reason, null);
        connection.Abort(new ConnectionAbortedException(reason.Detail ?? reason.Rule.Title));
    }
}
