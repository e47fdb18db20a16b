using Lintel.Carriers;
using Lintel.Errors;
using Lintel.Routing;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;

namespace Lintel.Pipeline;

/// <summary>The request pipeline: from the arrival of a request to its line in the access log, in seven phases, top to bottom.</summary>
/// <remarks>
/// <list type="number">
/// <item><term>0 receive</term><description>the server has read the head; errors in it are detected here, and answered like any other
/// error.</description></item>
/// <item><term>1 match</term><description>the route is found; a CORS preflight is answered at its end.</description></item>
/// <item><term>2 admit</term><description>an overloaded gateway sheds requests; the route's policies may refuse.</description></item>
/// <item><term>3 answer</term><description>the route's policies may answer.</description></item>
/// <item><term>4 target</term><description>the route's target answers: forward, compose, redirect, respond.</description></item>
/// <item><term>5 respond</term><description>before a head leaves, whoever made it: <see cref="ResponsePhase"/>.</description></item>
/// <item><term>6 done</term><description>always: policies, spans, metrics, logs, and the snapshot's count.</description></item>
/// </list>
/// </remarks>
internal sealed class RoutePipeline(SnapshotHolder snapshots, RequestAccount account, Shedding shedding, TimeProvider time)
{
    private const string NotAuthorizedByHost =
        "the request was changed after the application's routing, so the application's requirements for this route were not checked: "
        + "call app.UseRouting() after the middleware that changes it";

    /// <summary>The snapshot of requests before the first configuration, without routes, logs and services.</summary>
    private readonly Snapshot _nothing = new(
        RouteTableBuilder.Build<Route>([], []),
        new GatewayIdentity("lintel", "lintel"),
        new TrustedProxies([]),
        static () => { }
    );

    /// <summary>
    /// The longest body that an overloaded gateway receives only to discard it: beyond it the client's new connection costs less.
    /// </summary>
    private const long MaxDiscarded = 64 * 1024;

    private long _stopped;

    /// <summary>Requests that were cut off because a listener closed, since the start.</summary>
    public long Stopped => Volatile.Read(ref _stopped);

    /// <summary>Serves one request. Never throws, and accounts for each request.</summary>
    /// <param name="request">The request.</param>
    /// <param name="origin">Its origin.</param>
    public async Task RunAsync(ClientRequest request, RequestOrigin origin)
    {
        var started = time.GetTimestamp();
        var snapshot = snapshots.Enter();
        var isReady = snapshot is not null;
        if (snapshot is null)
            (snapshot = _nothing).TryEnter();
        var exchange = Spares<Exchange>.Take() ?? new Exchange();
        GatewayError? error = null;
        try
        {
            try
            {
                exchange.Begin(request, snapshot, started, origin);
                account.Begin(exchange);
                RequestSpan.Start(exchange);
                error = isReady ? Check(exchange) : new GatewayError(GatewayErrorKind.Unavailable); // 0 receive
                if (error is null && !RequestChecks.AnswersOptions(exchange))
                {
                    error = Match(exchange); // 1 match
                    if (error is null && exchange.IsPreflight)
                    {
                        // carries no credentials: must precede authentication
                        error = exchange.Route!.Policies.Preflight!.Preflight(exchange);
                    }
                    else if (error is null)
                    {
                        error = RequestChecks.Loop(exchange) ?? shedding.Refusal(exchange) ?? RequestChecks.Body(exchange);
                        var route = exchange.Route!;
                        if (error is null && route.Policies.Admitting.Length > 0)
                            error = await AdmitAsync(exchange).ConfigureAwait(false); // 2 admit
                        // 3 answer
                        if (error is null && (route.Policies.Answering.Length == 0 || !await AnswerAsync(exchange).ConfigureAwait(false)))
                            error = await route.Target.RunAsync(exchange).ConfigureAwait(false); // 4 target
                    }
                }

                error ??= AnswerContent.Verify(exchange); // 5 respond, if the response has not been written yet

                if (error is not null && exchange.Framing?.Refusal is { } refusal)
                    error = refusal; // overrides the target's result: the body turned out to be malformed
            }
            catch (Exception e)
            {
                error = ErrorOf(exchange, e);
            }

            if (error is not null && MayBeExplained(exchange, error))
                error = Explain(exchange, error);
            if (error is not null)
                await ReportErrorAsync(exchange, error).ConfigureAwait(false);
        }
        finally
        {
            End(exchange, error, snapshot); // 6 done
        }
    }

    /// <summary>Checks a request before its route is known.</summary>
    private static GatewayError? Check(Exchange exchange) =>
        exchange.Framing?.Refusal
        ?? HeadLimits.Check(exchange)
        ?? RequestChecks.Scheme(exchange)
        ?? StreamCheck.Check(exchange)
        ?? RequestChecks.Trace(exchange);

    private static GatewayError ErrorOf(Exchange exchange, Exception exception)
    {
        if (exchange.Framing?.Refusal is { } refusal)
            return refusal;
        return exception switch
        {
            OperationCanceledException when exchange.IsAborted => new GatewayError(GatewayErrorKind.ClientAborted),
            ConnectionAbortedException or ConnectionResetException => // before the token is canceled
            new GatewayError(GatewayErrorKind.ClientAborted, Cause: exception),
            BadHttpRequestException refused => GatewayError.OfRequestBody(refused),
            _ => GatewayError.OfDefect(exception),
        };
    }

    /// <summary>
    /// Whether an error may be due to the end of the client's connection: that, an incomplete body, and at a stop, which ends everything,
    /// whatever has failed first.
    /// </summary>
    private static bool MayBeExplained(Exchange exchange, GatewayError error) =>
        error.Kind is GatewayErrorKind.ClientAborted or GatewayErrorKind.BadRequestBody
        || exchange.CutReason is { Kind: GatewayErrorKind.Stopped };

    /// <summary>The reason of a request that ended with a lost connection or an incomplete body, if the client did not cause it.</summary>
    private GatewayError Explain(Exchange exchange, GatewayError error)
    {
        if (exchange.IsCanceledByHost)
            return error.Kind == GatewayErrorKind.ClientAborted
                ? new GatewayError(GatewayErrorKind.CanceledByHost, Cause: error.Cause)
                : error;
        if (exchange.CutReason is not { } reason)
            return error;
        exchange.IsErrorReported = true; // the client is gone
        if (reason.Kind == GatewayErrorKind.Stopped)
            Interlocked.Increment(ref _stopped);
        return reason with { Cause = error.Cause, Detail = error.Detail is null ? reason.Detail : reason.Detail + "; " + error.Detail };
    }

    /// <summary>Normalizes the target and finds the route.</summary>
    private static GatewayError? Match(Exchange exchange)
    {
        string? problem;
        var isRead = exchange.Hosted is not { } hosted
            ? RequestTarget.TryParse(exchange.RawTarget, out var target, out problem)
            : hosted.TryReadTarget(exchange.Request, out target, out problem);
        if (!isRead)
            return new GatewayError(GatewayErrorKind.BadTarget, problem);
        exchange.RequestTarget = target;

        var lookup = default(RouteLookup<Route>);
        var method = exchange.Request.Method;
        if (HttpMethods.IsConnect(method) && exchange.Request.ConnectProtocol is { } protocol)
        {
            if (!"websocket".Equals(protocol, StringComparison.OrdinalIgnoreCase))
                return new GatewayError(GatewayErrorKind.BadUpgrade, "extended CONNECT is supported only for the protocol `websocket`");
            exchange.IsExtendedConnect = true;
            method = HttpMethods.Get; // the method of the same handshake in HTTP/1.1 (RFC 8441 section 5)
        }

        var error = RouteMatch.Find(exchange, method, ref lookup);
        if (exchange.Hosted is not { } application || exchange.Route is not { } route)
            return error;
        if (!HostedTarget.IsKept(exchange.RequestTarget, out problem))
            return new GatewayError(GatewayErrorKind.BadTarget, problem);
        return application.Permits(exchange.Request.AsHttpContext(), route.Name)
            ? error
            : new GatewayError(GatewayErrorKind.Internal, Cause: new InvalidOperationException(NotAuthorizedByHost));
    }

    private static async ValueTask<GatewayError?> AdmitAsync(Exchange exchange)
    {
        foreach (var policy in exchange.Route!.Policies.Admitting)
        {
            if (await policy.AdmitAsync(exchange).ConfigureAwait(false) is { } refusal)
                return refusal;
        }

        return null;
    }

    private static async ValueTask<bool> AnswerAsync(Exchange exchange)
    {
        foreach (var policy in exchange.Route!.Policies.Answering)
        {
            if (await policy.AnswerAsync(exchange).ConfigureAwait(false))
                return true;
        }

        return false;
    }

    /// <summary>Reports an error to the client as far as that is possible. Never throws.</summary>
    private static async ValueTask ReportErrorAsync(Exchange exchange, GatewayError error)
    {
        if (exchange.IsErrorReported || error.Kind == GatewayErrorKind.ClientAborted)
            return;
        try
        {
            if (exchange.Framing is { Refusal: not null, Reset: { } reset })
                reset();
            else if (exchange.Response.HasStarted)
                exchange.Request.Abort(); // the client must be able to detect the incomplete response
            else
                await WriteProblemAsync(exchange, error).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // The client has disconnected, or the server accepts no more output. A partial response must not look complete.
            if (e is not (OperationCanceledException or IOException))
                exchange.Request.Abort();
        }
    }

    private static async ValueTask WriteProblemAsync(Exchange exchange, GatewayError error)
    {
        if (exchange.IsCanceledByHost)
            exchange.Request.Aborted = exchange.Hosted!.ClientAborted; // the response can still be sent
        ResponsePhase.Restart(exchange);
        var content = ProblemWriter.Fill(
            exchange.Response,
            error,
            exchange.Snapshot.Identity.Name,
            exchange.TraceId,
            Closes(exchange, error)
        );
        if (ProblemWriter.IsGrpc(exchange.Request))
            exchange.GrpcStatus = error.Rule.GrpcStatus;
        if (!ResponsePhase.Enter(exchange) || content.IsEmpty)
            return;
        await exchange.Response.Body.WriteAsync(content, exchange.Aborted).ConfigureAwait(false);
        exchange.ResponseBytes += content.Length;
    }

    /// <summary>
    /// Whether the connection must close, because the bytes that follow on it cannot be framed, or would have to be read to the end first.
    /// </summary>
    private static bool Closes(Exchange exchange, GatewayError error) =>
        exchange.Framing is { Reset: null } framing
        && (
            framing.Refusal is not null
            || error.Kind is GatewayErrorKind.BodyTooLarge or GatewayErrorKind.RequestTimeout
            || (error.Kind == GatewayErrorKind.Overloaded && exchange.HasBody && !(exchange.Request.ContentLength <= MaxDiscarded))
        );

    private void End(Exchange exchange, GatewayError? error, Snapshot snapshot)
    {
        try
        {
            if (exchange.Route is { Policies.Concluding: { Length: > 0 } concluding })
                Conclude(exchange, error, concluding);
            account.End(exchange, error);
        }
        finally
        {
            exchange.Held?.Dispose();
            exchange.End();
            Spares<Exchange>.Keep(exchange);
            snapshot.Exit();
        }
    }

    private void Conclude(Exchange exchange, GatewayError? error, IConcluding[] policies)
    {
        foreach (var policy in policies)
        {
            try
            {
                policy.Conclude(exchange, error);
            }
            catch (Exception e)
            {
                account.Failed(exchange, e);
            }
        }
    }
}
