using Lintel.Config;

namespace Lintel.Services.Attempts;

/// <summary>
/// Decides when a slow request is sent again, to another instance, and whether the budget allows it: one object per service, or per call
/// with a <c>hedge</c> of its own, shared by all clients.
/// </summary>
/// <remarks>
/// The 95th percentile of the response times is read from a decaying histogram with steps of 25 %: its counts are halved every 1 024
/// answers. Below 20 answers it is unknown, and nothing is hedged. Thread rule: any thread; counts are approximate by design.
/// </remarks>
internal sealed class Hedging(HedgeConfig config)
{
    private const int Steps = 64;
    private const double Growth = 1.25;
    private const int Forgetting = 1024;
    private const int FewestKnown = 20;

    /// <summary>The maximum of the saved budget: limits hedging in a burst of slow answers after a quiet period.</summary>
    private const double MaxSaved = 10;

    private readonly Lock _lock = new();
    private readonly int[] _counts = new int[Steps];
    private int _total;
    private double _saved = 1;

    public HedgeConfig Config => config;

    /// <summary>The delay before another request; <see langword="null"/> while it is unknown.</summary>
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

    /// <summary>Records a sent request: it adds its share to the budget.</summary>
    public void Sent()
    {
        lock (_lock)
            _saved = Math.Min(MaxSaved, _saved + (config.Budget / 100));
    }

    /// <summary>Takes an additional request from the budget.</summary>
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

    /// <summary>Records how long an answer took.</summary>
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
