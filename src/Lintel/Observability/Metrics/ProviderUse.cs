using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;

namespace Lintel.Observability.Metrics;

/// <summary>How policies use identity providers.</summary>
/// <remarks>Thread rule: any number of callers. Labels are places and issuers of the configuration.</remarks>
internal sealed class ProviderUse
{
    private readonly ConcurrentDictionary<(string Policy, bool IsAnswered), StrongBox<long>> _requests = new();
    private readonly ConcurrentDictionary<Watch, Func<TimeSpan?>> _keys = new();

    /// <summary>Creates the instruments.</summary>
    public ProviderUse(Meter meter)
    {
        // Observed, because the first requests are sent while the program starts, before anything listens to instruments.
        meter.CreateObservableCounter(
            "lintel.provider.requests",
            ObserveRequests,
            "{request}",
            "Requests of policies to their identity providers, by policy and result."
        );
        meter.CreateObservableGauge("lintel.provider.keys.age", ObserveKeys, "s", "Time since an issuer's keys were fetched last.");
    }

    /// <summary>A policy has asked its provider.</summary>
    public void Asked(string policy, bool isAnswered) =>
        Interlocked.Increment(ref _requests.GetOrAdd((policy, isAnswered), static _ => new StrongBox<long>()).Value);

    /// <summary>Observes the age of an issuer's keys, until the result is disposed.</summary>
    public IDisposable WatchKeys(string policy, string issuer, Func<TimeSpan?> age)
    {
        var watch = new Watch(this, policy, issuer);
        _keys[watch] = age;
        return watch;
    }

    private IEnumerable<Measurement<long>> ObserveRequests() =>
        _requests.Select(r => new Measurement<long>(
            Interlocked.Read(ref r.Value.Value),
            new KeyValuePair<string, object?>("lintel.policy", r.Key.Policy),
            new KeyValuePair<string, object?>("result", r.Key.IsAnswered ? "answered" : "failed")
        ));

    /// <remarks>While a reload replaces a policy, two sets of keys have the same labels: the older one counts.</remarks>
    private IEnumerable<Measurement<double>> ObserveKeys() =>
        from keys in _keys
        let age = keys.Value()
        where age is not null
        group age.Value.TotalSeconds by (keys.Key.Policy, keys.Key.Issuer) into ages
        select new Measurement<double>(
            ages.Max(),
            new KeyValuePair<string, object?>("lintel.policy", ages.Key.Policy),
            new KeyValuePair<string, object?>("lintel.issuer", ages.Key.Issuer)
        );

    private sealed class Watch(ProviderUse use, string policy, string issuer) : IDisposable
    {
        public string Policy => policy;

        public string Issuer => issuer;

        public void Dispose() => use._keys.TryRemove(this, out _);
    }
}
