namespace Lintel.Observability.Logs;

/// <summary>What a client can cause thousands of times is told once in a while, with the number of those that were not.</summary>
/// <remarks>Thread rule: any thread.</remarks>
/// <param name="silence">How long nothing is told after something was.</param>
/// <param name="time">The clock.</param>
internal sealed class Throttle(TimeSpan silence, TimeProvider time)
{
    private readonly Lock _lock = new();
    private long? _lastTold;
    private int _unreported;

    /// <param name="untold">How many were not told since the last that was.</param>
    public bool MayLog(out int untold)
    {
        lock (_lock)
        {
            untold = 0;
            if (_lastTold is { } last && time.GetElapsedTime(last) < silence)
            {
                _unreported++;
                return false;
            }

            _lastTold = time.GetTimestamp();
            (untold, _unreported) = (_unreported, 0);
            return true;
        }
    }
}
