using System.Runtime.CompilerServices;
using Lintel.Errors;
using Lintel.Forwarding.Grpc;
using Lintel.Pipeline;
using Lintel.Services;
using Lintel.Services.Attempts;
using Lintel.Transport.Memory;

namespace Lintel.Forwarding;

/// <summary>The compiled form of a forwarding route.</summary>
/// <param name="Choice">Chooses the service of each request.</param>
/// <param name="Path">The path that is sent to the service; <see langword="null"/> for the request's own.</param>
/// <param name="Query">Changes to the query.</param>
/// <param name="RequestHeaders">Changes to the request headers.</param>
/// <param name="Mirror">Receives copies of some requests.</param>
internal sealed record ForwardPlan(
    ServiceChoice Choice,
    UpstreamPath? Path,
    QueryChanges Query,
    HeaderChanges RequestHeaders,
    Mirror? Mirror
)
{
    /// <summary>The protocols that requests may switch to.</summary>
    public UpgradeSet Upgrades { get; init; } = UpgradeSet.Default;

    /// <summary>Whether the service recognizes repeated requests, whatever their method.</summary>
    public bool IsIdempotent { get; init; }
}

/// <summary>Sends the request to an instance of a service, and again where the service's retry rules allow it.</summary>
internal sealed class ForwardTarget(ForwardPlan plan, Forwarders forwarders, AttemptParts parts, MemoryBudget memory) : Target
{
    /// <summary>The error that an attempt with an escaped exception is counted as.</summary>
    private static readonly GatewayError Escaped = new(GatewayErrorKind.Internal);

    /// <summary>The forwarding plan, for <c>explain</c>.</summary>
    public ForwardPlan Plan => plan;

    [AsyncMethodBuilder(typeof(PooledMethodBuilder<>))]
    public override async ValueTask<GatewayError?> RunAsync(Exchange exchange)
    {
        if (RequestChecks.AnswersLastHop(exchange))
            return null;
        var service = plan.Choice.Pick(exchange);
        exchange.Service = service.Name;
        if (Prepare(exchange, service, out var refusal) is not { } request)
            return refusal;

        var decoded = service.TranslatesGrpcWeb ? request.Grpc?.Translate(request) : null;
        var recorder = exchange.WantsUpgrade ? null : plan.Mirror?.Record(exchange);
        var now = parts.Time.GetTimestamp();
        using var deadline = Deadline.Begin(service.RequestTimeout, request.Grpc?.Timeout, exchange.HasBody, parts.Time, now);
        deadline.Measures = service.MeasuresLatency;
        var isIdempotent = MayRepeat(exchange, request.Method);
        var kept = KeptBody.For(exchange, service.Retries, isIdempotent, memory);

        // The attempt loop is inline and not a separate method: each async method on the path costs every request an object and a
        // resumption (decision 0015).
        var forwarder = forwarders.For(service, request, exchange.IsExtendedConnect);
        var attempts = new AttemptSeries(
            service,
            new AttemptRequest(request.Method, request.PathAndQuery, IsWhole: !exchange.HasBody, isIdempotent)
            {
                Key = service.KeyOf(exchange),
                MayReplay = kept is null ? null : kept.CanRewind,
            },
            parts
        );
        var error = attempts.TryChoose() ? null : service.Instances.Refusal;
        while (error is null)
        {
            if (!attempts.TryAdmit(now, out error))
            {
                error ??= attempts.Waited(await service.Bulkhead!.WaitAsync(Left(deadline), exchange.Aborted).ConfigureAwait(false));
                if (error is not null)
                    break;
                now = parts.Time.GetTimestamp();
            }

            attempts.Begin(request.Trace, now);
            deadline.BeginTry(service.Retries.PerTry, now);
            Note(exchange, in attempts);
            error = Escaped;
            try
            {
                error = await forwarder
                    .SendAsync(
                        exchange,
                        new ForwardAttempt(
                            service,
                            attempts.Instance,
                            request,
                            deadline,
                            attempts.IsRepeatable,
                            attempts.NeedsFreshConnection
                        )
                        {
                            Offer = service.Retries.HasStatuses ? Offer(ref attempts, deadline) : null,
                        }
                    )
                    .ConfigureAwait(false);
            }
            finally
            {
                exchange.Upstream += attempts.End(
                    error is null || exchange.Response.HasStarted ? exchange.Response.StatusCode : null,
                    error,
                    deadline.Measures ? deadline.TakeLatency(attempts.Began) : null
                );
                exchange.AttemptTimestamp = 0;
                exchange.AttemptSpan = null;
                if (error == Escaped)
                    recorder?.Discard();
            }

            if (
                error is null
                || exchange.Response.HasStarted
                || deadline.IsOver
                || !TryContinue(exchange, ref attempts, error, Left(deadline))
            )
                break;
            if (attempts.Delay > TimeSpan.Zero)
                await Task.Delay(attempts.Delay, parts.Time, exchange.Aborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            kept?.Rewind();
            error = exchange.IsAborted ? new GatewayError(GatewayErrorKind.ClientAborted) : null;
            now = parts.Time.GetTimestamp();
        }

        kept?.Dispose();
        if (recorder is not null)
            plan.Mirror!.Send(recorder, request);
        else if (request.Grpc is null)
            request.Release(); // a copy, and the answer to a call, may still be in progress
        decoded?.Stop();
        return error;
    }

    /// <summary>Creates the request for the service.</summary>
    /// <returns><see langword="null"/> if the request is refused.</returns>
    private UpstreamRequest? Prepare(Exchange exchange, Service service, out GatewayError? refusal)
    {
        if (UpstreamRequest.Create(exchange, plan.Path, plan.Query, plan.RequestHeaders, out refusal) is not { } request)
            return null;
        if (service.Affinity is { } affinity)
            request.RemoveCookie(affinity.Cookie);
        request.Grpc = GrpcCall.Of(exchange);
        exchange.Upgrade = plan.Upgrades.Choose(exchange);
        var wantsUpgrade = exchange.WantsUpgrade;
        if (exchange.IsExtendedConnect && !wantsUpgrade)
        {
            refusal = new GatewayError(GatewayErrorKind.BadUpgrade, "the route does not allow an upgrade to `websocket`");
            return null;
        }

        if (request.Grpc is not null || wantsUpgrade)
            exchange.Request.AllowPauses();
        return request;
    }

    /// <summary>
    /// Whether the request may be sent again after the service may have received it. A client that sends an <c>Idempotency-Key</c> expects
    /// the service to recognize repetitions.
    /// </summary>
    private bool MayRepeat(Exchange exchange, string method) =>
        Idempotency.Allows(method) || plan.IsIdempotent || exchange.Request.Headers.ContainsKey("Idempotency-Key");

    /// <summary>In a method of its own: in the attempt loop the closure would be an object for every request.</summary>
    private RetryOffer? Offer(ref AttemptSeries attempts, Deadline deadline) => attempts.Offer(() => Left(deadline));

    private TimeSpan? Left(Deadline deadline) => deadline.LeftOfRequest(parts.Time.GetTimestamp());

    /// <summary>Records the attempt that begins, for logs, spans and the response.</summary>
    private static void Note(Exchange exchange, in AttemptSeries attempts)
    {
        exchange.Instance = attempts.Instance.Name;
        exchange.Attempts = attempts.Count;
        exchange.AttemptSpan = attempts.Span;
        exchange.AttemptTimestamp = attempts.Began;
        exchange.Cookies = attempts.Pin(exchange);
    }

    private static bool TryContinue(Exchange exchange, ref AttemptSeries attempts, GatewayError error, TimeSpan? left)
    {
        var failed = attempts.Instance;
        if (!attempts.TryContinue(error, left, exchange.Route!.Name, exchange.TraceId))
            return false;
        if (exchange.Span is { } span)
            RequestSpan.Retried(span, failed.Name, error, attempts.Count);
        ResponsePhase.Restart(exchange); // the failed attempt may have left a status
        exchange.RequestBytes = 0; // the next attempt sends the body from its beginning
        return true;
    }
}
