using Lintel.Carriers;
using Lintel.Config;
using Lintel.Listeners;
using Lintel.Pipeline;
using Lintel.Runtime;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Lintel.Hosting;

/// <summary>A running gateway: serves requests, and applies a new configuration whenever its source changes.</summary>
public sealed class Gateway : IDisposable
{
    private readonly GatewayParts _parts;
    private readonly ListenerSet? _listeners;
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly Reloads _reloads;
    private readonly Readiness _readiness = new();
    private readonly Drain _drain;
    private readonly ConfigSwitch _switch;

    internal Gateway(GatewayParts parts, ListenerSet? listeners, ILogger<Gateway> logger)
    {
        _parts = parts;
        _listeners = listeners;
        _switch = new ConfigSwitch(parts, listeners, HandleAsync, logger);
        StartedAt = parts.Time.GetUtcNow();
        _drain = new Drain(parts, listeners, _gate, () => Config, logger);
        _reloads = new Reloads(parts, listeners is null, _switch, _drain, _gate, logger);
    }

    /// <summary>Whether requests may be sent to this gateway: it has a configuration, nothing is missing, and it is not stopping.</summary>
    public bool IsReady => NotReadyReasons.Count == 0;

    /// <summary>The live configuration; <see langword="null"/> before the first one.</summary>
    public GatewayConfig? Config => _switch.Loaded?.Config;

    /// <summary>
    /// A hash of the live configuration: SHA-256 over its keys and values, excluding credentials, equal on nodes with the same
    /// configuration. <see langword="null"/> before the first one, and if it was made in code.
    /// </summary>
    public string? ConfigHash => _switch.Loaded?.Hash;

    /// <summary>
    /// The problems of the configuration that was read last. If it is valid it went live; otherwise the gateway is still serving the
    /// previous one.
    /// </summary>
    public ConfigReport LastReport => _reloads.LastReport;

    /// <summary>The outcome of the last attempt to apply a configuration; <see langword="null"/> before the first one.</summary>
    internal ReloadStatus? LastReload => _reloads.LastReload;

    /// <summary>Raised before a valid configuration goes live: each handler prepares what it needs for it, or refuses it.</summary>
    public event Func<ConfigChange, CancellationToken, Task>? Applying
    {
        add => _switch.Applying += value;
        remove => _switch.Applying -= value;
    }

    /// <summary>
    /// Raised after a new configuration went live, with that configuration. It stays live in every case: an exception of a handler is
    /// logged, and the other handlers still run.
    /// </summary>
    public event Func<GatewayConfig, Task>? Applied
    {
        add => _switch.Applied += value;
        remove => _switch.Applied -= value;
    }

    /// <summary>Raised before the configuration is read again. <see cref="Config"/> distinguishes a reload from startup.</summary>
    internal event Action? Reloading
    {
        add => _reloads.Reloading += value;
        remove => _reloads.Reloading -= value;
    }

    /// <summary>Raised after each attempt to apply a configuration, with its report: it went live or changed nothing.</summary>
    internal event Action<ConfigReport>? Reloaded
    {
        add => _reloads.Reloaded += value;
        remove => _reloads.Reloaded -= value;
    }

    /// <summary>
    /// The last good configuration that is served because the given files were invalid at startup; <see langword="null"/> while the files
    /// themselves are served.
    /// </summary>
    internal FallbackStatus? Fallback => _reloads.Fallback;

    /// <summary>
    /// Whether one callback has blocked an event loop for 10 s, and still does: its connections are dead, and only a restart of the process
    /// helps. The log names the route.
    /// </summary>
    internal bool IsHung => _parts.Loops?.Hangs ?? false;

    /// <summary>The bound addresses, by listener. Empty inside another host, which has its own listeners.</summary>
    internal IReadOnlyList<(string Name, string Address)> Addresses => _listeners?.Addresses ?? [];

    /// <summary>Why no requests should be sent to this gateway; empty when it is ready.</summary>
    public IReadOnlyList<string> NotReadyReasons =>
        _readiness.Reasons(
            _drain.Status is not null ? "stopping"
            : Config is null ? "no configuration"
            : null
        );

    /// <summary>The parts, for the admin API and for tests.</summary>
    internal GatewayParts Parts => _parts;

    /// <summary>When the gateway was created.</summary>
    internal DateTimeOffset StartedAt { get; }

    /// <summary>The live configuration with its metadata; <see langword="null"/> before the first one.</summary>
    internal LoadedConfig? Loaded => _switch.Loaded;

    /// <summary>The drain in progress; <see langword="null"/> while there is none.</summary>
    internal DrainStatus? Drain => _drain.Status;

    /// <summary>Whether it has listeners of its own; not inside another host.</summary>
    internal bool HasListeners => _listeners is not null;

    /// <summary>Holds the live snapshot.</summary>
    internal SnapshotHolder Snapshots => _parts.Snapshots;

    /// <summary>Serves one request.</summary>
    /// <param name="context">A request from any server of ASP.NET Core.</param>
    internal Task HandleAsync(HttpContext context) => HandleAsync(context, static (_, _) => true);

    /// <summary>Serves one request behind an endpoint of the application.</summary>
    /// <param name="context">The request.</param>
    /// <param name="permits">Whether the application allows the request for the route of this name.</param>
    internal Task HandleAsync(HttpContext context, Func<HttpContext, string, bool> permits)
    {
        var hosted = HostedRequest.Of(context, permits);
        context.Features.Set<IGatewayFeature>(new GatewayFeature(hosted));
        var request = new ClientRequest(context);
        request.Response.KeepHeaders();
        return HandleAsync(request, new RequestOrigin(null, hosted));
    }

    /// <summary>Serves one request of the gateway's own listeners.</summary>
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

    /// <summary>Adds a condition of the gateway's readiness.</summary>
    /// <param name="reason">Returns why no requests should be sent to this gateway, or <see langword="null"/>. Called at every probe: it
    /// must be fast, must not throw, and its text is shown without a token.</param>
    /// <returns>Removes the condition when disposed.</returns>
    public IDisposable AddReadiness(Func<string?> reason) => _readiness.Add(reason);

    /// <summary>Reads the configuration without compiling or applying it.</summary>
    internal SourceReading ReadSource() => _reloads.Check(_parts.Source.Read());

    /// <summary>Reads and checks the configuration without applying it.</summary>
    public ConfigReport Validate()
    {
        var reading = ReadSource();
        if (reading.Config is { } config && _parts.Compiler.Compile(config, reading.Root, reading.Report) is { } snapshot)
            snapshot.Retire();
        if (reading.Config is not null)
            ListenerSet.Check(reading.Config, reading.Root, reading.Report);
        return reading.Report;
    }

    /// <summary>
    /// Reads the configuration again and, if it is valid, replaces the previous one with it. If it is not, nothing changes.
    /// </summary>
    /// <param name="cancellation">Cancels before the change goes live.</param>
    /// <returns>The problems, if any.</returns>
    public Task<ConfigReport> ReloadAsync(CancellationToken cancellation = default) => _reloads.RunAsync(cancellation);

    /// <summary>Releases the gateway's own resources; called by the host at the end.</summary>
    public void Dispose()
    {
        _parts.AccessLog.CloseAsync().GetAwaiter().GetResult(); // bounded by its own timeout; another host's requests end after StopAsync
        _parts.Overload.Dispose();
        _parts.Errors.Dispose();
        _drain.Dispose();
        _gate.Dispose();
    }

    /// <summary>Watches the source and applies every change of it, until disposed.</summary>
    internal IDisposable Watch() => _reloads.Watch();

    /// <inheritdoc cref="Reloads.TryStartFromLastGoodAsync"/>
    internal Task<bool> TryStartFromLastGoodAsync(CancellationToken cancellation) => _reloads.TryStartFromLastGoodAsync(cancellation);

    /// <inheritdoc cref="Drain.StopAsync" />
    internal Task StopAsync(CancellationToken cancellation) => _drain.StopAsync(cancellation);
}
