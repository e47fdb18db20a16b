using System.Globalization;
using System.Net.Sockets;
using Lintel.Config;
using Lintel.Control;
using Lintel.Hosting;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Systemd;

namespace Lintel.Cli;

/// <summary>
/// Notifies systemd (<c>Type=notify</c>, <c>notify-reload</c>) of the state of the gateway, and its watchdog. Does nothing if there is no
/// notification socket.
/// </summary>
/// <remarks>The messages are those of sd_notify(3) and sd_watchdog_enabled(3).</remarks>
internal sealed class ServiceManager(Gateway gateway, AdminServer admin, ISystemdNotifier notifier, TimeProvider time)
    : IHostedLifecycleService,
        IDisposable
{
    /// <summary>The time for closing in addition to draining.</summary>
    private static readonly TimeSpan ClosingTime = TimeSpan.FromSeconds(5);

    private readonly HealthCheck _health = new(() => admin.Address);
    private Watchdog? _watchdog;

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken)
    {
        if (!notifier.IsEnabled)
            return Task.CompletedTask;
        Notify("READY=1\nSTATUS=" + Status());
        gateway.Reloading += () => Notify($"RELOADING=1\nMONOTONIC_USEC={Monotonic(time)}");
        gateway.Reloaded += report => Notify("READY=1\nSTATUS=" + (report.IsValid ? Status() : Refused(report)));
        if (Watchdog.IntervalOf(Environment.GetEnvironmentVariable, Environment.ProcessId) is { } interval)
            _watchdog = new Watchdog(
                interval,
                c => gateway.IsHung ? Task.FromResult(false) : _health.IsLiveAsync(c),
                () => Notify("WATCHDOG=1"),
                time
            );

        return Task.CompletedTask;
    }

    public Task StoppingAsync(CancellationToken cancellationToken)
    {
        var config = gateway.Config;
        var needed = (config?.DrainDelay ?? default) + (config?.DrainTimeout ?? default) + ClosingTime;
        Notify(
            string.Create(
                CultureInfo.InvariantCulture,
                $"STOPPING=1\nEXTEND_TIMEOUT_USEC={(long)needed.TotalMicroseconds}\nSTATUS=Draining for up to {needed.TotalSeconds:0} s"
            )
        );
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StoppedAsync(CancellationToken cancellationToken)
    {
        if (_watchdog is not null)
            await _watchdog.DisposeAsync().ConfigureAwait(false);
    }

    public void Dispose()
    {
        _watchdog?.Dispose();
        _health.Dispose();
    }

    /// <summary>CLOCK_MONOTONIC in microseconds: what .NET's timestamps are on Linux.</summary>
    private static long Monotonic(TimeProvider time) => (long)(time.GetTimestamp() * (1_000_000.0 / time.TimestampFrequency));

    private static string Refused(ConfigReport report) =>
        $"Reload refused, still serving the previous configuration; {report.Count} {(report.Count == 1 ? "problem" : "problems")}, the "
        + $"first: {(report.Problems.Count > 0 ? report.Problems[0] : "")}";

    private string Status()
    {
        var config = gateway.Config!;
        var text = string.Create(CultureInfo.InvariantCulture, $"Serving {config.Routes.Count} routes to {config.Services.Count} services");
        return gateway.Fallback is { } fallback
            ? string.Create(CultureInfo.InvariantCulture, $"{text}: LAST GOOD CONFIGURATION of {fallback.SavedAt:u}")
            : text;
    }

    private void Notify(string state)
    {
        if (!notifier.IsEnabled)
            return;
        try
        {
            notifier.Notify(new ServiceState(state));
        }
        catch (SocketException)
        {
            // systemd restarts, or reads slowly; it goes by what it hears next.
        }
    }
}
