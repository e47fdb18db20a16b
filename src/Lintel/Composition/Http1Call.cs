using Lintel.Errors;
using Lintel.Observability;
using Lintel.Services;
using Lintel.Transport.Http1;
using Lintel.Transport.Loop;

namespace Lintel.Composition;

/// <summary>One attempt of a call over HTTP/1.1 on the event loops: the connection lives on the loop of the client's, and so does everything that follows the answer.</summary>
internal static class Http1Call
{
    public static async ValueTask<CallOutcome> SendAsync(CallAttempts attempts, Instance instance)
    {
        var request = attempts.Request;
        var pool = request.Service.PoolOf(instance);
        var loop = attempts.Runner.Exchange.Loop ?? EventLoop.Current ?? pool.AnyLoop();
        for (var isFresh = false; ; isFresh = true)
        {
            Http1Connection connection;
            try
            {
                connection = (isFresh ? null : pool.TryRent(loop)) ?? await ConnectAsync(attempts, pool, loop, isFresh).ConfigureAwait(false);
            }
            catch (UpstreamConnectException e)
            {
                return attempts.Explain(new GatewayError(e.Kind, Cause: e));
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return attempts.Explain(new GatewayError(attempts.Left <= TimeSpan.Zero ? GatewayErrorKind.ConnectionTimeout : GatewayErrorKind.ConnectionTerminated, Cause: e));
            }

            var isReused = connection.IsReused;
            if (isReused && !request.IsIdempotent && connection.HasStirred)
            {
                connection.Release(); // the server has ended it: this request could not be sent a second time
                continue;
            }

            if (!attempts.Hold(connection))
            {
                connection.Release();
                return attempts.Explain(new GatewayError(GatewayErrorKind.ConnectionTerminated));
            }

            var outcome = await ExchangeAsync(attempts, connection, instance).ConfigureAwait(false);
            if (outcome.Error is not { Kind: GatewayErrorKind.ConnectionTerminated } || !isReused || connection.HasAnswer || !request.IsIdempotent || attempts.Left <= TimeSpan.Zero)
                return outcome;

            // The server ended a kept connection in the moment in which the request was sent: it has seen none of it.
        }
    }

    private static async ValueTask<Http1Connection> ConnectAsync(CallAttempts attempts, Http1Pool pool, EventLoop loop, bool isFresh)
    {
        var timer = attempts.Timer();
        try
        {
            return await pool.RentAsync(loop, isFresh, timer.Token).ConfigureAwait(false);
        }
        finally
        {
            attempts.EndTimer(timer);
        }
    }

    private static async ValueTask<CallOutcome> ExchangeAsync(CallAttempts attempts, Http1Connection connection, Instance instance)
    {
        CallAnswer? answer = null;
        try
        {
            Write(attempts, connection, instance);
            connection.Limit(attempts.Left);
            await connection.FlushAsync().ConfigureAwait(false);
            do
            {
                while (!connection.TryReadHead())
                    await connection.WaitAsync().ConfigureAwait(false);
            }
            while (connection.Head.Status < 200 && connection.Head.Status != 101);
            answer = ReadHead(connection.Head);
            if (answer.Status == 101)
                return new GatewayError(GatewayErrorKind.ProtocolError);
            if (connection.BodyLeft is var length && length != long.MaxValue && length > attempts.Runner.Plan.Limits.Call)
                return Fail(answer, TooLarge(attempts.Runner.Plan.Limits.Call));
            return await ReadBodyAsync(attempts.Runner, connection, answer).ConfigureAwait(false) is { } error ? Fail(answer, error) : answer;
        }
        catch (Http1Exception e)
        {
            var kind = Translate(e.Failure, hasHead: answer is not null);
            answer?.Body.Release();
            return attempts.Explain(new GatewayError(kind, Cause: e));
        }
        finally
        {
            attempts.LetGo();
            connection.Release();
        }
    }

    private static void Write(CallAttempts attempts, Http1Connection connection, Instance instance)
    {
        var request = attempts.Request;
        var runner = attempts.Runner;
        connection.Begin(request.Method, instance.BasePath, request.Target);
        connection.AddField("Host", request.Service.HostFor(instance) ?? runner.Exchange.Request.Host.Value ?? "");
        connection.AddFields(runner.Fields.LinesFor(request));
        foreach (var (name, value) in request.Headers ?? [])
            connection.AddField(name, value);
        if (request.IfNoneMatch is { } tag)
            connection.AddField("If-None-Match", tag);
        Span<byte> trace = stackalloc byte[TraceContext.TextLength];
        runner.Exchange.Trace.Write(trace, attempts.Span);
        connection.AddField("traceparent"u8, trace);
        if (request.Body is { } body)
        {
            connection.AddField("Content-Type", request.ContentType);
            connection.EndHead(body.Length);
            connection.AddBody(body.Span);
            connection.EndBody(null);
        }
        else
        {
            connection.EndHead();
        }
    }

    private static CallAnswer ReadHead(ResponseHead head)
    {
        var answer = new CallAnswer { Status = head.Status };
        for (var i = 0; i < head.Count; i++)
            answer.Take(head[i].Name, head[i].Value);
        return answer;
    }

    private static async ValueTask<GatewayError?> ReadBodyAsync(CallRunner runner, Http1Connection connection, CallAnswer answer)
    {
        var body = answer.Body;
        while (!connection.IsBodyWhole)
        {
            var count = connection.TryReadBody(body.Room(connection.BodyLeft == long.MaxValue ? 4096 : connection.BodyLeft).Span);
            if (count > 0)
            {
                body.Advance(count);
                if (body.Length > runner.Plan.Limits.Call)
                    return TooLarge(runner.Plan.Limits.Call);
                if (!runner.TryCountBytes(count))
                    return TooLarge(runner.Plan.Limits.Total);
            }
            else if (count < 0)
            {
                await connection.WaitAsync().ConfigureAwait(false);
            }
        }

        return null;
    }

    private static GatewayError TooLarge(long limit) => new(GatewayErrorKind.AnswerTooLarge, $"at most {limit} bytes are taken");

    private static CallOutcome Fail(CallAnswer answer, GatewayError error)
    {
        answer.Body.Release();
        return error;
    }

    private static GatewayErrorKind Translate(Http1Failure failure, bool hasHead) => failure switch
    {
        Http1Failure.TimedOut => GatewayErrorKind.ResponseTimeout,
        Http1Failure.Malformed or Http1Failure.Incomplete or Http1Failure.Terminated when hasHead => GatewayErrorKind.ResponseIncomplete,
        Http1Failure.Malformed => GatewayErrorKind.ProtocolError,
        Http1Failure.HeadTooLarge => GatewayErrorKind.ResponseHeadTooLarge,
        Http1Failure.Terminated or Http1Failure.Incomplete or Http1Failure.Aborted => GatewayErrorKind.ConnectionTerminated,
        _ => GatewayErrorKind.Internal,
    };
}
