using Lintel.Config;

namespace Lintel.Services;

/// <summary>Owns what must outlive a reload. A service lives as long as a snapshot uses it; an equal configuration gets the same service again.</summary>
/// <remarks>Thread rule: every member takes the lock; none is on the request path.</remarks>
internal sealed class ServiceRegistry(Random random) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Service> _newest = new(StringComparer.Ordinal);
    private readonly Dictionary<Service, int> _uses = [];

    /// <summary>The service of this name and configuration, with one more user. Each call is followed by one <see cref="Release"/>.</summary>
    /// <exception cref="System.Security.Cryptography.CryptographicException">A certificate's file cannot be used.</exception>
    public Service Acquire(string name, ServiceConfig config, TimeoutsConfig defaults)
    {
        lock (_lock)
        {
            var existing = _newest.GetValueOrDefault(name);
            var service = existing is not null && existing.Config == config && existing.Defaults == defaults
                ? existing
                : new Service(name, config, defaults, existing, random);
            _newest[name] = service;
            _uses[service] = _uses.GetValueOrDefault(service) + 1;
            return service;
        }
    }

    /// <summary>One user fewer. The last one closes the service's connections.</summary>
    public void Release(Service service)
    {
        lock (_lock)
        {
            if (--_uses[service] > 0)
                return;
            _uses.Remove(service);
            if (_newest.GetValueOrDefault(service.Name) == service)
            {
                // A refused reload leaves again: the service that still runs is the one to build on.
                if (_uses.Keys.FirstOrDefault(s => s.Name == service.Name) is { } running)
                    _newest[service.Name] = running;
                else
                    _newest.Remove(service.Name);
            }
        }

        service.Dispose();
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
