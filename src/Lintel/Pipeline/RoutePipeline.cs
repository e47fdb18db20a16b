using Lintel.Errors;
using Lintel.Routing;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Lintel.Pipeline;

/// <summary>The spine: a request's life from its arrival to its line in the access log, top to bottom.</summary>
internal sealed class RoutePipeline(SnapshotHolder snapshots, RequestAccount account, TimeProvider time)
{
    private const string Unasked = "the request was changed after the application's routing, so that what the application demands of this route was not asked: "
        + "call app.UseRouting() after the middleware that changes it";

    /// <summary>What requests before the first configuration live on: it knows no route, and no log or service.</summary>
    private readonly Snapshot _nothing = new(RouteTableBuilder.Build<Route>([], []), new GatewayIdentity("lintel", "lintel"), new TrustedProxies([]), static () => { });

    /// <summary>Serves one request. Never throws, and accounts for each.</summary>
    /// <param name="context">The request.</param>
    /// <param name="origin">What brought it.</param>
    public async Task RunAsync(HttpContext context, RequestOrigin origin)
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
                exchange.Begin(context, snapshot, started, origin);
                account.Begin(exchange);
                RequestSpan.Start(exchange);
                error = isReady ? Check(exchange) : new GatewayError(GatewayErrorKind.Unavailable);
                if (error is null && !RequestChecks.AnswersOptions(exchange))
                {
                    error = Match(exchange) ?? RequestChecks.Loop(exchange) ?? RequestChecks.Body(exchange);
                    if (error is null)
                        error = await exchange.Route!.Target.RunAsync(exchange).ConfigureAwait(false) ?? AnswerContent.Verify(exchange);
                }

                if (error is not null && exchange.Framing?.Refusal is { } refusal)
                    error = refusal; // whatever the target made of it: the body went wrong underway
            }
            catch (Exception e)
            {
                error = ErrorOf(exchange, e);
            }

            if (error is { Kind: GatewayErrorKind.ClientAborted } && exchange.IsCanceledByHost)
                error = new GatewayError(GatewayErrorKind.CanceledByHost, Cause: error.Cause);
            if (error is not null)
                await AnswerAsync(exchange, error).ConfigureAwait(false);
        }
        finally
        {
            End(exchange, error, snapshot);
        }
    }

    /// <summary>What is wrong with the request before it is known whose it is.</summary>
    private static GatewayError? Check(Exchange exchange) =>
        exchange.Framing?.Refusal ?? HeadLimits.Check(exchange) ?? RequestChecks.Scheme(exchange) ?? StreamCheck.Check(exchange) ?? RequestChecks.Trace(exchange);

    private static GatewayError ErrorOf(Exchange exchange, Exception exception)
    {
        if (exchange.Framing?.Refusal is { } refusal)
            return refusal;
        return exception switch
        {
            OperationCanceledException when exchange.Context.RequestAborted.IsCancellationRequested => new GatewayError(GatewayErrorKind.ClientAborted),
            BadHttpRequestException refused => GatewayError.OfRequestBody(refused),
            _ => GatewayError.OfDefect(exception),
        };
    }

    /// <summary>Normalises the target and finds the route.</summary>
    private static GatewayError? Match(Exchange exchange)
    {
        var context = exchange.Context;
        string? problem;
        var isRead = exchange.Hosted is not { } hosted
            ? RequestTarget.TryParse(exchange.RawTarget, out var target, out problem)
            : HostedTarget.TryRead(exchange.RawTarget, context.Request, hosted.HasPathChanged(context.Request), out target, out problem);
        if (!isRead)
            return new GatewayError(GatewayErrorKind.BadTarget, problem);
        exchange.RequestTarget = target;

        var lookup = default(RouteLookup<Route>);
        var method = context.Request.Method;
        if (HttpMethods.IsConnect(method) && context.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true } connect)
        {
            if (!"websocket".Equals(connect.Protocol, StringComparison.OrdinalIgnoreCase))
                return new GatewayError(GatewayErrorKind.BadUpgrade, "of extended CONNECT only the protocol `websocket` is served");
            exchange.IsExtendedConnect = true;
            method = HttpMethods.Get; // what the same handshake is in HTTP/1.1 (RFC 8441 section 5)
        }

        var error = RouteMatch.Find(exchange, method, ref lookup);
        if (lookup.Outcome == RouteOutcome.MethodNotAllowed)
            context.Response.Headers.Allow = string.Join(", ", lookup.Allowed!);
        if (exchange.Hosted is not { } application || exchange.Route is not { } route)
            return error;
        if (!HostedTarget.IsKept(exchange.RequestTarget, out problem))
            return new GatewayError(GatewayErrorKind.BadTarget, problem);
        return application.Permits(context, route.Name) ? error : new GatewayError(GatewayErrorKind.Internal, Cause: new InvalidOperationException(Unasked));
    }

    /// <summary>Tells the client of an error as far as that is possible. Never throws.</summary>
    private static async ValueTask AnswerAsync(Exchange exchange, GatewayError error)
    {
        if (exchange.IsErrorTold || error.Kind == GatewayErrorKind.ClientAborted)
            return;
        var context = exchange.Context;
        try
        {
            if (exchange.Framing is { Refusal: not null, Reset: { } reset })
                reset();
            else if (context.Response.HasStarted)
                context.Abort(); // the client must see that the answer is not whole: HTTP/1.1 loses its connection, HTTP/2 its stream
            else
                await WriteProblemAsync(exchange, error).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // The client has left, or the server takes no answer any more: what it has of one must not look whole.
            if (e is not (OperationCanceledException or IOException))
                context.Abort();
        }
    }

    private static async ValueTask WriteProblemAsync(Exchange exchange, GatewayError error)
    {
        if (exchange.IsCanceledByHost)
            exchange.Context.RequestAborted = exchange.Hosted!.ClientAborted; // the answer still goes out
        var written = ProblemWriter.WriteAsync(exchange.Response, error, exchange.Snapshot.Identity.Name, exchange.TraceId, Closes(exchange, error));
        if (ProblemWriter.IsGrpc(exchange.Request))
            exchange.GrpcStatus = error.Rule.GrpcStatus;
        exchange.ResponseBytes += await written.ConfigureAwait(false);
    }

    /// <summary>Whether what follows on the connection cannot be told apart, or would have to be read to its end first.</summary>
    private static bool Closes(Exchange exchange, GatewayError error) =>
        exchange.Framing is { Reset: null } framing && (framing.Refusal is not null || error.Kind is GatewayErrorKind.BodyTooLarge or GatewayErrorKind.RequestTimeout);

    private void End(Exchange exchange, GatewayError? error, Snapshot snapshot)
    {
        try
        {
            account.End(exchange, error);
        }
        finally
        {
            exchange.End();
            Spares<Exchange>.Keep(exchange);
            snapshot.Leave();
        }
    }
}
