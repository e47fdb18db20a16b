using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Listeners;
using Lintel.Observability.Logs;
using Lintel.Pipeline;
using Lintel.Runtime;
using Lintel.Services;
using Lintel.Services.Discovery;
using Lintel.Transport.Loop;
using Microsoft.Extensions.Logging;

namespace Lintel.Hosting;

/// <summary>
/// Replaces the live configuration with a new one: first everything that can refuse it, then one reference write, then its followers.
/// </summary>
/// <remarks>Thread rule: one caller at a time, under the gateway's reload gate; <see cref="Loaded"/> may be read from any thread.</remarks>
internal sealed class ConfigSwitch(GatewayParts parts, ListenerSet? listeners, RequestHandler handle, ILogger logger)
{
    private volatile LoadedConfig? _loaded;
    private AccessLogConfig? _accessLog;

    /// <summary>The live configuration; <see langword="null"/> before the first one.</summary>
    public LoadedConfig? Loaded => _loaded;

    /// <inheritdoc cref="Gateway.Applying"/>
    public event Func<ConfigChange, CancellationToken, Task>? Applying;

    /// <inheritdoc cref="Gateway.Applied"/>
    public event Func<GatewayConfig, Task>? Applied;

    /// <summary>Makes the configuration live, or adds the reason to the report. Once it is live nothing throws.</summary>
    public async Task<bool> TryApplyAsync(GatewayConfig config, SourceReading reading, CancellationToken cancellation)
    {
        // At startup nothing else needs the processor; later, requests take precedence.
        var (compiled, hash) = _loaded is null
            ? Compile(config, reading)
            : await BackgroundThread.RunAsync("lintel-compile", () => Compile(config, reading)).ConfigureAwait(false);
        if (compiled is not { } snapshot)
            return false;
        CheckProcess(config, reading);
        var log = OpenAccessLog(config, reading);
        var change = new ConfigChange(config, reading.Root, reading.Report);
        Action<TimeSpan>? commit = null;
        try
        {
            if (_loaded is not null && reading.Report.IsValid)
                await DiscoverAsync(snapshot, cancellation).ConfigureAwait(false);
            if (log is not null)
                commit = await PrepareAsync(change, reading, () => Serve(snapshot, config, log), cancellation).ConfigureAwait(false);
        }
        finally
        {
            if (commit is null)
                await UndoAsync(change, snapshot, log).ConfigureAwait(false);
        }

        if (commit is null)
            return false;
        var loaded = new LoadedConfig(config, parts.Time.GetUtcNow(), hash, [.. reading.Contents.Keys.Order(StringComparer.Ordinal)]);
        await GoLiveAsync(snapshot, loaded, log!, commit, change).ConfigureAwait(false);
        return true;
    }

    /// <summary>Runs everything that can refuse the configuration; <see langword="null"/> if it was refused.</summary>
    private async Task<Action<TimeSpan>?> PrepareAsync(
        ConfigChange change,
        SourceReading reading,
        Action serve,
        CancellationToken cancellation
    )
    {
        foreach (var handler in Delegate.EnumerateInvocationList(Applying))
            await change.PrepareAsync(handler, cancellation).ConfigureAwait(false);

        // At startup every address that cannot be bound is reported; later, listeners are not changed for a configuration that is already
        // refused.
        if (_loaded is not null && !reading.Report.IsValid)
            return null;

        // The first open listener must be able to serve: a client that connects while the others open, or code is compiled, must not get an
        // error.
        if (_loaded is null && reading.Report.IsValid)
            serve();
        if (listeners is not null)
            return await listeners.OpenAsync(change.Config, handle, reading.Root, reading.Report, cancellation).ConfigureAwait(false);
        return reading.Report.IsValid ? static _ => { } : null;
    }

    /// <summary>
    /// Waits for the instances of services that have none yet: requests that are served now must not fail because of a reload. A service
    /// without an answer does not hold it up for long.
    /// </summary>
    private async Task DiscoverAsync(Snapshot snapshot, CancellationToken cancellation)
    {
        snapshot.Start();
        try
        {
            await snapshot.Ready().WaitAsync(InstanceDiscovery.Patience, parts.Time, cancellation).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // the log says which
        }
    }

    private async Task UndoAsync(ConfigChange change, Snapshot snapshot, AccessLog? log)
    {
        await change.RollBackAsync((_, e) => GatewayLog.RollbackFailed(logger, e)).ConfigureAwait(false);
        if (!parts.Snapshots.Withdraw(snapshot))
            snapshot.Retire();
        if (log is null)
            return;
        if (log != parts.AccessLog.Current)
            log.Discard();
        else if (_loaded is null)
            await parts.AccessLog.CloseAsync().ConfigureAwait(false);
    }

    /// <summary>
    /// Makes the configuration live. From here on nothing can refuse it: a failing step is reported as such, and does not prevent the
    /// others from running.
    /// </summary>
    private async Task GoLiveAsync(Snapshot snapshot, LoadedConfig loaded, AccessLog log, Action<TimeSpan> commit, ConfigChange change)
    {
        var config = loaded.Config;
        _loaded = loaded;
        Serve(snapshot, config, log);
        Follow("the listeners", () => commit(config.DrainTimeout));
        await change.CommitAsync(Failed).ConfigureAwait(false);
        _accessLog = AccessLogOf(config);
        foreach (var follower in Delegate.EnumerateInvocationList(Applied))
        {
            try
            {
                await follower(config).ConfigureAwait(false);
            }
            catch (Exception e)
            {
                Failed(Follower.NameOf(follower), e);
            }
        }
    }

    /// <summary>Switches the configuration: from here on requests use it, and are logged by its settings.</summary>
    private void Serve(Snapshot snapshot, GatewayConfig config, AccessLog log)
    {
        parts.Overload.Apply(config.Overload);
        parts.Memory.Limit = config.Limits.Memory.Of(ProcessMemory.Available);
        if (log != parts.AccessLog.Current)
            Follow("the access log", () => parts.AccessLog.Replace(log));
        snapshot.Start();
        Follow("the release of the previous configuration", () => parts.Snapshots.Swap(snapshot)); // its first step is the switch
    }

    private void Follow(string name, Action step)
    {
        try
        {
            step();
        }
        catch (Exception e)
        {
            Failed(name, e);
        }
    }

    private void Failed(string follower, Exception cause) => GatewayLog.FollowerFailed(logger, follower, cause.Message, cause);

    private (Snapshot? Snapshot, string? Hash) Compile(GatewayConfig config, SourceReading reading) =>
        parts.Compiler.Compile(config, reading.Root, reading.Report) is { } snapshot
            ? (snapshot, ConfigHash.Of(reading.Root))
            : (null, null);

    /// <summary>
    /// Refuses what this process does not support: leniency, and discovery by the application. Not a check of the configuration: where that
    /// is validated, another process may serve it.
    /// </summary>
    private void CheckProcess(GatewayConfig config, SourceReading reading)
    {
        foreach (var (name, service) in config.Services)
        {
            if (service.Discover?.Host is not null && !parts.Services.HasHostDiscovery)
                new ProblemSink(reading.Root, reading.Report).Add(
                    "not-available",
                    KeyPath.Root["services"][name]["discover"]["host"],
                    "the gateway does not run inside an application with service discovery",
                    "add `AddServiceDiscovery()` to the application's services, or use another source, such as `dns`"
                );
            if (service.Lenient.Count == 0 || (parts.Loops is not null && service.Handler is null))
                continue;
            new ProblemSink(reading.Root, reading.Report).Add(
                "not-available",
                KeyPath.Root["services"][name]["lenient"],
                "the responses of this service are not read on the gateway's event loops, and .NET's client does not support `lenient`",
                $"remove it, or run on Linux without {GatewayLoops.Variable}=sockets"
            );
        }
    }

    private static AccessLogConfig AccessLogOf(GatewayConfig config) => config.Observability.AccessLog.RedactedFor(config.AllPolicies);

    private AccessLog? OpenAccessLog(GatewayConfig config, SourceReading reading)
    {
        if (AccessLogOf(config) == _accessLog)
            return parts.AccessLog.Current;
        try
        {
            return parts.AccessLog.Open(AccessLogOf(config));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            new ProblemSink(reading.Root, reading.Report).Add(
                "file",
                KeyPath.Root["observability"]["accessLog"]["to"],
                $"the access log cannot be opened: {e.Message}"
            );
        }
        catch (FormatException e)
        {
            new ProblemSink(reading.Root, reading.Report).Add(
                "bad-template",
                KeyPath.Root["observability"]["accessLog"]["format"],
                e.Message
            );
        }

        return null;
    }
}
