using Lintel.Config;
using Lintel.Listeners;
using Microsoft.Extensions.Logging;

namespace Lintel.Hosting;

/// <summary>The gateway's end: happens once, however many ask for it.</summary>
/// <param name="parts">The gateway's.</param>
/// <param name="listeners">Its own listeners; <see langword="null"/> inside another host.</param>
/// <param name="reloads">Held by a reload that is under way.</param>
/// <param name="config">What is being served.</param>
/// <param name="logger">Told of the beginning and the end.</param>
internal sealed class Drain(GatewayParts parts, ListenerSet? listeners, SemaphoreSlim reloads, Func<GatewayConfig?> config, ILogger logger)
    : IDisposable
{
    /// <summary>What was cut off notices in a moment; who does not has lost its place in the log.</summary>
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(5);

    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _hurry = new();
    private Task? _stopping;
    private volatile DrainStatus? _status;
    private volatile bool _takesNoReloads;
    private long _arrived;

    /// <summary><see langword="null"/> until the end has begun.</summary>
    public DrainStatus? Status => _status;

    /// <summary>Whether a reload that begins now comes too late.</summary>
    public bool TakesNoReloads => _takesNoReloads;

    /// <summary>
    /// Stops being ready, after <c>drainDelay</c> takes no new connections, and waits for requests in flight for as long as the
    /// configuration says. A second call waits for the first.
    /// </summary>
    /// <param name="cancellation">Ends the patience of all who wait: what is under way is cut off.</param>
    public async Task StopAsync(CancellationToken cancellation)
    {
        using var hurry = cancellation.UnsafeRegister(static d => ((Drain)d!)._hurry.Cancel(), this);
        lock (_lock)
            _stopping ??= RunAsync(_hurry.Token);
        await _stopping.ConfigureAwait(false);
    }

    /// <summary>A request has come since the end began.</summary>
    public void Arrived() => Interlocked.Increment(ref _arrived);

    public void Dispose() => _hurry.Dispose();

    private async Task RunAsync(CancellationToken cancellation)
    {
        var now = parts.Time.GetUtcNow();
        var delay = listeners is null ? TimeSpan.Zero : config()?.DrainDelay ?? TimeSpan.Zero;
        _status = new DrainStatus(now, now + delay + (config()?.DrainTimeout ?? TimeSpan.Zero));
        if (delay > TimeSpan.Zero)
            await Task.Delay(delay, parts.Time, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        // A reload under way ends first; one that has waited for it does nothing.
        _takesNoReloads = true;
        var waiting = reloads.WaitAsync(cancellation);
        await waiting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (waiting.IsCompletedSuccessfully)
            reloads.Release();
        if (listeners is null)
        {
            GatewayLog.DrainingInHost(logger, parts.Metrics.RequestsInFlight);
        }
        else
        {
            await CloseAsync(listeners, cancellation).ConfigureAwait(false);
            await parts.AccessLog.CloseAsync().ConfigureAwait(false);
        }

        parts.Errors.Flush();
    }

    /// <summary>
    /// Kestrel lets go of connections whose requests have yet to notice that they were cut off: their lines are still to come.
    /// </summary>
    private async Task SettleAsync()
    {
        for (var looks = Settling / Look; parts.Metrics.RequestsInFlight > 0 && looks > 0; looks--)
            await Task.Delay(Look).ConfigureAwait(false);
    }

    private async Task CloseAsync(ListenerSet open, CancellationToken cancellation)
    {
        var timeout = config()?.DrainTimeout ?? TimeSpan.Zero;
        var (active, cut) = (parts.Metrics.RequestsInFlight - Volatile.Read(ref _arrived), parts.Pipeline.Stopped);
        GatewayLog.Draining(logger, parts.Metrics.RequestsInFlight, open.Connections, timeout);
        await open.StopAsync(timeout, cancellation).ConfigureAwait(false);
        await SettleAsync().ConfigureAwait(false);
        var left = parts.Metrics.RequestsInFlight; // cut off, and not yet aware of it
        cut = parts.Pipeline.Stopped - cut + left;
        GatewayLog.Stopped(logger, Math.Max(0, active + Volatile.Read(ref _arrived) - cut), cut);
    }
}
