using Lintel.Config;
using Lintel.Listeners;
using Lintel.Observability;
using Lintel.Pipeline;
using Lintel.Runtime;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Lintel.Hosting;

/// <summary>A running gateway: serves requests, and takes a new configuration whenever its source changes.</summary>
public sealed class Gateway : IDisposable
{
    private readonly GatewayParts _parts;
    private readonly ListenerSet? _listeners;
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly ILogger<Gateway> _logger;
    private volatile bool _isStopping;
    private AccessLogConfig? _accessLog;

    internal Gateway(GatewayParts parts, ListenerSet? listeners, ILogger<Gateway> logger)
    {
        _parts = parts;
        _listeners = listeners;
        _logger = logger;
    }

    /// <summary>The configuration that is being served; <see langword="null"/> before the first one.</summary>
    public GatewayConfig? Config { get; private set; }

    /// <summary>How the last attempt to take a configuration ended.</summary>
    public ConfigReport LastReport { get; private set; } = new();

    /// <summary>Called after a new configuration went live, with that configuration.</summary>
    public event Func<GatewayConfig, Task>? Applied;

    /// <summary>The addresses that are listened on, by listener. Empty inside another host: it has listeners of its own.</summary>
    public IReadOnlyList<(string Name, string Address)> Addresses => _listeners?.Addresses ?? [];

    /// <summary>Why no requests should be sent here; empty when the gateway is ready.</summary>
    public IReadOnlyList<string> NotReadyReasons => _isStopping ? ["stopping"] : Config is null ? ["no configuration"] : [];

    /// <summary>Lines of the access log that were lost since its sink was opened.</summary>
    public long DroppedAccessLogLines => _parts.AccessLog.Current.Dropped;

    /// <summary>Serves one request.</summary>
    /// <param name="context">A request from any server of ASP.NET Core.</param>
    public Task HandleAsync(HttpContext context) => _parts.Pipeline.RunAsync(context);

    /// <summary>Reads and checks the configuration without using it.</summary>
    public ConfigReport Validate()
    {
        var reading = Read();
        if (reading.Config is { } config && _parts.Compiler.Compile(config, reading.Root, reading.Report) is { } snapshot)
            snapshot.Retire();
        return reading.Report;
    }

    /// <summary>Reads the configuration again and, if it is right, puts it in the place of the one before. If it is not, nothing changes.</summary>
    /// <param name="cancellation">Gives up before the change goes live.</param>
    /// <returns>What is wrong with it, if anything.</returns>
    public async Task<ConfigReport> ReloadAsync(CancellationToken cancellation)
    {
        await _gate.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            var started = _parts.Time.GetTimestamp();
            var reading = Read();
            var applied = reading.Config is { } config && await TryApplyAsync(config, reading, cancellation).ConfigureAwait(false);
            LastReport = reading.Report;
            _parts.Metrics.Reloaded(applied);
            if (applied)
                GatewayLog.Applied(_logger, Config!.Routes.Count, Config.Services.Count, (long)_parts.Time.GetElapsedTime(started).TotalMilliseconds);
            else if (Config is not null) // a refused start throws with the whole report
                GatewayLog.Refused(_logger, reading.Report.Count, string.Concat(reading.Report.Problems.Select(p => "\n  " + p)));
            return reading.Report;
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Ends the gateway's own resources; the host calls it last.</summary>
    public void Dispose() => _gate.Dispose();

    /// <summary>Watches the source and takes every change of it, until disposed.</summary>
    internal IDisposable Watch() => _parts.Source.Watch(() => ReloadAsync(CancellationToken.None).GetAwaiter().GetResult());

    /// <summary>Stops being ready, takes no new connections, and waits for requests in flight for as long as the configuration says.</summary>
    internal async Task StopAsync()
    {
        _isStopping = true;
        await _gate.WaitAsync().ConfigureAwait(false); // a reload under way ends first; none comes after
        if (_listeners is not null)
            await _listeners.StopAsync(Config?.DrainTimeout ?? TimeSpan.Zero).ConfigureAwait(false);
        await _parts.AccessLog.ReplaceAsync(AccessLog.Open(new AccessLogConfig { To = "none" })).ConfigureAwait(false);
    }

    private SourceReading Read()
    {
        var reading = _parts.Source.Read();
        if (_listeners is null && reading.Config is { } config)
        {
            var problems = new ProblemSink(reading.Root, reading.Report);
            if (config.Listeners.Count > 0)
                problems.Add("conflict", KeyPath.Root["listeners"], "the gateway runs inside another host, which has its own listeners", "remove `listeners`");
        }

        return reading;
    }

    private async Task<bool> TryApplyAsync(GatewayConfig config, SourceReading reading, CancellationToken cancellation)
    {
        if (_parts.Compiler.Compile(config, reading.Root, reading.Report) is not { } snapshot)
            return false;
        var log = OpenAccessLog(config, reading);
        var commit = log is null ? null
            : _listeners is null ? _ => { }
        : await _listeners.OpenAsync(config, HandleAsync, reading.Root, reading.Report, cancellation).ConfigureAwait(false);
        if (log is null || commit is null)
        {
            snapshot.Retire();
            if (log is not null && log != _parts.AccessLog.Current)
                await log.DisposeAsync().ConfigureAwait(false);
            return false;
        }

        // From here on nothing can fail. New listeners answered 503 or by the old snapshot until this line.
        _parts.Snapshots.Swap(snapshot);
        Config = config;
        commit(config.DrainTimeout);
        _accessLog = config.Observability.AccessLog;
        if (log != _parts.AccessLog.Current)
            await _parts.AccessLog.ReplaceAsync(log).ConfigureAwait(false);
        if (Applied is { } applied)
            await applied(config).ConfigureAwait(false);
        return true;
    }

    private AccessLog? OpenAccessLog(GatewayConfig config, SourceReading reading)
    {
        if (config.Observability.AccessLog == _accessLog)
            return _parts.AccessLog.Current;
        try
        {
            return AccessLog.Open(config.Observability.AccessLog);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            new ProblemSink(reading.Root, reading.Report).Add("file", KeyPath.Root["observability"]["accessLog"]["to"], $"the access log cannot be opened: {e.Message}");
            return null;
        }
    }
}

/// <summary>What a gateway is made of.</summary>
internal sealed record GatewayParts(
    GatewaySource Source, SnapshotCompiler Compiler, SnapshotHolder Snapshots, RoutePipeline Pipeline, AccessLogSlot AccessLog, GatewayMetrics Metrics, TimeProvider Time);

/// <summary>Log lines of the gateway: event ids 1200 to 1299.</summary>
internal static partial class GatewayLog
{
    [LoggerMessage(EventId = 1200, Level = LogLevel.Information, Message = "Configuration applied: {Routes} routes, {Services} services, {Milliseconds} ms")]
    public static partial void Applied(ILogger logger, int routes, int services, long milliseconds);

    [LoggerMessage(EventId = 1201, Level = LogLevel.Error, Message = "Configuration refused, the one before goes on; problems: {Count}{Problems}")]
    public static partial void Refused(ILogger logger, int count, string problems);
}
