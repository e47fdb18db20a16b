using System.Diagnostics.Metrics;

namespace Lintel.Observability.Metrics;

/// <summary>The load and state of an instance at this moment.</summary>
internal readonly record struct InstanceUse(
    string Service,
    string Address,
    int Port,
    long Active,
    long Connections,
    bool IsAvailable,
    bool IsHeld
)
{
    private KeyValuePair<string, object?>[] Tags =>
        [new("lintel.service", Service), new("server.address", Address), new("server.port", Port)];

    /// <summary>Creates the gauges. They are observed at each collection, so that removed instances disappear with the next one.</summary>
    public static void Observe(Meter meter, Func<IEnumerable<InstanceUse>> instances)
    {
        meter.CreateObservableUpDownCounter(
            "http.client.active_requests",
            () => instances().Select(i => new Measurement<long>(i.Active, i.Tags)),
            "{request}",
            "Attempts in flight to an instance."
        );
        meter.CreateObservableUpDownCounter(
            "http.client.open_connections",
            () => instances().Select(i => new Measurement<long>(i.Connections, i.Tags)),
            "{connection}",
            "Open connections to an instance, busy or idle."
        );
        meter.CreateObservableUpDownCounter(
            "lintel.instance.available",
            () => instances().Select(i => new Measurement<int>(i.IsAvailable ? 1 : 0, i.Tags)),
            description: "1 if the health of the instance lets it get requests, 0 while it is unhealthy or ejected for its failures."
        );
        meter.CreateObservableUpDownCounter(
            "lintel.instance.held",
            () => instances().Select(i => new Measurement<int>(i.IsHeld ? 1 : 0, i.Tags)),
            description: "1 while the instance is drained or ejected by hand."
        );
    }
}
