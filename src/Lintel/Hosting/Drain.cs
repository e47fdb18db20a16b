using Lintel.Config;
using Lintel.Listeners;
using Microsoft.Extensions.Logging;

namespace Lintel.Hosting;

/// <summary>Drains the gateway: runs once, however often it is called.</summary>
/// <param name="parts">The gateway's parts.</param>
/// <param name="listeners">The gateway's own listeners; <see langword="null"/> inside another host.</param>
/// <param name="reloads">The gate that is held by a reload in progress.</param>
/// <param name="config">Returns the live configuration.</param>
/// <param name="logger">Logs the start and the end.</param>
internal sealed class Drain(GatewayParts parts, ListenerSet? listeners, SemaphoreSlim reloads, Func<GatewayConfig?> config, ILogger logger)
    : IDisposable
{
    /// <summary>How long aborted requests have to end; one that takes longer is missing from the access log.</summary>
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(5);

    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _abort = new();
    private Task? _stopping;
    private volatile DrainStatus? _status;
    private volatile bool _takesNoReloads;
    private long _arrived;

    /// <summary>The state of the drain; <see langword="null"/> until it has begun.</summary>
    public DrainStatus? Status => _status;

    /// <summary>Whether a reload that begins now is too late.</summary>
    public bool TakesNoReloads => _takesNoReloads;

    /// <summary>
    /// Stops being ready, accepts no new connections after <c>drainDelay</c>, and waits for requests in flight for as long as the
    /// configuration allows. A second call waits for the first.
    /// </summary>
    /// <param name="cancellation">Ends the wait: requests in flight are aborted.</param>
    public async Task StopAsync(CancellationToken cancellation)
    {
        using var registration = cancellation.UnsafeRegister(static d => ((Drain)d!)._abort.Cancel(), this);
        lock (_lock)
            _stopping ??= RunAsync(_abort.Token);
        await _stopping.ConfigureAwait(false);
    }

    /// <summary>Counts a request that arrived since the drain began.</summary>
    public void Arrived() => Interlocked.Increment(ref _arrived);

    public void Dispose() => _abort.Dispose();

    private async Task RunAsync(CancellationToken cancellation)
    {
        var now = parts.Time.GetUtcNow();
        var delay = listeners is null ? TimeSpan.Zero : config()?.DrainDelay ?? TimeSpan.Zero;
        _status = new DrainStatus(now, now + delay + (config()?.DrainTimeout ?? TimeSpan.Zero));
        if (delay > TimeSpan.Zero)
            await Task.Delay(delay, parts.Time, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        // A reload in progress ends first; one that has waited for it does nothing.
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
    /// Waits for aborted requests: Kestrel releases their connections before they have ended and written their log lines.
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
        var left = parts.Metrics.RequestsInFlight; // aborted, and not ended yet
        cut = parts.Pipeline.Stopped - cut + left;
        GatewayLog.Stopped(logger, Math.Max(0, active + Volatile.Read(ref _arrived) - cut), cut);
    }
}
