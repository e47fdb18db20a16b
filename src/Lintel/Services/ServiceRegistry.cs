using Lintel.Config;
using Lintel.Observability.Metrics;
using Lintel.Services.Connections;
using Lintel.Services.Discovery;

namespace Lintel.Services;

/// <summary>
/// Owner of everything that outlives a reload. A service exists as long as a snapshot uses it; an equal configuration gets the same service
/// again.
/// </summary>
/// <remarks>Thread rule: every member takes the lock; none is on the request path.</remarks>
internal sealed class ServiceRegistry : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Random _random;
    private readonly TimeProvider _time;
    private readonly UpstreamDependencies _dependencies;
    private readonly Dictionary<string, Service> _newest = new(StringComparer.Ordinal);
    private readonly Dictionary<Service, int> _uses = [];

    /// <param name="random">For balancing.</param>
    /// <param name="dependencies">The dependencies of the services' connections; its metrics observe the load of the instances.</param>
    public ServiceRegistry(Random random, UpstreamDependencies dependencies)
    {
        _random = random;
        _dependencies = dependencies;
        _time = dependencies.Services.Time;
        dependencies.Metrics.Observe(Observe, ObserveServices);
        dependencies.Metrics.ObserveDiscovery(() => Discoveries().Select(d => new DiscoveryUse(d.Service, d.Age, d.Errors)));
    }

    /// <summary>Acquires the service of this name and configuration. Each call must be followed by one <see cref="Release"/>.</summary>
    /// <exception cref="System.Security.Cryptography.CryptographicException">A certificate file is not valid.</exception>
    /// <exception cref="IOException">A certificate file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">Access to a certificate file is denied.</exception>
    public Service Acquire(string name, ServiceConfig config, TimeoutsConfig defaults)
    {
        var certificates = ServiceCertificates.Read(config);
        lock (_lock)
        {
            var existing = _newest.GetValueOrDefault(name);
            var service =
                existing is not null
                && existing.Config == config
                && existing.Defaults == defaults
                && existing.Certificates == certificates.Fingerprint()
                    ? existing
                    : new Service(name, config, defaults, certificates, existing, _random, _dependencies);
            _newest[name] = service;
            _uses[service] = _uses.GetValueOrDefault(service) + 1;
            return service;
        }
    }

    /// <summary>
    /// Finds the running service of this name and configuration; <see langword="null"/> if there is none. For inspection only: the caller
    /// does not acquire it.
    /// </summary>
    public Service? Find(string name, ServiceConfig config, TimeoutsConfig defaults)
    {
        lock (_lock)
        {
            return _newest.GetValueOrDefault(name) is { } newest && Fits(newest)
                ? newest
                : _uses.Keys.FirstOrDefault(s => s.Name == name && Fits(s));
        }

        bool Fits(Service service) => service.Config == config && service.Defaults == defaults;
    }

    /// <summary>Releases a service. The last release closes its connections.</summary>
    public void Release(Service service)
    {
        lock (_lock)
        {
            if (--_uses[service] > 0)
                return;
            _uses.Remove(service);
            if (_newest.GetValueOrDefault(service.Name) == service)
            {
                // A refused reload is undone: the next one builds on the service that is still running.
                if (_uses.Keys.FirstOrDefault(s => s.Name == service.Name) is { } running)
                    _newest[service.Name] = running;
                else
                    _newest.Remove(service.Name);
            }
        }

        service.Dispose();
    }

    /// <summary>The instances of the newest generation of each service: older generations only complete their last requests.</summary>
    private List<InstanceUse> Observe()
    {
        lock (_lock)
            return
            [
                .. _newest.Values.SelectMany(s =>
                    s.Instances.All.Select(i => new InstanceUse(
                        s.Name,
                        i.Host,
                        i.Port,
                        i.Active,
                        s.OpenConnections(i),
                        i.Health.IsAvailable,
                        i.Health.Hold is not null
                    ))
                ),
            ];
    }

    /// <summary>The state of the newest generation of each service.</summary>
    private List<ServiceUse> ObserveServices()
    {
        lock (_lock)
            return
            [
                .. _newest.Values.Select(s => new ServiceUse(
                    s.Name,
                    (int?)s.Breaker?.State,
                    s.Bulkhead?.Queued,
                    s.Bulkhead?.Limit,
                    s.Retries.Budget?.Left(_time.GetTimestamp())
                )),
            ];
    }

    /// <summary>Whether services can be looked up by the service discovery of the application.</summary>
    public bool HasHostDiscovery => _dependencies.Discovery?.Host is not null;

    /// <summary>Why the gateway is not ready: services whose instances are still looked up; <see langword="null"/> for none.</summary>
    public string? Waiting()
    {
        lock (_lock)
        {
            var waiting = _newest.Values.Where(s => s.Discovery is { IsWaiting: true }).Select(s => $"`{s.Name}`").ToList();
            return waiting.Count == 0 ? null : $"waiting for the instances of {string.Join(", ", waiting)}";
        }
    }

    /// <summary>The discovery of the newest generation of each service.</summary>
    public IReadOnlyList<DiscoveryStatus> Discoveries()
    {
        lock (_lock)
            return [.. _newest.Values.Select(s => s.Discovery?.Status).OfType<DiscoveryStatus>()];
    }

    public void Dispose()
    {
        lock (_lock)
        {
            foreach (var service in _uses.Keys)
                service.Dispose();
            _uses.Clear();
            _newest.Clear();
        }
    }
}
