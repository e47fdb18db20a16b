using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Lintel.Errors;
using Lintel.Pipeline;
using Lintel.Services;
using Lintel.Transport.Http1;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace Lintel.Forwarding;

/// <summary>One request on one connection to an instance.</summary>
/// <remarks>Thread rule: one flow, and a <see cref="BodyPump"/> beside it where the request has a body; the client's leaving comes from anywhere.</remarks>
internal sealed class Http1Attempt
{
    /// <summary>How much of a response is collected while more is there: fewer and larger sends.</summary>
    private const int FlushThreshold = 64 * 1024;

    /// <summary>What a response of unknown length is read into at first: most are small.</summary>
    private const int UsualPiece = 4096;

    // Whether the client's leaving may still cut off the exchange: the connection carries another request as soon as this one is over.
    private const int MayLeave = 0;
    private const int IsLeaving = 1;
    private const int IsOver = 2;

    private static readonly Action<object?> Leave = static attempt => ((Http1Attempt)attempt!).ClientLeft();

    private readonly Exchange _exchange;
    private readonly Service _service;
    private readonly Http1Connection _connection;
    private readonly UpstreamRequest _request;
    private readonly HeaderChanges _changes;
    private readonly Deadline _deadline;
    private readonly TimeProvider _time;
    private readonly BodyPump? _pump;
    private readonly bool _wantsUpgrade;

    private CancellationTokenRegistration _leaving;
    private bool _hasFinalHead;
    private volatile bool _clientLeft;
    private int _leavingState;

    public Http1Attempt(Exchange exchange, Service service, Http1Connection connection, UpstreamRequest request, HeaderChanges changes, Deadline deadline, TimeProvider time)
    {
        _exchange = exchange;
        _service = service;
        _connection = connection;
        _request = request;
        _changes = changes;
        _deadline = deadline;
        _time = time;
        _pump = exchange.HasBody ? new BodyPump(exchange, service, connection, deadline, time) : null;
        _wantsUpgrade = exchange.WantsUpgrade;
    }

    /// <summary>Sends the request and passes the answer on; gives the connection back.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<GatewayError?> RunAsync(Instance instance)
    {
        try
        {
            WatchClient();
            WriteHead(instance);
            await SendAsync().ConfigureAwait(false);
            await ReadFinalHeadAsync().ConfigureAwait(false);
            if (Upgrade.Problem(_wantsUpgrade, _connection.Head) is { } problem)
                return new GatewayError(GatewayErrorKind.UpgradeFailed, Cause: new UpgradeException(problem));
            PassHead();
            if (_connection.Head.Status == StatusCodes.Status101SwitchingProtocols)
                return await TunnelAsync().ConfigureAwait(false);
            await PassBodyAsync().ConfigureAwait(false);
            await EndAsync().ConfigureAwait(false);
            return null;
        }
        catch (Http1Exception e)
        {
            return Translate(e);
        }
        finally
        {
            // In this order: nobody may touch the connection once it is given back.
            UnwatchClient();
            if (_pump is { IsOver: false })
                await _pump.StopAsync().ConfigureAwait(false);
            _connection.Release();
        }
    }

    private void WatchClient()
    {
        if (_exchange.ClientConnection is { } client)
            client.OnGone(Leave, this);
        else
            _leaving = _exchange.Context.RequestAborted.UnsafeRegister(Leave, this);
    }

    private void UnwatchClient()
    {
        _exchange.ClientConnection?.OnGone(null, null);
        _leaving.Dispose();
        for (var spin = new SpinWait(); Interlocked.CompareExchange(ref _leavingState, IsOver, MayLeave) == IsLeaving;)
            spin.SpinOnce();
    }

    private void ClientLeft()
    {
        if (Interlocked.CompareExchange(ref _leavingState, IsLeaving, MayLeave) != MayLeave)
            return;
        _clientLeft = true;
        _connection.Abort(Http1Failure.Aborted);
        Volatile.Write(ref _leavingState, IsOver);
    }

    // The request.

    private void WriteHead(Instance instance)
    {
        _connection.Begin(_request.Method, instance.BasePath, _request.PathAndQuery);
        _connection.AddField("Host", _service.HostFor(instance) ?? _request.Host);
        foreach (var (name, values) in _request.Headers)
            AddField(name, values);
        if (_request.TellsTrace)
            AddTraceParent();
        if (_wantsUpgrade)
        {
            _connection.AddField("Connection"u8, "Upgrade"u8);
            _connection.AddField("Upgrade"u8, "websocket"u8);
        }

        if (_pump is { Waits: true })
            _connection.AddField("Expect"u8, "100-continue"u8); // the service may refuse before the client sends the body
    }

    private void AddField(string name, StringValues values)
    {
        if (_pump is not null && name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase))
            return; // the body's framing is written with it
        if (values.Count == 1)
        {
            _connection.AddField(name, values[0] ?? "");
            return;
        }

        // HTTP/2 clients may send a cookie in pieces; HTTP/1.1 wants one line (RFC 9113 section 8.2.3).
        if (name.Equals("Cookie", StringComparison.OrdinalIgnoreCase))
        {
            _connection.AddField(name, string.Join("; ", values.ToArray()));
            return;
        }

        foreach (var value in values)
            _connection.AddField(name, value ?? "");
    }

    private void AddTraceParent()
    {
        Span<byte> text = stackalloc byte[Observability.TraceContext.TextLength];
        _request.Trace.Write(text, _exchange.AttemptSpan);
        _connection.AddField("traceparent"u8, text);
    }

    private ValueTask SendAsync()
    {
        if (_pump is not null)
        {
            _connection.EndHead(_exchange.Request.ContentLength);
            _connection.Limit(_service.IdleTimeout);
            _pump.Start();
            return default;
        }

        _connection.EndHead();
        _connection.Limit(_deadline.Left);
        return _connection.FlushAsync();
    }

    // The answer.

    private async ValueTask ReadFinalHeadAsync()
    {
        while (true)
        {
            await _connection.ReadHeadAsync().ConfigureAwait(false);
            var status = _connection.Head.Status;
            if (status >= 200 || status == StatusCodes.Status101SwitchingProtocols)
                break;
            if (status == StatusCodes.Status100Continue)
                _pump?.GoAhead();
            else if (Interim.To(_exchange.Context) is { } client)
                await Interim.TellAsync(client, status, Fields(_connection.Head), _changes).ConfigureAwait(false);
        }

        _exchange.TellLoop();
        _hasFinalHead = true;
        _pump?.HeadCame();
        _deadline.HeadCame();
        _connection.Limit(_service.IdleTimeout);
    }

    private static KeyValuePair<string, string>[] Fields(ResponseHead head)
    {
        var fields = new KeyValuePair<string, string>[head.Count];
        for (var i = 0; i < fields.Length; i++)
            fields[i] = KeyValuePair.Create(head[i].Name, head[i].Value);
        return fields;
    }

    private void PassHead()
    {
        var head = _connection.Head;
        var response = _exchange.Response;
        response.StatusCode = head.Status;
        var headers = response.Headers;
        var nominated = Nominated(head);
        for (var i = 0; i < head.Count; i++)
        {
            var (name, value) = head[i];
            if (HeaderRules.KeepsResponse(name) && !_changes.Removes(name) && (nominated is null || !nominated.Contains(name)))
                headers.Append(name, value);
        }

        ResponseFields.Add(_exchange, _changes, _time);
        if (head.Status == StatusCodes.Status101SwitchingProtocols)
        {
            headers.Connection = "Upgrade";
            headers.Upgrade = "websocket";
        }
    }

    private static HashSet<string>? Nominated(ResponseHead head)
    {
        var connection = StringValues.Empty;
        for (var i = 0; i < head.Count; i++)
        {
            if (head[i].Name.Equals("Connection", StringComparison.OrdinalIgnoreCase))
                connection = StringValues.Concat(connection, head[i].Value);
        }

        return connection.Count == 0 ? null : HeaderRules.Nominated(connection);
    }

    private async ValueTask PassBodyAsync()
    {
        if (_connection.IsBodyWhole)
            return; // the server writes the head when the handler ends
        var response = _exchange.Response;
        await response.StartAsync().ConfigureAwait(false);
        var writer = response.BodyWriter;
        var unflushed = 0;
        var piece = UsualPiece;
        while (!_connection.IsBodyWhole)
        {
            var count = _connection.TryReadBody(writer.GetSpan((int)Math.Min(piece, _connection.BodyLeft)));
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

            // Nothing more is there, or enough is collected: the client gets what came, the head alone included.
            _connection.Limit(_service.IdleTimeout);
            await FlushAsync(writer).ConfigureAwait(false);
            unflushed = 0;
            if (count < 0)
                await _connection.WaitForBodyAsync().ConfigureAwait(false);
        }

        await FlushAsync(writer).ConfigureAwait(false);
    }

    private ValueTask FlushAsync(PipeWriter writer)
    {
        var flushing = writer.FlushAsync();
        return flushing.IsCompletedSuccessfully ? Flushed(flushing.GetAwaiter().GetResult()) : AwaitAsync(flushing);

        async ValueTask AwaitAsync(ValueTask<FlushResult> flushing) => await Flushed(await flushing.ConfigureAwait(false)).ConfigureAwait(false);
    }

    private ValueTask Flushed(FlushResult result)
    {
        if (result.IsCompleted && _exchange.Context.RequestAborted.IsCancellationRequested)
            ClientLeft();
        return default;
    }

    private async ValueTask EndAsync()
    {
        if (_connection.Trailers is { Count: > 0 } trailers)
            Trailers.Send(_exchange, _changes, trailers.Select(t => KeyValuePair.Create(t.Name, t.Value)));

        // An answer before the end of the request: the client has it now, and may go on sending or not.
        if (!_deadline.IsBodySent)
            await _exchange.Response.CompleteAsync().ConfigureAwait(false);
    }

    private async ValueTask<GatewayError?> TunnelAsync()
    {
        var client = await _exchange.Context.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync().ConfigureAwait(false);
        UnwatchClient(); // from now on its leaving is the end of its stream
        var end = await Tunnel.RunAsync(client, _connection.OpenTunnel(), Moved).ConfigureAwait(false);
        if (end.Error is null)
            return null;
        if (!end.AtServer)
            return new GatewayError(GatewayErrorKind.ClientAborted, Cause: end.Error);
        var timedOut = (end.Error as Http1Exception ?? end.Error.InnerException as Http1Exception)?.Failure == Http1Failure.TimedOut;
        return new GatewayError(timedOut ? GatewayErrorKind.IdleTimeout : GatewayErrorKind.ResponseIncomplete, Cause: end.Error);
    }

    /// <summary>Both directions call it, each for its own count.</summary>
    private void Moved(int received, int sent)
    {
        if (received > 0)
            _exchange.RequestBytes += received;
        if (sent > 0)
            _exchange.ResponseBytes += sent;
        _connection.Limit(_service.IdleTimeout);
    }

    private GatewayError Translate(Http1Exception e)
    {
        if (_pump?.Error is { } error)
            return error;
        if (_clientLeft || _exchange.Context.RequestAborted.IsCancellationRequested)
            return new GatewayError(GatewayErrorKind.ClientAborted);
        if (e.Failure == Http1Failure.TimedOut && !_hasFinalHead && _deadline.IsBodySent)
            _deadline.Expire();
        return new GatewayError(e.Failure switch
        {
            Http1Failure.TimedOut when _deadline.IsOver => _deadline.Kind,
            Http1Failure.TimedOut => GatewayErrorKind.IdleTimeout,
            Http1Failure.Malformed or Http1Failure.Incomplete or Http1Failure.Terminated when _hasFinalHead => GatewayErrorKind.ResponseIncomplete,
            Http1Failure.Malformed => GatewayErrorKind.ProtocolError,
            Http1Failure.HeadTooLarge => GatewayErrorKind.ResponseHeadTooLarge,
            Http1Failure.Terminated or Http1Failure.Incomplete => GatewayErrorKind.ConnectionTerminated,
            _ => GatewayErrorKind.Internal,
        }, Cause: e);
    }
}
