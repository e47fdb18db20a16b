namespace Lintel.Observability.Logs;

/// <summary>Limits the rate of log lines that clients can cause, and counts the suppressed ones.</summary>
/// <remarks>Thread rule: any thread.</remarks>
/// <param name="silence">The minimum interval between lines.</param>
/// <param name="time">The clock.</param>
internal sealed class Throttle(TimeSpan silence, TimeProvider time)
{
    private readonly Lock _lock = new();
    private long? _lastLogged;
    private int _unreported;

    /// <param name="suppressed">The number of lines suppressed since the last one.</param>
    public bool MayLog(out int suppressed)
    {
        lock (_lock)
        {
            suppressed = 0;
            if (_lastLogged is { } last && time.GetElapsedTime(last) < silence)
            {
                _unreported++;
                return false;
            }

            _lastLogged = time.GetTimestamp();
            (suppressed, _unreported) = (_unreported, 0);
            return true;
        }
    }
}
