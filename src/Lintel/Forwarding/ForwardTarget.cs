using System.Runtime.CompilerServices;
using Lintel.Errors;
using Lintel.Forwarding.Grpc;
using Lintel.Observability;
using Lintel.Pipeline;
using Lintel.Services;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Lintel.Forwarding;

/// <summary>What a forwarding route is compiled to.</summary>
/// <param name="Choice">Where requests go.</param>
/// <param name="Path">The path that the service sees; <see langword="null"/> for the request's own.</param>
/// <param name="Query">Changes of the query.</param>
/// <param name="RequestHeaders">Changes of the request's headers.</param>
/// <param name="Mirror">Gets copies of some requests.</param>
internal sealed record ForwardPlan(ServiceChoice Choice, UpstreamPath? Path, QueryChanges Query, HeaderChanges RequestHeaders, Mirror? Mirror)
{
    /// <summary>The protocols that requests may switch to.</summary>
    public UpgradeSet Upgrades { get; init; } = UpgradeSet.Default;
}

/// <summary>The attempt loop: an instance is chosen, tried, and, where nothing was sent, another one takes its place.</summary>
internal sealed class ForwardTarget(ForwardPlan plan, Forwarders forwarders, GatewayMetrics metrics, ErrorLog errors, TimeProvider time) : Target
{
    /// <summary>Three instances that cannot be connected say enough about a service; the client should not wait for more.</summary>
    private const int MaxAttempts = 3;

    /// <summary>What is forwarded and how, for <c>explain</c>.</summary>
    public ForwardPlan Plan => plan;

    /// <summary>What an attempt that threw is counted as.</summary>
    private static readonly GatewayError Escaped = new(GatewayErrorKind.Internal);

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
            return new GatewayError(GatewayErrorKind.BadUpgrade, "the route does not switch to `websocket`");
        if (request.Grpc is not null || wantsUpgrade)
            AllowSilence(exchange.Context);
        var decoded = service.TranslatesGrpcWeb ? request.Grpc?.Translate(request) : null;
        var recorder = wantsUpgrade ? null : plan.Mirror?.Record(exchange);
        exchange.AttemptTimestamp = time.GetTimestamp();
        using var deadline = Deadline.Begin(service.RequestTimeout, request.Grpc?.Timeout, exchange.HasBody, time, exchange.AttemptTimestamp);

        // The attempts stand here and not in a method of their own: each async method on the way costs every request an object and a resumption.
        var forwarder = forwarders.For(service, request, exchange.IsExtendedConnect);
        var instance = service.Balancer.Pick();
        List<Instance>? tried = null;
        GatewayError? error;
        while (true)
        {
            Begin(exchange, service, instance, request);
            error = Escaped;
            try
            {
                error = await forwarder.SendAsync(exchange, service, instance, request, deadline).ConfigureAwait(false);
            }
            finally
            {
                End(exchange, service, instance, request, error);
                if (error == Escaped)
                    recorder?.Discard();
            }

            if (error is null || error.Rule.Retry != RetryScope.NothingSent || exchange.Attempts == MaxAttempts || deadline.IsOver || exchange.Response.HasStarted)
                break;
            (tried ??= []).Add(instance);
            if (service.Balancer.PickOther(tried) is not { } other)
                break;
            Saved(exchange, instance, error);
            instance = other;
            exchange.AttemptTimestamp = time.GetTimestamp();
            ResponsePhase.Restart(exchange); // the failed attempt left its own status
        }

        if (recorder is not null)
            plan.Mirror!.Send(recorder, request);
        else if (request.Grpc is null)
            request.Release(); // a copy, and a call's answer, may be under way still
        decoded?.Stop();
        return error;
    }

    /// <summary>A stream of messages may stand still for long: it has the idle timeout, and the listener's slowest rate is for uploads.</summary>
    private static void AllowSilence(HttpContext context)
    {
        if (context.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
            rate.MinDataRate = null;
    }

    /// <summary>An attempt begins: the instance is busy with it, and it is timed.</summary>
    private static void Begin(Exchange exchange, Service service, Instance instance, UpstreamRequest request)
    {
        exchange.Instance = instance.Name;
        exchange.Attempts++;
        exchange.AttemptSpan = AttemptSpan.Start(request.Method, request.PathAndQuery, request.Trace, service, instance, exchange.Attempts - 1);
        instance.Enter();
    }

    /// <summary>Another instance is tried: the failure is this one's, whatever becomes of the request.</summary>
    private void Saved(Exchange exchange, Instance instance, GatewayError error)
    {
        if (exchange.Span is { } span)
            RequestSpan.Retried(span, instance.Name, error, exchange.Attempts);
        errors.Attempted(error, exchange.Route?.Name, exchange.Service, instance.Name, exchange.TraceId);
    }

    private void End(Exchange exchange, Service service, Instance instance, UpstreamRequest request, GatewayError? error)
    {
        instance.Leave();
        var duration = time.GetElapsedTime(exchange.AttemptTimestamp);
        exchange.Upstream += duration;
        exchange.AttemptTimestamp = 0;
        int? status = error is null || exchange.Response.HasStarted ? exchange.Response.StatusCode : null;
        metrics.AttemptEnded(new AttemptOutcome(request.Method, service.Name, instance.Host, instance.Port, status, error?.Rule.Slug), duration, instance.Labels);
        EndSpan(exchange, status, error);
    }

    private static void EndSpan(Exchange exchange, int? status, GatewayError? error)
    {
        if (exchange.AttemptSpan is not { } span)
            return;
        AttemptSpan.Describe(span, status, error);
        span.Stop();
        exchange.AttemptSpan = null;
    }
}
