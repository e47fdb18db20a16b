using System.Globalization;

namespace Lintel.Cli;

/// <summary>
/// Pings at half of systemd's interval, as sd_watchdog_enabled(3) recommends, and only while the gateway is found alive: one that hangs is
/// restarted.
/// </summary>
internal sealed class Watchdog : IAsyncDisposable, IDisposable
{
    private readonly TimeSpan _patience;
    private readonly Func<CancellationToken, Task<bool>> _isLive;
    private readonly Action _ping;
    private readonly TimeProvider _time;
    private readonly PeriodicTimer _timer;
    private readonly Task _loop;

    /// <param name="interval">How long systemd waits for a ping.</param>
    /// <param name="isLive">Whether the gateway works; it has a quarter of the interval to find out.</param>
    /// <param name="ping">Tells systemd.</param>
    /// <param name="time">The clock.</param>
    public Watchdog(TimeSpan interval, Func<CancellationToken, Task<bool>> isLive, Action ping, TimeProvider time)
    {
        _patience = interval / 4;
        _isLive = isLive;
        _ping = ping;
        _time = time;
        _timer = new PeriodicTimer(interval / 2, time);
        _loop = RunAsync();
    }

    /// <summary>The interval that systemd asks this process for; <see langword="null"/> for none.</summary>
    public static TimeSpan? IntervalOf(Func<string, string?> variable, int processId)
    {
        if (
            !long.TryParse(variable("WATCHDOG_USEC"), NumberStyles.None, CultureInfo.InvariantCulture, out var microseconds)
            || microseconds <= 0
        )
            return null;
        var asked = variable("WATCHDOG_PID");
        return string.IsNullOrEmpty(asked) || asked == processId.ToString(CultureInfo.InvariantCulture)
            ? TimeSpan.FromMicroseconds(microseconds)
            : null;
    }

    public async ValueTask DisposeAsync()
    {
        _timer.Dispose();
        await _loop.ConfigureAwait(false);
    }

    public void Dispose() => _timer.Dispose();

    private async Task RunAsync()
    {
        do
        {
            using var deadline = new CancellationTokenSource(_patience, _time);
            if (await _isLive(deadline.Token).ConfigureAwait(false))
                _ping();
        } while (await _timer.WaitForNextTickAsync().ConfigureAwait(false));
    }
}
