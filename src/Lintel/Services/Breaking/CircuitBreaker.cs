using Lintel.Config;
using Lintel.Errors;
using Lintel.Services.Attempts;

namespace Lintel.Services.Breaking;

/// <summary>The state of a circuit breaker.</summary>
internal enum BreakerState
{
    /// <summary>Attempts are admitted and counted.</summary>
    Closed,

    /// <summary>Attempts are refused for some time.</summary>
    Open,

    /// <summary>A few attempts are admitted to find out whether the service works again.</summary>
    HalfOpen,
}

/// <summary>
/// Refuses attempts to a service that fails too often, so that it can recover and callers do not wait for it: open for a fixed time, then
/// half-open for a few probes, whose success closes it.
/// </summary>
/// <remarks>
/// Thread rule: any thread. The closed state takes no lock; every transition does. An attempt that began in an earlier state does not count
/// in the present one.
/// </remarks>
internal sealed class CircuitBreaker(string service, BreakerConfig config, ServiceParts parts)
{
    private readonly Lock _lock = new();
    private readonly SlidingWindow _window = new(config.Window, parts.Time);
    private volatile int _state; // BreakerState
    private long _openedAt;
    private int _probesLeft;
    private int _probesPassed;

    public BreakerConfig Config => config;

    public BreakerState State => (BreakerState)_state;

    /// <summary>Admits or refuses an attempt. What is admitted is followed by <see cref="Record"/>.</summary>
    /// <param name="now">The clock's timestamp.</param>
    /// <param name="isProbe">Whether the attempt is a probe.</param>
    public GatewayError? Enter(long now, out bool isProbe)
    {
        isProbe = false;
        if (_state == (int)BreakerState.Closed)
            return null;
        lock (_lock)
        {
            if (_state == (int)BreakerState.Closed)
                return null;
            var left = config.OpenFor - parts.Time.GetElapsedTime(_openedAt, now);
            if (_state == (int)BreakerState.Open && left <= TimeSpan.Zero)
            {
                (_probesLeft, _probesPassed) = (config.Probes, 0);
                Change_NeedsLock(BreakerState.HalfOpen);
                BreakingLog.HalfOpen(parts.Logger, service, config.Probes);
            }

            if (_state == (int)BreakerState.HalfOpen && _probesLeft > 0)
            {
                _probesLeft--;
                isProbe = true;
                return null;
            }

            return Refusal(left);
        }
    }

    /// <summary>Records the end of an admitted attempt.</summary>
    /// <param name="now">The clock's timestamp.</param>
    /// <param name="verdict">Its result.</param>
    /// <param name="isProbe">Whether it was a probe.</param>
    public void Record(long now, AttemptVerdict verdict, bool isProbe)
    {
        if (isProbe)
            RecordProbe(now, verdict);
        else if (_state == (int)BreakerState.Closed && verdict != AttemptVerdict.Neutral)
            RecordClosed(now, verdict == AttemptVerdict.Failure);
    }

    private void RecordClosed(long now, bool isFailure)
    {
        _window.Count(now, isFailure);
        if (!isFailure)
            return; // only a failure can open it, so that a success costs one count
        var (all, failed) = _window.Sum(now);
        if (all < config.MinimumRequests || failed < config.FailureRatio * all)
            return;
        lock (_lock)
        {
            if (_state != (int)BreakerState.Closed)
                return;
            Open_NeedsLock(now);
            BreakingLog.Opened(parts.Logger, service, config.OpenFor, $"{failed} of {all} attempts failed");
        }
    }

    private void RecordProbe(long now, AttemptVerdict verdict)
    {
        lock (_lock)
        {
            if (_state != (int)BreakerState.HalfOpen)
                return; // another probe has decided
            switch (verdict)
            {
                case AttemptVerdict.Neutral:
                    _probesLeft++;
                    break;
                case AttemptVerdict.Failure:
                    Open_NeedsLock(now);
                    BreakingLog.Opened(parts.Logger, service, config.OpenFor, "a probe failed");
                    break;
                default:
                    if (++_probesPassed < config.Probes)
                        break;
                    _window.Clear();
                    Change_NeedsLock(BreakerState.Closed);
                    BreakingLog.Closed(parts.Logger, service);
                    break;
            }
        }
    }

    private void Open_NeedsLock(long now)
    {
        _openedAt = now;
        Change_NeedsLock(BreakerState.Open);
        parts.Metrics.BreakerOpened(service);
    }

    private void Change_NeedsLock(BreakerState state) => _state = (int)state;

    /// <summary>While half-open the probes decide at any moment: one second, the smallest value of the field.</summary>
    private static GatewayError Refusal(TimeSpan left) => new(GatewayErrorKind.CircuitOpen) { Headers = [RetryAfter.Field(left)] };
}
