using Lintel.Config;
using Lintel.Hosting;
using Lintel.Pipeline;
using Lintel.Services;

namespace Lintel.Control.Status;

/// <summary>The status of a gateway, as the admin API shows it.</summary>
internal static class GatewayStatus
{
    extension(Gateway gateway)
    {
        /// <summary>The status of the gateway and of its live configuration.</summary>
        public SnapshotStatus Status => SnapshotStatus.Of(gateway);

        /// <summary>What needs an operator's attention although the gateway is ready, without details; empty when nothing does.</summary>
        public IReadOnlyList<string> Notes =>
            [
                .. gateway.Fallback is { } fallback
                    ? [$"serving the last good configuration of {fallback.SavedAt:u}: the given files are not valid"]
                    : (string[])[],
                .. gateway.Parts.Overload is { Level: > 0, Reason: { } reason }
                    ? [$"requests are shed: {Shedding.Describe(reason)}"]
                    : (string[])[],
                .. gateway.LastReload is { Outcome: ReloadOutcome.Refused } reload
                    ? [$"the reload at {reload.At:u} was refused; problems: {reload.ProblemCount}"]
                    : (string[])[],
            ];

        /// <summary>The routes of the configuration, in its order. Each is created when it is enumerated: there may be very many.</summary>
        public IEnumerable<RouteStatus> Routes =>
            gateway.Config is { } config ? config.Routes.Select(r => RouteStatus.Of(r.Key, r.Value, config)) : [];

        /// <summary>The services of the configuration, in its order.</summary>
        public IEnumerable<ServiceStatus> Services =>
            gateway.Config is { } config ? config.Services.Select(s => gateway.Look(s.Key, s.Value, config)) : [];

        /// <summary>The listeners of the configuration, in its order. Empty inside another host, which has its own listeners.</summary>
        public IReadOnlyList<ListenerStatus> Listeners
        {
            get
            {
                if (!gateway.HasListeners || gateway.Config is not { } config)
                    return [];
                var bound = gateway.Addresses;
                return [.. config.EffectiveListeners.Select(l => ListenerStatus.Of(l.Key, l.Value, bound))];
            }
        }

        /// <summary>
        /// The kinds of failure since the gateway's start, the most recent first; at most 512, beyond which the least recently seen one is
        /// dropped.
        /// </summary>
        public IReadOnlyList<ErrorStatus> Errors => gateway.Parts.Errors.Recent(ErrorStatus.Of);

        /// <summary>The public keys of the tokens that services receive.</summary>
        public KeySetStatus PublicKeys => KeySetStatus.Of(gateway.Snapshots.PublicKeys);

        /// <summary>Finds a route of the configuration; <see langword="null"/> if none has this name.</summary>
        public RouteStatus? FindRoute(string name) =>
            gateway.Config is { } config && config.Routes.TryGetValue(name, out var route) ? RouteStatus.Of(name, route, config) : null;

        /// <summary>Finds a service of the configuration; <see langword="null"/> if none has this name.</summary>
        public ServiceStatus? FindService(string name) =>
            gateway.Config is { } config && config.Services.TryGetValue(name, out var service) ? gateway.Look(name, service, config) : null;

        /// <summary>Finds the running service of this name; <see langword="null"/> if the configuration has none.</summary>
        public Service? FindRunning(string name) =>
            gateway.Config is { } config && config.Services.TryGetValue(name, out var service)
                ? gateway.Parts.Services.Find(name, service, config.Defaults.Timeouts)
                : null;

        private ServiceStatus Look(string name, ServiceConfig service, GatewayConfig config)
        {
            var defaults = config.Defaults.Timeouts;
            return ServiceStatus.Of(name, service, defaults, gateway.Parts.Services.Find(name, service, defaults));
        }
    }
}
