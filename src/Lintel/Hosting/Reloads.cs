using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Runtime;
using Microsoft.Extensions.Logging;

namespace Lintel.Hosting;

/// <summary>Applies new configurations, one at a time: reads, applies, and records the outcome.</summary>
/// <param name="parts">The gateway's parts.</param>
/// <param name="isHosted">Whether the gateway runs inside another host, which has its own listeners and logging.</param>
/// <param name="live">Replaces the live configuration.</param>
/// <param name="drain">The gateway's drain, after which no configuration is applied.</param>
/// <param name="gate">Held while a configuration is applied.</param>
/// <param name="logger">Logs the outcome.</param>
internal sealed class Reloads(GatewayParts parts, bool isHosted, ConfigSwitch live, Drain drain, SemaphoreSlim gate, ILogger logger)
{
    /// <summary>See <see cref="Gateway.Reloading"/>.</summary>
    public event Action? Reloading;

    /// <summary>See <see cref="Gateway.Reloaded"/>.</summary>
    public event Action<ConfigReport>? Reloaded;

    /// <summary>See <see cref="Gateway.LastReport"/>.</summary>
    public ConfigReport LastReport { get; private set; } = new();

    /// <summary>See <see cref="Gateway.LastReload"/>.</summary>
    public ReloadStatus? LastReload { get; private set; }

    /// <summary>See <see cref="Gateway.Fallback"/>.</summary>
    public FallbackStatus? Fallback { get; private set; }

    private GatewayConfig? Config => live.Loaded?.Config;

    /// <summary>See <see cref="Gateway.ReloadAsync"/>.</summary>
    public async Task<ConfigReport> RunAsync(CancellationToken cancellation)
    {
        await gate.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            if (drain.TakesNoReloads)
                return LastReport;
            foreach (var handler in Delegate.EnumerateInvocationList(Reloading))
                Notify(handler, handler);
            parts.AccessLog.Current.Reopen(); // SIGHUP also signals that logrotate has moved the file
            var report = await TakeAsync(cancellation).ConfigureAwait(false);
            foreach (var handler in Delegate.EnumerateInvocationList(Reloaded))
                Notify(handler, () => handler(report));
            return report;
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>Watches the source and applies every change of it, until disposed.</summary>
    public IDisposable Watch() =>
        parts.Source.Watch(() =>
        {
            try
            {
                RunAsync(CancellationToken.None).GetAwaiter().GetResult();
            }
            catch (ObjectDisposedException)
            {
                // The host has stopped in the meantime.
            }
        });

    /// <summary>Serves the last good configuration if one is saved. Only at startup: later the previous configuration stays live.</summary>
    public async Task<bool> TryStartFromLastGoodAsync(CancellationToken cancellation)
    {
        await gate.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            if (parts.Source.ReadKept() is not { } kept)
                return false;
            if (
                kept.Reading.Config is not { } config
                || !await live.TryApplyAsync(config, kept.Reading, cancellation).ConfigureAwait(false)
            )
            {
                GatewayLog.LastGoodRefused(logger, kept.FilePath, kept.SavedAt, Lines(kept.Reading.Report));
                return false;
            }

            SetFallback(new FallbackStatus(kept.FilePath, kept.SavedAt));
            GatewayLog.LastGoodServed(logger, kept.SavedAt, kept.FilePath, LastReport.Count, Lines(LastReport));
            return true;
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            GatewayLog.LastGoodUnreadable(logger, e.Message);
            return false;
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>Adds problems for settings that the gateway's host does not allow.</summary>
    public SourceReading Check(SourceReading reading)
    {
        if (isHosted && reading.Config is { } config)
        {
            var problems = new ProblemSink(reading.Root, reading.Report);
            if (config.Listeners.Count > 0)
                problems.Add(
                    "conflict",
                    KeyPath.Root["listeners"],
                    "the gateway runs inside another host, which has its own listeners",
                    "remove `listeners`"
                );
            if (config.Observability.ErrorLog is not null)
            {
                var errorLog = KeyPath.Root["observability"]["errorLog"];
                problems.Add(
                    "conflict",
                    errorLog,
                    "the gateway runs inside another host, which has its own logging",
                    "remove `errorLog`, and configure `Logging` of the host"
                );
            }
        }

        return reading;
    }

    private async Task<ConfigReport> TakeAsync(CancellationToken cancellation)
    {
        var started = parts.Time.GetTimestamp();
        try
        {
            var reading = Check(
                Config is null ? parts.Source.Read() : await parts.Source.ReadSettledAsync(cancellation).ConfigureAwait(false)
            );
            parts.Source.Take(reading);
            var applied = reading.Config is { } config && await live.TryApplyAsync(config, reading, cancellation).ConfigureAwait(false);
            Note(reading.Report, applied, started);
            if (applied)
            {
                SetFallback(null);
                GatewayLog.Applied(
                    logger,
                    Config!.Routes.Count,
                    Config.Services.Count,
                    (long)parts.Time.GetElapsedTime(started).TotalMilliseconds
                );
                if (reading.Report.Warnings is { Count: > 0 } warnings)
                    GatewayLog.Warned(logger, warnings.Count, string.Concat(warnings.Select(w => "\n  " + w)));
                Keep(reading);
            }
            else if (Config is not null) // a refused start throws with the whole report
            {
                GatewayLog.Refused(logger, reading.Report.Count, Lines(reading.Report));
            }

            return reading.Report;
        }
        catch (Exception e) when (e is not OperationCanceledException && Config is not null)
        {
            // A defect while reading must fail the change, never the running gateway.
            var report = new ConfigReport();
            report.Add(
                new ConfigProblem(
                    "internal",
                    new SourcePosition("gateway", 0, 0),
                    "",
                    $"the configuration could not be applied: {e.Message}",
                    "this is a bug in Lintel: please report it with the log"
                )
            );
            Note(report, applied: false, started);
            GatewayLog.Failed(logger, e);
            return report;
        }
    }

    private void Note(ConfigReport report, bool applied, long started)
    {
        LastReport = report;
        LastReload = new ReloadStatus
        {
            At = parts.Time.GetUtcNow(),
            Outcome = applied ? ReloadOutcome.Applied : ReloadOutcome.Refused,
            DurationMs = Math.Round(parts.Time.GetElapsedTime(started).TotalMilliseconds, 3),
            ProblemCount = report.Count,
            Problems = report.Problems,
        };
        Action meter = () => parts.Metrics.Reloaded(applied, parts.Time.GetUtcNow());
        Notify(meter, meter);
    }

    /// <summary>Notifies a follower. An exception does not change the outcome of the reload.</summary>
    private void Notify(Delegate follower, Action call)
    {
        try
        {
            call();
        }
        catch (Exception e)
        {
            GatewayLog.ListenerFailed(logger, Follower.NameOf(follower), e.Message, e);
        }
    }

    private static string Lines(ConfigReport report) => string.Concat(report.Problems.Select(p => "\n  " + p));

    private void SetFallback(FallbackStatus? status)
    {
        Fallback = status;
        Action meter = () => parts.Metrics.Fallback(status is not null);
        Notify(meter, meter);
    }

    private void Keep(SourceReading reading)
    {
        try
        {
            parts.Source.Keep(reading);
        }
        catch (Exception e)
        {
            GatewayLog.NotKept(logger, e.Message); // it is served nevertheless
        }
    }
}
