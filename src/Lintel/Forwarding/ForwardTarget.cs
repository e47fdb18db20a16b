using Lintel.Errors;
using Lintel.Observability;
using Lintel.Pipeline;
using Lintel.Services;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Lintel.Forwarding;

/// <summary>What a forwarding route is compiled to.</summary>
/// <param name="Choice">Where requests go.</param>
/// <param name="Path">The path that the service sees; <see langword="null"/> for the request's own.</param>
/// <param name="Query">Changes of the query.</param>
/// <param name="RequestHeaders">Changes of the request's headers.</param>
/// <param name="ResponseHeaders">Changes of the response's headers.</param>
/// <param name="Mirror">Gets copies of some requests.</param>
internal sealed record ForwardPlan(ServiceChoice Choice, UpstreamPath? Path, QueryChanges Query, HeaderChanges RequestHeaders, HeaderChanges ResponseHeaders, Mirror? Mirror);

/// <summary>The attempt loop: an instance is chosen, tried, and, where nothing was sent, another one takes its place.</summary>
internal sealed class ForwardTarget(ForwardPlan plan, YarpForwarder forwarder, GatewayMetrics metrics, TimeProvider time) : Target
{
    /// <summary>Three instances that cannot be connected say enough about a service; the client should not wait for more.</summary>
    private const int MaxAttempts = 3;

    public override async ValueTask<GatewayError?> RunAsync(Exchange exchange)
    {
        var service = plan.Choice.Pick(exchange);
        exchange.Service = service.Name;
        if (UpstreamRequest.Create(exchange, plan.Path, plan.Query, plan.RequestHeaders, out var refusal) is not { } request)
            return refusal;

        var recorder = plan.Mirror?.Record(exchange);
        var hasBody = exchange.Context.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody ?? true;
        using var deadline = new CancellationTokenSource(hasBody ? Timeout.InfiniteTimeSpan : service.RequestTimeout, time);
        var body = hasBody ? new DeadlineBody(exchange.Request, deadline, service.RequestTimeout) : null;
        var error = await TryInstancesAsync(exchange, service, request, deadline).ConfigureAwait(false);
        body?.Stop();
        if (recorder is not null)
            plan.Mirror!.Send(recorder, request);
        return error;
    }

    private async ValueTask<GatewayError?> TryInstancesAsync(Exchange exchange, Service service, UpstreamRequest request, CancellationTokenSource deadline)
    {
        var instance = service.Balancer.Pick();
        List<Instance>? tried = null;
        while (true)
        {
            var error = await TryAsync(exchange, service, instance, request, deadline).ConfigureAwait(false);
            if (error is null || error.Rule.Retry != RetryScope.NothingSent || exchange.Attempts == MaxAttempts || deadline.IsCancellationRequested || exchange.Response.HasStarted)
                return error;
            (tried ??= []).Add(instance);
            if (service.Balancer.PickOther(tried) is not { } other)
                return error;
            instance = other;
            exchange.Response.StatusCode = StatusCodes.Status200OK; // the failed attempt left its own
        }
    }

    private async ValueTask<GatewayError?> TryAsync(Exchange exchange, Service service, Instance instance, UpstreamRequest request, CancellationTokenSource deadline)
    {
        exchange.Instance = instance.Name;
        exchange.Attempts++;
        var started = time.GetTimestamp();
        instance.Enter();
        GatewayError? error = null;
        try
        {
            error = await forwarder.SendAsync(exchange, service, instance, request, plan.ResponseHeaders, deadline).ConfigureAwait(false);
        }
        finally
        {
            instance.Leave();
            var duration = time.GetElapsedTime(started);
            exchange.Upstream += duration;
            metrics.AttemptEnded(request.Method, service.Name, instance.Address.Host, instance.Address.Port, error is null ? exchange.Response.StatusCode : null, error?.Rule.Slug, duration);
        }

        return error;
    }
}
