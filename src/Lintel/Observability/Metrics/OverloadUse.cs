using System.Diagnostics.Metrics;

namespace Lintel.Observability.Metrics;

/// <summary>How short the gateway is of one of its own resources.</summary>
/// <param name="Resource">The resource's label.</param>
/// <param name="Pressure">Its use relative to its limit.</param>
internal readonly record struct OverloadUse(string Resource, double Pressure)
{
    /// <summary>Creates the instruments.</summary>
    /// <param name="meter">The gateway's meter.</param>
    /// <param name="level">Returns the level of shedding.</param>
    /// <param name="resources">Returns the resources that are watched.</param>
    public static void Observe(Meter meter, Func<double> level, Func<IEnumerable<OverloadUse>> resources)
    {
        meter.CreateObservableGauge(
            "lintel.overload.level",
            level,
            description: "How much is shed: 0 nothing, 1 all requests of low priority, 2 of normal priority too, 3 nearly everything."
        );
        meter.CreateObservableGauge(
            "lintel.overload.pressure",
            () =>
                resources()
                    .Select(r => new Measurement<double>(r.Pressure, new KeyValuePair<string, object?>("lintel.resource", r.Resource))),
            description: "Use of a resource relative to its limit; above 1 the level rises."
        );
    }
}
