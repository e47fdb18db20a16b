using Lintel.Pipeline;

namespace Lintel.Hosting.Overload;

/// <summary>
/// The level of shedding: rises while a resource is short, and falls when none is. A pure function of what is measured, one step for each
/// <see cref="OverloadWatch.Interval"/>. Thread rule: one caller at a time.
/// </summary>
/// <remarks>
/// It integrates, so that it finds the share that fits the load without knowing the capacity. It rises faster than it falls: half of what
/// was shed comes back at once where clients retry.
/// </remarks>
internal sealed class OverloadLevel
{
    /// <summary>The rise of one step at a pressure of 1: requests of low priority are shed completely after a second.</summary>
    public const double Rise = 0.1;

    /// <summary>The fall of one step.</summary>
    public const double Fall = 0.05;

    /// <summary>
    /// The fall of one step between <see cref="Relief"/> and the limit: slow, so that the level does not swing around it, but not zero,
    /// because a resource may stay there for good.
    /// </summary>
    public const double SlowFall = 0.01;

    /// <summary>The pressure below which the level falls at its usual rate.</summary>
    public const double Relief = 0.9;

    /// <summary>A higher pressure counts as this one: what is ten times too slow is found within the same second.</summary>
    public const double MostPressure = 2;

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

        if (pressure > 1 && Value < ceiling)
            (Value, Reason) = (Math.Min(ceiling, Value + (Rise * Math.Min(pressure, MostPressure))), worst);
        else
            Value = Math.Max(ceiling, Value - (pressure < Relief ? Fall : SlowFall));
    }
}
