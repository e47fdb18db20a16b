using Lintel.Errors;
using Lintel.Services.Attempts;

namespace Lintel.Services.Breaking;

/// <summary>
/// Finds how many attempts a service takes at a time without queueing them: more than that add latency and no throughput.
/// </summary>
/// <remarks>
/// <para>
/// The latency of attempts is compared, window by window, with that of the service without load: <c>limit × gradient + √limit</c> with
/// <c>gradient = no-load latency × 1.25 / median</c>, smoothed (Netflix' Gradient2 with a measured no-load latency). The root, at most a
/// quarter of the limit, leaves a small queue, by which it is noticed that the service has become faster. A window whose attempts used
/// less than half of the limit changes nothing: what is not used cannot be judged, and a burst finds the limit that was known before.
/// </para>
/// <para>
/// The no-load latency is the least of the last ten spans of three seconds with traffic. Under lasting overload that is the latency of the
/// queue itself, and the limit would grow with each span. So if attempts are refused before anything is known, or have been for thirty
/// seconds without a pause, a quarter of the limit is admitted for as long as it takes to measure again (as BBR does with the round-trip
/// time). If that shows that the limit was far too high, it is corrected at once, and measured again.
/// </para>
/// <para>Thread rule: its <see cref="Bulkhead"/> calls it under its lock; <see cref="Current"/> and <see cref="NoLoad"/> any thread.</para>
/// </remarks>
/// <param name="most">The upper bound.</param>
/// <param name="time">The clock whose timestamps are passed in.</param>
internal sealed class ConcurrencyLimit(int most, TimeProvider time)
{
    /// <summary>The lower bound: fewer attempts in flight are too few to measure.</summary>
    public const int Least = 4;

    /// <summary>The limit at first. It doubles with each window that shows no queue.</summary>
    public const int First = 32;

    private const double Tolerance = 1.25; // latency varies without a queue, too
    private const double LeastGradient = 0.5;
    private const double Smoothing = 0.2;
    private const double Far = 0.8; // a measured no-load latency below this part of the estimate: the limit was far too high

    private static readonly TimeSpan LeastWindow = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan SparseWindow = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Span = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan LeastPause = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LeastPatience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Gap = TimeSpan.FromSeconds(5);

    private readonly LatencyMedian _window = new();
    private readonly (double Sum, int Count)[] _spans = new (double, int)[10];
    private double _limit = Math.Min(First, most);
    private volatile int _current = Math.Min(First, most);
    private double _noLoad; // seconds; 0 while unknown
    private double _median;
    private long _windowBegan;
    private long? _lastAt;
    private int _peak;
    private bool _hasRefused;
    private bool _isDoubling = true;
    private int _span;
    private long? _spanBegan;
    private long? _relaxedAt;
    private double? _measured;
    private long _measuredAt;
    private Measurement _measurement;
    private long _measurementBegan;
    private long _collectsFrom;

    /// <summary>The steps of a measurement of the no-load latency.</summary>
    private enum Measurement
    {
        None,

        /// <summary>More attempts are in flight than are admitted now.</summary>
        Drains,

        /// <summary>Attempts that began in a queue end.</summary>
        Settles,

        /// <summary>The latency is measured.</summary>
        Collects,
    }

    /// <summary>The number of attempts that are admitted at a time.</summary>
    public int Current => _current;

    /// <summary>The latency of the service without load; <see langword="null"/> while it is not known.</summary>
    public TimeSpan? NoLoad => Volatile.Read(ref _noLoad) is > 0 and var seconds ? TimeSpan.FromSeconds(seconds) : null;

    /// <summary>An attempt was admitted.</summary>
    /// <param name="active">The attempts in flight.</param>
    public void Entered(int active) => _peak = Math.Max(_peak, active);

    /// <summary>An attempt was not admitted at once.</summary>
    public void Refused()
    {
        _hasRefused = true;
        if (_measurement != Measurement.None)
            GiveUp(time.GetTimestamp());
    }

    /// <summary>An attempt has ended.</summary>
    /// <param name="end">How.</param>
    /// <param name="active">The attempts in flight that are left.</param>
    public void Ended(in AttemptEnd end, int active)
    {
        var latency = end.Latency ?? end.Duration;
        var isCounted = Counts(end, latency);
        if (isCounted && _lastAt is { } last && time.GetElapsedTime(last, end.Timestamp) >= Seconds(Gap, 2 * _median))
            EndIdleness(end.Timestamp, active);
        _lastAt = isCounted ? end.Timestamp : _lastAt;
        if (!isCounted || (_measurement != Measurement.None && !IsCollecting(end.Timestamp, active)))
            return;
        if (_window.Count == 0)
            _windowBegan = end.Timestamp;
        _window.Add(latency);
        var elapsed = time.GetElapsedTime(_windowBegan, end.Timestamp);
        var isMeasured = _measurement != Measurement.None;
        var sparse = isMeasured ? Seconds(SparseWindow, 4 * _median) : SparseWindow;
        if ((elapsed >= LeastWindow && _window.Count >= (isMeasured ? 200 : 50)) || (elapsed >= sparse && _window.Count >= 10))
            EndWindow(end.Timestamp, active);
    }

    /// <summary>
    /// Whether the latency of an attempt says something about the service's load. A failure counts only if it took its time: one that is
    /// faster than an answer would make the service look idle.
    /// </summary>
    private bool Counts(in AttemptEnd end, TimeSpan latency) =>
        end.Verdict switch
        {
            AttemptVerdict.Success => true,
            AttemptVerdict.Failure => end.Error?.Rule.Retry != RetryScope.NothingSent && _noLoad > 0 && latency.TotalSeconds >= _noLoad,
            _ => false,
        };

    private void EndWindow(long now, int active)
    {
        var (median, peak, hasRefused) = (_window.Take(), _peak, _hasRefused);
        (_peak, _hasRefused) = (active, false);
        if (_measurement == Measurement.Collects)
        {
            EndMeasurement(now, median);
            return;
        }

        _median = median;
        Remember(now, median);
        if (2 * peak < _limit)
        {
            _relaxedAt = now;
            if (time.GetElapsedTime(_measuredAt, now) >= Pause)
                _measured = null; // what ten relaxed spans show is as good
            return;
        }

        if (hasRefused && (_relaxedAt is not { } at || time.GetElapsedTime(at, now) >= Pause))
        {
            _measurement = Measurement.Drains;
            (_measurementBegan, _relaxedAt) = (now, now);
        }
        else
        {
            Adjust(median);
        }

        Publish();
    }

    /// <summary>The time between measurements: what they cost is a small part of it, also for slow services.</summary>
    private TimeSpan Pause => Seconds(LeastPause, 100 * _noLoad);

    private void Adjust(double median)
    {
        var gradient = Math.Clamp(Tolerance * _noLoad / median, LeastGradient, Tolerance);
        _isDoubling &= gradient >= 1;
        var queue = Math.Min(Math.Sqrt(_limit), _limit / 4);
        _limit = Within(_isDoubling ? 2 * _limit : (_limit * (1 - Smoothing)) + (((_limit * gradient) + queue) * Smoothing));
    }

    /// <summary>Adds a median to the current span, and takes the least mean of all spans.</summary>
    private void Remember(long now, double median)
    {
        if (_spanBegan is not { } began || time.GetElapsedTime(began, now) >= Span)
        {
            _span = (_span + 1) % _spans.Length; // spans without traffic are none: what was known before an idle time still is
            _spans[_span] = default;
            _spanBegan = now;
        }

        var (sum, count) = _spans[_span];
        _spans[_span] = (sum + median, count + 1);
        var least = _measured ?? double.MaxValue;
        foreach (var span in _spans)
        {
            if (span.Count > 0)
                least = Math.Min(least, span.Sum / span.Count);
        }

        Volatile.Write(ref _noLoad, least);
    }

    /// <summary>Begins anew after an idle time: what the last window saw before it says nothing about the load now.</summary>
    private void EndIdleness(long now, int active)
    {
        _window.Clear();
        (_peak, _hasRefused, _relaxedAt, _measurement) = (active, false, now, Measurement.None);
        Publish();
    }

    private bool IsCollecting(long now, int active)
    {
        if (GiveUp(now))
            return true;
        switch (_measurement)
        {
            case Measurement.Drains when active > _current:
                return false;
            case Measurement.Drains:
                _measurement = Measurement.Settles;
                _collectsFrom = now + (long)(_median * time.TimestampFrequency);
                return false;
            case Measurement.Settles when now < _collectsFrom:
                return false;
            case Measurement.Settles:
                _measurement = Measurement.Collects;
                _window.Clear();
                return true;
            default:
                return true;
        }
    }

    private void EndMeasurement(long now, double median)
    {
        var isFar = median < Far * _noLoad;
        if (isFar)
            _limit = Within(Math.Max(_current, _limit * Math.Min(1, Tolerance * median / _median)));
        Array.Clear(_spans);
        _spanBegan = null;
        (_measured, _measuredAt) = (median, now);
        _relaxedAt = isFar ? null : now;
        _isDoubling &= !isFar;
        _measurement = Measurement.None;
        Volatile.Write(ref _noLoad, median);
        Publish();
    }

    /// <summary>Gives up a measurement that does not end, because attempts in flight last: streams, or a service that hangs.</summary>
    /// <returns>Whether it was given up.</returns>
    private bool GiveUp(long now)
    {
        if (time.GetElapsedTime(_measurementBegan, now) < Seconds(LeastPatience, 20 * _median))
            return false;
        _measurement = Measurement.None;
        _relaxedAt = now;
        _window.Clear();
        Publish();
        return true;
    }

    private static TimeSpan Seconds(TimeSpan least, double seconds) => TimeSpan.FromSeconds(Math.Max(least.TotalSeconds, seconds));

    private double Within(double limit) => Math.Clamp(limit, Math.Min(Least, most), most);

    private void Publish() => _current = (int)Within(_measurement == Measurement.None ? _limit : _limit / 4);
}
