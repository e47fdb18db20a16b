using System.Diagnostics.Metrics;

namespace Lintel.Observability.Metrics;

/// <summary>The state of a service at this moment; <see langword="null"/> for what it does not have.</summary>
internal readonly record struct ServiceUse(string Service, int? BreakerState, int? Queued, int? Limit, int? RetriesLeft)
{
    /// <summary>Creates the gauges. They are observed at each collection, so that removed services disappear with the next one.</summary>
    public static void Observe(Meter meter, Func<IEnumerable<ServiceUse>> services)
    {
        meter.CreateObservableUpDownCounter(
            "lintel.service.breaker.state",
            () => Measure(services, s => s.BreakerState),
            description: "State of the circuit breaker: 0 closed, 1 open, 2 half-open."
        );
        meter.CreateObservableUpDownCounter(
            "lintel.service.queue",
            () => Measure(services, s => s.Queued),
            "{request}",
            "Requests that wait for a place among those in flight to a service."
        );
        meter.CreateObservableUpDownCounter(
            "lintel.service.limit",
            () => Measure(services, s => s.Limit),
            "{request}",
            "Attempts to a service that may be in flight at a time."
        );
        meter.CreateObservableUpDownCounter(
            "lintel.service.retry.budget",
            () => Measure(services, s => s.RetriesLeft),
            "{retry}",
            "Retries that the budget of a service still allows."
        );
    }

    private static IEnumerable<Measurement<int>> Measure(Func<IEnumerable<ServiceUse>> services, Func<ServiceUse, int?> value) =>
        from service in services()
        let measured = value(service)
        where measured is not null
        select new Measurement<int>(measured.Value, new KeyValuePair<string, object?>("lintel.service", service.Service));
}
