using Lintel.Config;

namespace Lintel.Composition.Calls;

/// <summary>When a call sends a second request, and whether it still may: one object a call and configuration, for all clients.</summary>
/// <remarks>
/// The time in which 95 % of the answers came is read from a histogram with steps of 25 % that forgets: its counts are halved every 1 024
/// answers. Before 20 answers nothing is known, and nothing is hedged. Thread rule: any thread; counts are approximate on purpose.
/// </remarks>
internal sealed class Hedging(HedgeConfig config)
{
    private const int Steps = 64;
    private const double Growth = 1.25;
    private const int Forgetting = 1024;
    private const int FewestKnown = 20;

    /// <summary>A burst of slow answers after a quiet time must not spend more than this at once.</summary>
    private const double MaxSaved = 10;

    private readonly Lock _lock = new();
    private readonly int[] _counts = new int[Steps];
    private int _total;
    private double _saved = 1;

    /// <summary>How long to wait before the second request; <see langword="null"/> while that is not known.</summary>
    public TimeSpan? Delay
    {
        get
        {
            if (config.After is { } known)
                return known;
            lock (_lock)
                return _total < FewestKnown ? null : Percentile_NeedsLock(0.95);
        }
    }

    /// <summary>A request was sent: it earns its share of the budget.</summary>
    public void Sent()
    {
        lock (_lock)
            _saved = Math.Min(MaxSaved, _saved + (config.Budget / 100));
    }

    /// <summary>Takes a second request out of the budget.</summary>
    public bool TrySpend()
    {
        lock (_lock)
        {
            if (_saved < 1)
                return false;
            _saved--;
            return true;
        }
    }

    /// <summary>An answer took this long.</summary>
    public void Answered(TimeSpan duration)
    {
        if (config.After is not null)
            return;
        var step = (int)Math.Clamp(Math.Log(Math.Max(1, duration.TotalMilliseconds), Growth), 0, Steps - 1);
        lock (_lock)
        {
            _counts[step]++;
            if (++_total < Forgetting)
                return;
            _total = 0;
            for (var i = 0; i < Steps; i++)
                _total += _counts[i] /= 2;
        }
    }

    private TimeSpan Percentile_NeedsLock(double share)
    {
        var left = (int)Math.Ceiling(_total * share);
        for (var i = 0; i < Steps; i++)
        {
            left -= _counts[i];
            if (left <= 0)
                return TimeSpan.FromMilliseconds(Math.Pow(Growth, i + 1));
        }

        return TimeSpan.FromMilliseconds(Math.Pow(Growth, Steps));
    }
}
