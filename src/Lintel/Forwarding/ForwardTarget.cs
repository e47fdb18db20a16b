using System.Runtime.CompilerServices;
using Lintel.Errors;
using Lintel.Forwarding.Grpc;
using Lintel.Pipeline;
using Lintel.Services.Attempts;

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
}

/// <summary>Sends the request to an instance of a service, and retries another instance if that fails before anything was sent.</summary>
internal sealed class ForwardTarget(ForwardPlan plan, Forwarders forwarders, AttemptParts parts) : Target
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
        if (UpstreamRequest.Create(exchange, plan.Path, plan.Query, plan.RequestHeaders, out var refusal) is not { } request)
            return refusal;

        request.Grpc = GrpcCall.Of(exchange);
        exchange.Upgrade = plan.Upgrades.Choose(exchange);
        var wantsUpgrade = exchange.WantsUpgrade;
        if (exchange.IsExtendedConnect && !wantsUpgrade)
            return new GatewayError(GatewayErrorKind.BadUpgrade, "the route does not allow an upgrade to `websocket`");
        if (request.Grpc is not null || wantsUpgrade)
            exchange.Request.AllowPauses();
        var decoded = service.TranslatesGrpcWeb ? request.Grpc?.Translate(request) : null;
        var recorder = wantsUpgrade ? null : plan.Mirror?.Record(exchange);
        var now = parts.Time.GetTimestamp();
        using var deadline = Deadline.Begin(service.RequestTimeout, request.Grpc?.Timeout, exchange.HasBody, parts.Time, now);

        // The attempt loop is inline and not a separate method: each async method on the path costs every request an object and a
        // resumption (decision 0015).
        var forwarder = forwarders.For(service, request, exchange.IsExtendedConnect);
        var attempts = new AttemptSeries(
            service,
            request.Method,
            request.PathAndQuery,
            isWhole: !exchange.HasBody,
            service.KeyOf(exchange),
            parts
        );
        GatewayError? error = attempts.TryChoose() ? null : new GatewayError(GatewayErrorKind.NoInstance);
        while (error is null)
        {
            attempts.Begin(request.Trace, now);
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
                    )
                    .ConfigureAwait(false);
            }
            finally
            {
                exchange.Upstream += attempts.End(
                    error is null || exchange.Response.HasStarted ? exchange.Response.StatusCode : null,
                    error
                );
                exchange.AttemptTimestamp = 0;
                exchange.AttemptSpan = null;
                if (error == Escaped)
                    recorder?.Discard();
            }

            if (error is null || exchange.Response.HasStarted || deadline.IsOver || !TryContinue(exchange, ref attempts, error))
                break;
            error = null;
            now = parts.Time.GetTimestamp();
        }

        if (recorder is not null)
            plan.Mirror!.Send(recorder, request);
        else if (request.Grpc is null)
            request.Release(); // a copy, and the answer to a call, may still be in progress
        decoded?.Stop();
        return error;
    }

    /// <summary>Records the attempt that begins, for logs and spans.</summary>
    private static void Note(Exchange exchange, in AttemptSeries attempts)
    {
        exchange.Instance = attempts.Instance.Name;
        exchange.Attempts = attempts.Count;
        exchange.AttemptSpan = attempts.Span;
        exchange.AttemptTimestamp = attempts.Began;
    }

    private static bool TryContinue(Exchange exchange, ref AttemptSeries attempts, GatewayError error)
    {
        var failed = attempts.Instance;
        if (!attempts.TryContinue(error, exchange.Route!.Name, exchange.TraceId))
            return false;
        if (exchange.Span is { } span)
            RequestSpan.Retried(span, failed.Name, error, attempts.Count);
        ResponsePhase.Restart(exchange); // the failed attempt may have left a status
        return true;
    }
}
