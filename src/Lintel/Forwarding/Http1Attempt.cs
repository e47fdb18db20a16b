using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Lintel.Errors;
using Lintel.Pipeline;
using Lintel.Services;
using Lintel.Services.Connections;
using Lintel.Transport.Http1;
using Lintel.Transport.Loop;
using Microsoft.AspNetCore.Http;

namespace Lintel.Forwarding;

/// <summary>One request on one connection to an instance.</summary>
/// <remarks>
/// Thread rule: one flow, and a <see cref="BodyPump"/> beside it if the request has a body; a client disconnect is reported from any
/// thread.
/// </remarks>
internal sealed class Http1Attempt : IClientWatch, IRacer
{
    /// <summary>How much of a response is buffered before a flush while more is available: fewer and larger sends.</summary>
    private const int FlushThreshold = 64 * 1024;

    /// <summary>The initial read size for a response of unknown length: most are small.</summary>
    private const int UsualPiece = 4096;

    // Whether a client disconnect may still abort the exchange: the connection carries another request as soon as this one is over.
    private const int IsAttached = 0;
    private const int IsAborting = 1;
    private const int IsOver = 2;

    private static readonly Action<object?> OnAborted = static attempt => ((Http1Attempt)attempt!).ClientDisconnected();

    private readonly Exchange _exchange;
    private readonly ForwardAttempt _attempt;
    private readonly Service _service;
    private readonly Deadline _deadline;
    private readonly TimeProvider _time;
    private readonly string? _upgrade;

    private Http1Connection _connection = null!; // set by RunAsync
    private BodyPump? _pump;
    private CancellationTokenRegistration _abortRegistration;
    private bool _passesBody;
    private bool _hasWaited; // for a connection: the attempt did not begin just now
    private volatile bool _isClientGone;
    private int _clientState;

    public Http1Attempt(Exchange exchange, in ForwardAttempt attempt, TimeProvider time)
    {
        _exchange = exchange;
        _attempt = attempt;
        _service = attempt.Service;
        _deadline = attempt.Deadline;
        _time = time;
        _upgrade = exchange.Upgrade;
    }

    /// <summary>
    /// Sends the request and passes the response on. With a pooled connection it starts immediately; only without one does it wait.
    /// </summary>
    public ValueTask<GatewayError?> RunAsync()
    {
        var pool = _attempt.Instance.Connections!;
        var loop = Loop(pool);
        var kept = _attempt.NeedsFreshConnection ? null : pool.TryRent(loop, isChecked: !_attempt.IsRepeatable);
        return kept is not null ? RunAsync(kept) : ConnectAndRunAsync(pool, loop, _attempt.NeedsFreshConnection);
    }

    private async ValueTask<GatewayError?> ConnectAndRunAsync(Http1Pool pool, EventLoop loop, bool isFresh)
    {
        Http1Connection connection;
        _hasWaited = true;
        try
        {
            using var ends = CancellationTokenSource.CreateLinkedTokenSource(
                _deadline.Token,
                _exchange.Aborted,
                _attempt.Race?.CutOffToken ?? default
            );
            connection = await pool.RentAsync(loop, isFresh, ends.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is UpstreamConnectException or OperationCanceledException or ObjectDisposedException)
        {
            return _exchange.IsAborted ? new GatewayError(GatewayErrorKind.ClientAborted)
                : _attempt.Race is { IsCutOff: true } ? HedgeRace.Lost
                : Http1Failures.Of(e, AttemptPhase.Connecting, Expired);
        }

        if (!connection.IsReused || _attempt.IsRepeatable || !connection.HasBecomeReadable)
            return await RunAsync(connection).ConfigureAwait(false);
        connection.Release(); // the server has closed it, and this request could not be sent a second time: nothing was sent
        return await ConnectAndRunAsync(pool, loop, isFresh: true).ConfigureAwait(false);
    }

    /// <summary>Runs the exchange on one connection and returns the connection at the end.</summary>
    [AsyncMethodBuilder(typeof(PooledMethodBuilder<>))]
    private async ValueTask<GatewayError?> RunAsync(Http1Connection connection)
    {
        _connection = connection;
        _pump = _exchange.HasBody ? new BodyPump(_exchange, _service, connection, _deadline, _time) : null;
        GatewayError? error;
        try
        {
            WatchClient();
            Http1RequestHead.Write(connection, _attempt, _exchange);
            await SendAsync().ConfigureAwait(false);
            while (!connection.HasFinalHead)
            {
                // Awaits the socket directly: there is no frame below this one while the service processes the request.
                while (!connection.TryReadHead())
                {
                    await connection.WaitAsync().ConfigureAwait(false);
                    if (_pump?.Error is { } bodyError)
                        return bodyError; // it has aborted the exchange, and reading would only rethrow the same error
                }

                if (!connection.HasFinalHead)
                    await PassInterimAsync().ConfigureAwait(false);
            }

            if (_attempt.Race?.TryWin(connection.Head.Status) == false)
                return HedgeRace.Lost;
            if (_attempt.Offer?.Take(connection.Head.Status, null, Http1ResponseHead.RetryAfter(connection.Head)) is { } retried)
                return retried;
            HeadCame();
            if (Upgrade.Problem(_upgrade, connection.Head) is { } problem)
                return new GatewayError(GatewayErrorKind.UpgradeFailed, Cause: new UpgradeException(problem));
            _passesBody = Http1ResponseHead.Pass(connection.Head, _exchange);
            if (connection.Head.Status == StatusCodes.Status101SwitchingProtocols)
                return await TunnelAsync().ConfigureAwait(false);
            await PassBodyAsync().ConfigureAwait(false);
            await EndAsync().ConfigureAwait(false);
            return null;
        }
        catch (Http1Exception e)
        {
            error = Explain(e);
        }
        finally
        {
            // In this order: the connection must not be used after it is returned to the pool.
            UnwatchClient();
            if (_pump is { IsOver: false })
                await _pump.StopAsync().ConfigureAwait(false);
            connection.Release();
        }

        return error;
    }

    /// <summary>The client's loop, otherwise the current one.</summary>
    private EventLoop Loop(Http1Pool pool) => _exchange.Loop ?? EventLoop.Current ?? pool.AnyLoop();

    private void WatchClient()
    {
        _clientState = IsAttached;
        _attempt.Race?.Watch(this);
        if (_exchange.ClientConnection is { } client && _attempt.Race is null) // the connection has one watcher
            client.Watch(this);
        else
            _abortRegistration = _exchange.Aborted.UnsafeRegister(OnAborted, this);
    }

    private void UnwatchClient()
    {
        if (_attempt.Race is null)
            _exchange.ClientConnection?.Watch(null);
        _attempt.Race?.Watch(null);
        _abortRegistration.Dispose();
        for (var spin = new SpinWait(); Interlocked.CompareExchange(ref _clientState, IsOver, IsAttached) == IsAborting; )
            spin.SpinOnce();
    }

    /// <inheritdoc/>
    public void ClientDisconnected()
    {
        _isClientGone = true;
        Abort();
    }

    /// <inheritdoc/>
    public void CutOff() => Abort();

    /// <summary>Aborts the exchange with the instance, if it is in progress.</summary>
    private void Abort()
    {
        if (Interlocked.CompareExchange(ref _clientState, IsAborting, IsAttached) != IsAttached)
            return;
        _connection.Abort(Http1Failure.Aborted);
        Volatile.Write(ref _clientState, IsOver);
    }

    // The request.

    /// <summary>Sends the request. It is not yet a failure if the server accepts no more: its response may already be available.</summary>
    private ValueTask<bool> SendAsync()
    {
        if (_pump is not null)
        {
            _connection.EndHead(_exchange.Request.ContentLength);
            _connection.Limit(_service.IdleTimeout);
            _pump.Start();
            return new(true);
        }

        _connection.EndHead(_exchange.Request.ContentLength is not null);
        _connection.Limit(_hasWaited ? _deadline.Left : _deadline.LeftAt(_attempt.Began));
        return _connection.FlushAsync();
    }

    // The response.

    private ValueTask PassInterimAsync()
    {
        if (_connection.Head.Status == StatusCodes.Status100Continue)
            _pump?.GoAhead();
        else if (_attempt.Race is not { IsHedge: true } && Interim.To(_exchange.Request) is { } client)
            return Interim.SendAsync(
                client,
                _connection.Head.Status,
                Http1ResponseHead.Fields(_connection.Head),
                _exchange.Route!.ResponseHeaders
            );
        return default;
    }

    private void HeadCame()
    {
        _exchange.SetLoopSubject();
        _pump?.HeadCame();
        _deadline.HeadCame();
        _connection.Limit(_service.IdleTimeout);
    }

    private ValueTask PassBodyAsync()
    {
        if (_connection.IsBodyWhole || !_passesBody)
            return default; // the server writes the head when the handler ends; a body that the status does not allow ends the connection
        _connection.CheckAhead(); // a response that is malformed from its first chunk has not started for the client

        // Head and body in one write: one of Kestrel's locks instead of five. In HTTP/2 it would cost one more frame, see below.
        if (!_exchange.Request.IsHttp2 && _connection.TakeWholeBody() is { IsEmpty: false } whole)
        {
            _exchange.ResponseBytes += whole.Length;
            return PassedAsync(_exchange.Response.BodyWriter.WriteAsync(whole));
        }

        return PassPiecesAsync();
    }

    private async ValueTask PassPiecesAsync()
    {
        var response = _exchange.Response;
        await response.StartAsync().ConfigureAwait(false);
        var writer = response.BodyWriter;
        var unflushed = 0;
        var piece = UsualPiece;
        while (!_connection.IsBodyWhole)
        {
            int count;
            try
            {
                count = _connection.TryReadBody(writer.GetSpan((int)Math.Min(piece, _connection.BodyLeft)));
            }
            catch (Http1Exception) when (!_isClientGone)
            {
                await PassedAsync(writer.FlushAsync()).ConfigureAwait(false); // the client receives what arrived before the cut
                throw;
            }

            if (count > 0)
            {
                writer.Advance(count);
                _exchange.ResponseBytes += count;
                unflushed += count;
                piece = FlushThreshold;
                if (unflushed < FlushThreshold)
                    continue;
            }

            if (_connection.IsBodyWhole)
                break;

            // No more is available, or enough is buffered: the client gets what has arrived, even the head alone.
            _connection.Limit(_service.IdleTimeout);
            await PassedAsync(writer.FlushAsync()).ConfigureAwait(false);
            unflushed = 0;
            if (count < 0)
                await _connection.WaitAsync().ConfigureAwait(false);
        }

        // In HTTP/2 the last bytes and the end of the stream are one frame, if completing the response sends them.
        if (!_exchange.Request.IsHttp2)
            await PassedAsync(writer.FlushAsync()).ConfigureAwait(false);
    }

    private ValueTask PassedAsync(ValueTask<FlushResult> flushing)
    {
        if (!flushing.IsCompletedSuccessfully)
            return AwaitAsync(flushing);
        Passed(flushing.GetAwaiter().GetResult());
        return default;

        async ValueTask AwaitAsync(ValueTask<FlushResult> flushing) => Passed(await flushing.ConfigureAwait(false));
    }

    private void Passed(FlushResult result)
    {
        if (result.IsCompleted)
            ClientDisconnected();
    }

    private async ValueTask EndAsync()
    {
        if (_connection.Trailers is { Count: > 0 } trailers)
            Trailers.Send(_exchange, trailers.Select(t => KeyValuePair.Create(t.Name, t.Value)));

        // A response before the end of the request: the client has received it, and may continue sending or not.
        if (!_deadline.IsBodySent)
            await _exchange.Response.CompleteAsync().ConfigureAwait(false);
    }

    private async ValueTask<GatewayError?> TunnelAsync()
    {
        var client = await _exchange.Response.UpgradeAsync().ConfigureAwait(false);
        UnwatchClient(); // from here on a client disconnect is the end of its stream
        var end = await Tunnel.RunAsync(client, _connection.OpenTunnel(), Moved).ConfigureAwait(false);
        if (end.Error is null)
            return null;
        if (!end.AtServer)
            return new GatewayError(GatewayErrorKind.ClientAborted, Cause: end.Error);
        return Http1Failures.Of(end.Error, AttemptPhase.Body, expired: null);
    }

    /// <summary>Called by both directions, each with its own count.</summary>
    private void Moved(int received, int sent)
    {
        if (received > 0)
            _exchange.RequestBytes += received;
        if (sent > 0)
            _exchange.ResponseBytes += sent;
        _connection.Limit(_service.IdleTimeout);
    }

    private GatewayError Explain(Http1Exception e)
    {
        if (_pump?.Error is { } error)
            return error;
        if (_isClientGone || _exchange.IsAborted)
            return new GatewayError(GatewayErrorKind.ClientAborted);
        if (_attempt.Race is { IsCutOff: true })
            return HedgeRace.Lost;
        if (e.Failure == Http1Failure.TimedOut && !_connection.HasFinalHead && _deadline.IsBodySent)
            _deadline.Expire();
        return Http1Failures.Of(e, _connection, Expired);
    }

    private GatewayErrorKind? Expired => _deadline.Expired;
}
