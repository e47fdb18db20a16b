using System.Globalization;
using Lintel.Config;
using Lintel.Pipeline;

namespace Lintel.Hosting.Overload;

/// <summary>Something that the gateway itself can be short of. Thread rule: one caller at a time.</summary>
internal interface IResource
{
    /// <summary>Which one.</summary>
    public ScarceResource Kind { get; }

    /// <summary>The largest possible value; <see langword="null"/> if there is none.</summary>
    public double? Most { get; }

    /// <summary>Returns its limit in the unit of its values; <see langword="null"/> if it is not watched.</summary>
    public double? LimitOf(OverloadConfig config);

    /// <summary>Measures its use: a percentage, or milliseconds. Called every <see cref="OverloadWatch.Interval"/>.</summary>
    /// <param name="limit">The value from which it is short.</param>
    /// <returns><see langword="null"/> if it is unknown.</returns>
    public double? Measure(double limit);
}

/// <summary>The measured use of a resource.</summary>
/// <param name="Resource">The resource.</param>
/// <param name="Value">A percentage, or milliseconds.</param>
/// <param name="Limit">The value from which the resource is short.</param>
/// <param name="Most">The largest possible value; <see langword="null"/> if there is none.</param>
internal readonly record struct ResourceUse(ScarceResource Resource, double Value, double Limit, double? Most)
{
    /// <summary>The value relative to its limit.</summary>
    public double Pressure => Value / Limit;

    /// <summary>
    /// The level that this use justifies at most: 0 within the limit. Where there is a largest value it is in proportion to how much of the
    /// rest is used: memory that is little above its limit and shrinks slowly must not make the gateway refuse everybody.
    /// </summary>
    public double Ceiling =>
        Value <= Limit ? 0
        : Most is { } most && most > Limit ? Math.Min(Shedding.MaxLevel, 1 + ((Shedding.MaxLevel - 1) * (Value - Limit) / (most - Limit)))
        : Shedding.MaxLevel;

    /// <summary>The resource's key in <c>overload</c>.</summary>
    public static string KeyOf(ScarceResource resource) =>
        resource switch
        {
            ScarceResource.Memory => "memory",
            ScarceResource.LoopDelay => "loopDelay",
            _ => "cpu",
        };

    /// <summary>A value in words.</summary>
    public string Format(double value) =>
        Resource == ScarceResource.LoopDelay
            ? value.ToString("0", CultureInfo.InvariantCulture) + " ms"
            : value.ToString("0.#", CultureInfo.InvariantCulture) + " %";
}
