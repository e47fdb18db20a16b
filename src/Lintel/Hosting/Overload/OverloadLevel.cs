using Lintel.Pipeline;

namespace Lintel.Hosting.Overload;

/// <summary>
/// The level of shedding: rises while a resource is short, and falls when none is. A pure function of what is measured, one step for each
/// <see cref="OverloadWatch.Interval"/>. Thread rule: one caller at a time.
/// </summary>
/// <remarks>
/// It integrates, so that it finds the share that fits the load without knowing the capacity. A step is proportional to the logarithm of
/// the pressure: the same way down at half of the limit as up at twice of it. Faster steps overshoot, because a change is measured half a
/// second later (<see cref="DelayProbe.Kept"/>), and shed everything where a tenth would do.
/// </remarks>
internal sealed class OverloadLevel
{
    /// <summary>The step at twice, and at half, of the limit: all requests of low priority are shed after 1.7 s.</summary>
    public const double Gain = 0.06;

    /// <summary>A higher pressure counts as this one, a lower one as its inverse.</summary>
    public const double MostPressure = 2;

    /// <summary>The least step, near the limit: a resource may stay there for good.</summary>
    public const double LeastStep = 0.005;

    /// <summary>The level, from 0 to <see cref="Shedding.MaxLevel"/>.</summary>
    public double Value { get; private set; }

    /// <summary>The resource that raised it last.</summary>
    public ScarceResource Reason { get; private set; }

    /// <summary>Takes a step.</summary>
    /// <param name="uses">What was measured; empty if nothing is known.</param>
    public void Step(ReadOnlySpan<ResourceUse> uses)
    {
        var (pressure, ceiling, worst) = (0d, 0d, Reason);
        foreach (var use in uses)
        {
            ceiling = Math.Max(ceiling, use.Ceiling);
            if (use.Pressure > pressure)
                (pressure, worst) = (use.Pressure, use.Resource);
        }

        var step = Math.Max(LeastStep, Gain * Math.Abs(Math.Log2(Math.Clamp(pressure, 1 / MostPressure, MostPressure))));
        if (pressure > 1 && Value < ceiling)
            (Value, Reason) = (Math.Min(ceiling, Value + step), worst);
        else
            Value = Math.Max(ceiling, Value - step);
    }
}
