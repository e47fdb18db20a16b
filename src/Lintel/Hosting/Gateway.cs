using Lintel.Carriers;
using Lintel.Config;
using Lintel.Hosting.Explaining;
using Lintel.Listeners;
using Lintel.Observability;
using Lintel.Pipeline;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Lintel.Hosting;

/// <summary>A running gateway: serves requests, and takes a new configuration whenever its source changes.</summary>
public sealed class Gateway : IDisposable
{
    private readonly GatewayParts _parts;
    private readonly ListenerSet? _listeners;
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly Reloads _reloads;
    private readonly DateTimeOffset _startedAt;
    private readonly Readiness _readiness = new();
    private readonly Drain _drain;
    private readonly ConfigSwitch _switch;

    internal Gateway(GatewayParts parts, ListenerSet? listeners, ILogger<Gateway> logger)
    {
        _parts = parts;
        _listeners = listeners;
        _switch = new ConfigSwitch(parts, listeners, HandleAsync, logger);
        _startedAt = parts.Time.GetUtcNow();
        _drain = new Drain(parts, listeners, _gate, () => Config, logger);
        _reloads = new Reloads(parts, listeners is null, _switch, _drain, _gate, logger);
    }

    /// <summary>Whether requests may be sent here: there is a configuration, nothing is missing, and the gateway is not stopping.</summary>
    public bool IsReady => NotReadyReasons.Count == 0;

    /// <summary>The configuration that is being served; <see langword="null"/> before the first one.</summary>
    public GatewayConfig? Config => _switch.Loaded?.Config;

    /// <summary>
    /// Which configuration is being served: SHA-256 over its keys and values, credentials left out, equal on nodes that have the same one.
    /// <see langword="null"/> before the first one, and where it was made in code.
    /// </summary>
    public string? ConfigHash => _switch.Loaded?.Hash;

    /// <summary>
    /// What is wrong with the configuration that was read last. Where it is valid it went live; otherwise the one before is still served.
    /// </summary>
    public ConfigReport LastReport => _reloads.LastReport;

    /// <summary>How the last attempt to take a configuration ended; <see langword="null"/> before the first one.</summary>
    internal ReloadStatus? LastReload => _reloads.LastReload;

    /// <summary>Called before a valid configuration goes live: each handler makes ready what it needs for it, or refuses it.</summary>
    public event Func<ConfigChange, CancellationToken, Task>? Applying
    {
        add => _switch.Applying += value;
        remove => _switch.Applying -= value;
    }

    /// <summary>
    /// Called after a new configuration went live, with that configuration. It is live whatever happens here: a handler that fails is told
    /// in the log, and the others are called all the same.
    /// </summary>
    public event Func<GatewayConfig, Task>? Applied
    {
        add => _switch.Applied += value;
        remove => _switch.Applied -= value;
    }

    /// <summary>
    /// Called before the configuration is read again. From the outside it can be told apart from a start by <see cref="Config"/>.
    /// </summary>
    internal event Action? Reloading
    {
        add => _reloads.Reloading += value;
        remove => _reloads.Reloading -= value;
    }

    /// <summary>Called after each attempt to take a configuration, with its report: it went live or changed nothing.</summary>
    internal event Action<ConfigReport>? Reloaded
    {
        add => _reloads.Reloaded += value;
        remove => _reloads.Reloaded -= value;
    }

    /// <summary>
    /// The last good configuration that is served because the given files were not right at the start; <see langword="null"/> while the
    /// files themselves are.
    /// </summary>
    internal FallbackStatus? Fallback => _reloads.Fallback;

    /// <summary>
    /// Whether an event loop has been held by one callback for 10 s, and still is: its connections are dead, and only a restart of the
    /// process helps. The log names the route.
    /// </summary>
    internal bool IsHung => _parts.Loops?.Hangs ?? false;

    /// <summary>The addresses that are listened on, by listener. Empty inside another host: it has listeners of its own.</summary>
    internal IReadOnlyList<(string Name, string Address)> Addresses => _listeners?.Addresses ?? [];

    /// <summary>Why no requests should be sent here; empty when the gateway is ready.</summary>
    public IReadOnlyList<string> NotReadyReasons =>
        _readiness.Reasons(
            _drain.Status is not null ? "stopping"
            : Config is null ? "no configuration"
            : null
        );

    /// <summary>What an operator should look at though requests may be sent here, without details; empty when all is well.</summary>
    internal IReadOnlyList<string> Notes =>
        [
            .. Fallback is { } fallback
                ? [$"serving the last good configuration of {fallback.SavedAt:u}: the given files are not valid"]
                : (string[])[],
            .. LastReload is { Outcome: ReloadOutcome.Refused } reload
                ? [$"the reload at {reload.At:u} was refused; problems: {reload.ProblemCount}"]
                : (string[])[],
        ];

    /// <summary>The gateway and the configuration that it serves.</summary>
    internal SnapshotStatus Status
    {
        get
        {
            var (loaded, drain, now) = (_switch.Loaded, _drain.Status, _parts.Time.GetUtcNow());
            return new SnapshotStatus
            {
                Version = typeof(Gateway).Assembly.GetName().Version!.ToString(3),
                Name = loaded?.Config.Name,
                State =
                    drain is not null ? GatewayState.Draining
                    : loaded is null ? GatewayState.Starting
                    : GatewayState.Serving,
                NotReadyReasons = NotReadyReasons,
                StartedAt = _startedAt,
                UptimeSeconds = Math.Round((now - _startedAt).TotalSeconds, 3),
                Drain = drain,
                LoadedAt = loaded?.At,
                Files = loaded?.Files ?? [],
                Hash = loaded?.Hash,
                FilesDiffer = _parts.Source.HasOtherContent(),
                Memory = new MemoryStatus(_parts.Memory.Limit, _parts.Memory.Used),
                Counts = SnapshotCounts.Of(loaded?.Config, _listeners is null ? 0 : loaded?.Config.EffectiveListeners.Count ?? 0),
                LastReload = LastReload,
                Fallback = Fallback,
            };
        }
    }

    /// <summary>The routes of the configuration, in its order. Each is made when it is looked at: there may be very many.</summary>
    internal IEnumerable<RouteStatus> Routes =>
        Config is { } config ? config.Routes.Select(r => RouteStatus.Of(r.Key, r.Value, config)) : [];

    /// <summary>The services of the configuration, in its order.</summary>
    internal IEnumerable<ServiceStatus> Services => Config is { } config ? config.Services.Select(s => Look(s.Key, s.Value, config)) : [];

    /// <summary>The listeners of the configuration, in its order. Empty inside another host: it has listeners of its own.</summary>
    internal IReadOnlyList<ListenerStatus> Listeners
    {
        get
        {
            if (_listeners is null || _switch.Loaded is not { } loaded)
                return [];
            var bound = _listeners.Addresses;
            return [.. loaded.Config.EffectiveListeners.Select(l => ListenerStatus.Of(l.Key, l.Value, bound))];
        }
    }

    /// <summary>What is being served.</summary>
    internal SnapshotHolder Snapshots => _parts.Snapshots;

    /// <summary>
    /// The kinds of failure that came since the gateway's start, the last one first; at most 512, of which the one not seen for longest
    /// leaves.
    /// </summary>
    internal IReadOnlyList<ErrorStatus> Errors => _parts.Errors.Recent;

    /// <summary>Serves one request.</summary>
    /// <param name="context">A request from any server of ASP.NET Core.</param>
    internal Task HandleAsync(HttpContext context) => HandleAsync(context, static (_, _) => true);

    /// <summary>The same, behind an endpoint of the application.</summary>
    /// <param name="context">The request.</param>
    /// <param name="permits">Whether the application lets the request through to the route of this name.</param>
    internal Task HandleAsync(HttpContext context, Func<HttpContext, string, bool> permits)
    {
        var hosted = HostedRequest.Of(context, permits);
        context.Features.Set<IGatewayFeature>(new GatewayFeature(hosted));
        var request = new ClientRequest(context);
        request.Response.KeepHeaders();
        return HandleAsync(request, new RequestOrigin(null, hosted));
    }

    /// <summary>The same, for requests of the gateway's own listeners.</summary>
    private Task HandleAsync(ClientRequest request, ListenerIdentity listener) => HandleAsync(request, new RequestOrigin(listener, null));

    private Task HandleAsync(ClientRequest request, RequestOrigin origin)
    {
        if (_drain.Status is not null)
        {
            _drain.Arrived();
            Draining.RequestReconnect(request.AsHttpContext());
        }

        return _parts.Pipeline.RunAsync(request, origin);
    }

    /// <summary>A route of the configuration; <see langword="null"/> where none has this name.</summary>
    /// <param name="name">The route's name.</param>
    internal RouteStatus? FindRoute(string name) =>
        Config is { } config && config.Routes.TryGetValue(name, out var route) ? RouteStatus.Of(name, route, config) : null;

    /// <summary>A service of the configuration; <see langword="null"/> where none has this name.</summary>
    /// <param name="name">The service's name.</param>
    internal ServiceStatus? FindService(string name) =>
        Config is { } config && config.Services.TryGetValue(name, out var service) ? Look(name, service, config) : null;

    /// <summary>Adds something that the gateway's readiness depends on.</summary>
    /// <param name="reason">Gives the reason why no requests should be sent here, or <see langword="null"/>. Asked at every probe: quick,
    /// never failing, and fit to be shown without a token.</param>
    /// <returns>Takes it away again when disposed.</returns>
    public IDisposable AddReadiness(Func<string?> reason) => _readiness.Add(reason);

    /// <summary>Reads and checks the configuration without using it.</summary>
    public ConfigReport Validate()
    {
        var reading = _reloads.Check(_parts.Source.Read());
        if (reading.Config is { } config && _parts.Compiler.Compile(config, reading.Root, reading.Report) is { } snapshot)
            snapshot.Retire();
        if (reading.Config is not null)
            ListenerSet.Check(reading.Config, reading.Root, reading.Report);
        return reading.Report;
    }

    /// <summary>
    /// Reads the configuration and says what would happen to a request, without using the configuration and without sending anything.
    /// </summary>
    /// <param name="request">The request.</param>
    internal Explanation Explain(ExplainRequest request) =>
        RequestExplainer.Explain(_reloads.Check(_parts.Source.Read()), _parts.Compiler, request);

    /// <summary>
    /// Reads the configuration again and, if it is right, puts it in the place of the one before. If it is not, nothing changes.
    /// </summary>
    /// <param name="cancellation">Gives up before the change goes live.</param>
    /// <returns>What is wrong with it, if anything.</returns>
    public Task<ConfigReport> ReloadAsync(CancellationToken cancellation = default) => _reloads.RunAsync(cancellation);

    /// <summary>Ends the gateway's own resources; the host calls it last.</summary>
    public void Dispose()
    {
        _parts.AccessLog.CloseAsync().GetAwaiter().GetResult(); // its own patience bounds it; another host's requests end after StopAsync
        _parts.Errors.Dispose();
        _drain.Dispose();
        _gate.Dispose();
    }

    /// <summary>Watches the source and takes every change of it, until disposed.</summary>
    internal IDisposable Watch() => _reloads.Watch();

    /// <inheritdoc cref="Reloads.TryStartFromLastGoodAsync"/>
    internal Task<bool> TryStartFromLastGoodAsync(CancellationToken cancellation) => _reloads.TryStartFromLastGoodAsync(cancellation);

    /// <inheritdoc cref="Drain.StopAsync" />
    internal Task StopAsync(CancellationToken cancellation) => _drain.StopAsync(cancellation);

    private ServiceStatus Look(string name, ServiceConfig service, GatewayConfig config) =>
        ServiceStatus.Of(name, service, config.Defaults.Timeouts, _parts.Services.Find(name, service, config.Defaults.Timeouts));
}
