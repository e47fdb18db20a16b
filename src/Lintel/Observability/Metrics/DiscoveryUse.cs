using System.Diagnostics.Metrics;

namespace Lintel.Observability.Metrics;

/// <summary>The state of the discovery of a service's instances.</summary>
/// <param name="Service">The service.</param>
/// <param name="Age">The age of the last answer; <see langword="null"/> before the first one.</param>
/// <param name="Errors">The number of failed lookups.</param>
internal readonly record struct DiscoveryUse(string Service, TimeSpan? Age, long Errors)
{
    private KeyValuePair<string, object?> Tag => new("lintel.service", Service);

    /// <summary>Creates the instruments.</summary>
    public static void Observe(Meter meter, Func<IEnumerable<DiscoveryUse>> services)
    {
        meter.CreateObservableGauge(
            "lintel.discovery.age",
            () => services().Where(s => s.Age is not null).Select(s => new Measurement<double>(s.Age!.Value.TotalSeconds, s.Tag)),
            "s",
            "Time since the last successful lookup of a service's instances."
        );
        meter.CreateObservableCounter(
            "lintel.discovery.errors",
            () => services().Select(s => new Measurement<long>(s.Errors, s.Tag)),
            "{error}",
            "Lookups of a service's instances that failed or found none."
        );
    }
}
