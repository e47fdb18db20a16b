using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Lintel.Observability.Metrics;

/// <summary>The result of a call of a composition.</summary>
internal readonly record struct CallMeasurement(string Route, string Call, string State, string? Error, string? Source, TimeSpan Duration);

/// <summary>Response bytes of one call. Updated by every call, observed by collections only.</summary>
internal sealed class CallBytes(string route, string call)
{
    private readonly KeyValuePair<string, object?>[] _labels = [new("lintel.route", route), new("lintel.call", call)];
    private long _sum;

    public void Add(long count) => Interlocked.Add(ref _sum, count);

    public Measurement<long> Measure() => new(Interlocked.Read(ref _sum), _labels);
}

/// <summary>The instruments of compositions and their calls. Routes and calls are names of the configuration.</summary>
internal sealed class CompositionMetrics
{
    private static readonly InstrumentAdvice<double> Seconds = new()
    {
        HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 10],
    };

    private readonly Histogram<double> _compositions;
    private readonly Histogram<double> _calls;
    private readonly ConcurrentDictionary<(string Route, string Call), CallBytes> _bytes = new();
    private readonly Counter<long> _fallbacks;
    private readonly Counter<long> _hedges;
    private readonly Counter<long> _deduplicated;
    private readonly Counter<long> _compensations;

    /// <summary>Creates the instruments.</summary>
    /// <param name="factory">The host's meter factory.</param>
    public CompositionMetrics(IMeterFactory factory)
    {
        var meter = factory.Create(GatewayTelemetry.MeterName);
        _compositions = meter.CreateHistogram(
            "lintel.composition.duration",
            "s",
            "Duration of composed responses, by result: complete, partial or failed.",
            null,
            Seconds
        );
        _calls = meter.CreateHistogram(
            "lintel.composition.call.duration",
            "s",
            "Duration of calls, including retries and fan-out, by state.",
            null,
            Seconds
        );
        meter.CreateObservableCounter(
            "lintel.composition.call.bytes",
            () => _bytes.Values.Select(b => b.Measure()),
            "By",
            "Bytes of service responses that were used in composed responses."
        );
        _fallbacks = meter.CreateCounter<long>(
            "lintel.composition.fallbacks",
            "{call}",
            "Calls that used a fallback value, by source: stale, value or null."
        );
        _hedges = meter.CreateCounter<long>("lintel.composition.hedges", "{request}", "Hedged requests: second requests to slow services.");
        _deduplicated = meter.CreateCounter<long>(
            "lintel.composition.deduplicated",
            "{request}",
            "Requests that were not sent because the same request was already in flight."
        );
        _compensations = meter.CreateCounter<long>("lintel.composition.compensations", "{request}", "Compensation requests, by result.");
    }

    internal void Ended(string route, string result, TimeSpan duration) =>
        _compositions.Record(duration.TotalSeconds, new("lintel.route", route), new("result", result));

    internal void CallEnded(in CallMeasurement call)
    {
        if (_calls.Enabled)
        {
            var tags = new TagList
            {
                { "lintel.route", call.Route },
                { "lintel.call", call.Call },
                { "state", call.State },
            };
            if (call.Error is { } error)
                tags.Add("error.type", error);
            _calls.Record(call.Duration.TotalSeconds, tags);
        }

        if (call.Source is { } source)
            _fallbacks.Add(1, new("lintel.route", call.Route), new("lintel.call", call.Call), new("source", source));
    }

    /// <summary>The counter of the response bytes of a call. It outlives the configuration of the call, like every counter.</summary>
    internal CallBytes BytesOf(string route, string call) =>
        _bytes.GetOrAdd((route, call), static key => new CallBytes(key.Route, key.Call));

    internal void Hedged(string route, string call) => _hedges.Add(1, new("lintel.route", route), new("lintel.call", call));

    internal void Deduplicated(string route, string call) => _deduplicated.Add(1, new("lintel.route", route), new("lintel.call", call));

    internal void Compensated(string route, string call, bool succeeded) =>
        _compensations.Add(1, new("lintel.route", route), new("lintel.call", call), new("result", succeeded ? "undone" : "failed"));
}
