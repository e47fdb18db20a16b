using Lintel.Errors;
using Lintel.Pipeline;

namespace Lintel.Policies.Fault;

/// <summary>Phase 2: delays or refuses a share of the requests.</summary>
internal sealed class FaultPolicy(FaultConfig config, PolicyParts parts) : Policy, IAdmitting
{
    private readonly GatewayError? _abort = config.Abort is { } status
        ? new GatewayError(GatewayErrorKind.FaultInjected)
        {
            LogDetail = $"status {status}",
            OwnRule = ErrorTable.Get(GatewayErrorKind.FaultInjected).WithStatus(status),
        }
        : null;

    public ValueTask<GatewayError?> AdmitAsync(Exchange exchange) => IsAffected(exchange) ? InjectAsync(exchange) : default;

    private bool IsAffected(Exchange exchange)
    {
        var routed = exchange.Routed;
        foreach (var condition in parts.Conditions)
        {
            if (!condition.Holds(in routed))
                return false;
        }

        return 100 * parts.Random.NextDouble() < config.Percent;
    }

    private async ValueTask<GatewayError?> InjectAsync(Exchange exchange)
    {
        var route = exchange.Route!.Name;
        if (config.Delay is { } delay)
        {
            parts.Metrics.FaultInjected(route, "delay");
            await Task.Delay(delay, parts.Time, exchange.Aborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (exchange.IsAborted)
                return new GatewayError(GatewayErrorKind.ClientAborted); // the pipeline knows if it was the gateway that stopped
        }

        if (_abort is not null)
            parts.Metrics.FaultInjected(route, "abort");
        return _abort;
    }
}
