using System.Runtime.CompilerServices;
using Lintel.Errors;
using Lintel.Pipeline;
using Lintel.Services;
using Lintel.Transport.Http1;
using Lintel.Transport.Loop;

namespace Lintel.Forwarding;

/// <summary>Carries attempts over HTTP/1.1 on the event loops: the connection to the instance lives on the loop of the client's, and nothing changes threads on the way.</summary>
internal sealed class Http1Forwarder(TimeProvider time) : IForwarder
{
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))] // one a request that waits for its service
    public async ValueTask<GatewayError?> SendAsync(Exchange exchange, Service service, Instance instance, UpstreamRequest request, HeaderChanges changes, Deadline deadline)
    {
        var pool = service.PoolOf(instance);
        var loop = exchange.Loop ?? EventLoop.Current ?? pool.AnyLoop();
        var isFresh = false;
        while (true)
        {
            // A connection that is kept is used; only who finds none has to wait.
            Http1Connection? connection;
            try
            {
                connection = (isFresh ? null : pool.TryRent(loop)) ?? await ConnectAsync(exchange, pool, loop, isFresh, deadline).ConfigureAwait(false);
            }
            catch (Exception e) when (e is UpstreamConnectException or OperationCanceledException or ObjectDisposedException)
            {
                return exchange.Context.RequestAborted.IsCancellationRequested ? new GatewayError(GatewayErrorKind.ClientAborted) : OfConnecting(e, deadline);
            }

            var isReused = connection.IsReused;
            var attempt = new Http1Attempt(exchange, service, connection, request, changes, deadline, time);
            if (isReused && !CanBeSentAgain(exchange) && connection.HasStirred)
            {
                connection.Release(); // the server has ended it: this request could not be sent a second time
                continue;
            }

            var error = await attempt.RunAsync(instance).ConfigureAwait(false);
            if (error is not { Kind: GatewayErrorKind.ConnectionTerminated } || !isReused || connection.HasAnswer || !CanBeSentAgain(exchange))
                return error;

            // The server ended a kept connection in the moment in which the request was sent: it has seen none of it.
            isFresh = true;
        }
    }

    private static async ValueTask<Http1Connection> ConnectAsync(Exchange exchange, Http1Pool pool, EventLoop loop, bool isFresh, Deadline deadline)
    {
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, exchange.Context.RequestAborted);
        return await pool.RentAsync(loop, isFresh, ends.Token).ConfigureAwait(false);
    }

    /// <summary>RFC 9110 section 9.2.2: only what is idempotent, and only while all of it is here.</summary>
    private static bool CanBeSentAgain(Exchange exchange) => !exchange.HasBody && exchange.Request.Method is ("GET" or "HEAD" or "OPTIONS" or "TRACE" or "PUT" or "DELETE");

    private static GatewayError OfConnecting(Exception e, Deadline deadline) => e switch
    {
        UpstreamConnectException connect => new GatewayError(connect.Kind, Cause: connect),
        _ when deadline.IsOver => new GatewayError(deadline.Kind, Cause: e),
        _ => new GatewayError(GatewayErrorKind.ConnectionTerminated, Cause: e),
    };
}
