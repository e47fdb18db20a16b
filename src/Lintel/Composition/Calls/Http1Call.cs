using System.Runtime.CompilerServices;
using Lintel.Composition.Answers;
using Lintel.Errors;
using Lintel.Observability.Traces;
using Lintel.Pipeline;
using Lintel.Services.Connections;
using Lintel.Transport.Http1;
using Lintel.Transport.Loop;

namespace Lintel.Composition.Calls;

/// <summary>
/// Makes one attempt of a call over HTTP/1.1 on the event loops: the connection uses the same loop as the client's, and so does everything
/// that follows the answer.
/// </summary>
internal static class Http1Call
{
    /// <summary>
    /// Sends the request and reads the answer. With a pooled connection it starts immediately; only without one does it wait.
    /// </summary>
    public static ValueTask<FetchOutcome> SendAsync(CallAttempts attempts)
    {
        var pool = attempts.Instance.Connections!;
        var loop = attempts.Run.Exchange.Loop ?? EventLoop.Current ?? pool.AnyLoop();
        var kept = attempts.NeedsFreshConnection ? null : pool.TryRent(loop, isChecked: !attempts.IsRepeatable);
        return kept is not null
            ? ExchangeAsync(attempts, kept, attempts.LeftAtBegin)
            : ConnectAndSendAsync(attempts, loop, attempts.NeedsFreshConnection);
    }

    private static async ValueTask<FetchOutcome> ConnectAndSendAsync(CallAttempts attempts, EventLoop loop, bool isFresh)
    {
        Http1Connection connection;
        var timer = attempts.Timer(attempts.Left);
        try
        {
            connection = await attempts.Instance.Connections!.RentAsync(loop, isFresh, timer.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is UpstreamConnectException or OperationCanceledException or ObjectDisposedException)
        {
            return attempts.Explain(
                Http1Failures.Of(e, AttemptPhase.Connecting, attempts.Left <= TimeSpan.Zero ? GatewayErrorKind.ResponseTimeout : null)
            );
        }
        finally
        {
            attempts.EndTimer(timer);
        }

        if (!connection.IsReused || attempts.IsRepeatable || !connection.HasBecomeReadable)
            return await ExchangeAsync(attempts, connection, attempts.LeftForAnswer).ConfigureAwait(false);
        connection.Release(); // the server has closed it, and this request could not be sent a second time: nothing was sent
        return await ConnectAndSendAsync(attempts, loop, isFresh: true).ConfigureAwait(false);
    }

    /// <summary>Runs the exchange on one connection and returns the connection at the end.</summary>
    /// <remarks>
    /// One frame, from the first byte of the request to the last byte of the answer, that awaits only the socket: a composed answer has
    /// several in progress, and each frame below would cost every call an object and a resumption.
    /// </remarks>
    [AsyncMethodBuilder(typeof(PooledMethodBuilder<>))]
    private static async ValueTask<FetchOutcome> ExchangeAsync(CallAttempts attempts, Http1Connection connection, TimeSpan left)
    {
        if (!attempts.Hold(connection))
        {
            connection.Release();
            return CallAttempts.Canceled;
        }

        CallAnswer? answer = null;
        GatewayError? error;
        try
        {
            Write(attempts, connection);
            connection.Limit(left);
            // it is not yet a failure if the server accepts no more: its answer may already be available
            _ = await connection.FlushAsync().ConfigureAwait(false);
            while (!connection.HasFinalHead)
            {
                while (!connection.TryReadHead())
                    await connection.WaitAsync().ConfigureAwait(false);
            }

            if (connection.Head.Status == 101)
                return new GatewayError(GatewayErrorKind.ProtocolError);
            answer = ReadHead(connection.Head);
            answer.Body.TakeFrom(attempts.Run.Parts.Memory);
            while (!TryReadBody(attempts.Run, connection, answer, out error))
                await connection.WaitAsync().ConfigureAwait(false);
            if (error is null)
                return answer;
        }
        catch (OutOfMemoryException e)
        {
            error = GatewayError.OfDefect(e);
        }
        catch (Http1Exception e)
        {
            error = attempts.Explain(Http1Failures.Of(e, connection, GatewayErrorKind.ResponseTimeout));
        }
        finally
        {
            attempts.Detach();
            connection.Release();
        }

        answer?.Body.Release();
        return error;
    }

    private static void Write(CallAttempts attempts, Http1Connection connection)
    {
        var instance = attempts.Instance;
        var request = attempts.Request;
        var run = attempts.Run;
        connection.Begin(request.Method, instance.BasePath, request.Target);
        connection.AddField("Host", request.Service.HostFor(instance, run.Exchange.Host));
        run.Fields.AddTo(connection, request);
        foreach (var (name, value) in request.Headers ?? [])
            connection.AddField(name, value);
        if (request.IfNoneMatch is { } tag)
            connection.AddField("If-None-Match", tag);
        Span<byte> trace = stackalloc byte[TraceContext.TextLength];
        run.Exchange.Trace.Write(trace, attempts.Span);
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

    /// <summary>Reads the available part of the body.</summary>
    /// <returns>Whether that was its end, successful or not; otherwise more has to be awaited.</returns>
    private static bool TryReadBody(CompositionRun run, Http1Connection connection, CallAnswer answer, out GatewayError? error)
    {
        error = null;
        var body = answer.Body;
        var limits = run.Plan.Limits;
        if (connection.BodyLeft is var promised && promised != long.MaxValue && body.Length + promised > limits.Call)
            error = TooLarge(limits.Call);
        while (error is null && !connection.IsBodyWhole)
        {
            var count = connection.TryReadBody(body.Room(connection.BodyLeft == long.MaxValue ? 4096 : connection.BodyLeft).Span);
            if (count < 0)
                return false;
            body.Advance(count);
            if (body.Length > limits.Call)
                error = TooLarge(limits.Call);
            else if (!run.Spent.TryCountBytes(count))
                error = TooLarge(limits.Total);
        }

        return true;
    }

    private static GatewayError TooLarge(long limit) => new(GatewayErrorKind.AnswerTooLarge, $"the limit is {limit} bytes");
}
