using Lintel.Hosting.Overload;

namespace Lintel.Control.Status;

/// <summary>How short the gateway is of its own resources, and how many requests it sheds therefore.</summary>
/// <param name="Level">
/// How much is shed: 0 nothing, 1 all requests of low priority, 2 those of normal priority too, 3 all but a tenth of those of high
/// priority.
/// </param>
/// <param name="Reason">
/// The resource that raised the level last, named as its key in <c>overload</c>; <see langword="null"/> while nothing is shed.
/// </param>
/// <param name="Resources">The resources that are watched; empty if shedding is off.</param>
internal sealed record OverloadStatus(double Level, string? Reason, IReadOnlyList<ResourceStatus> Resources)
{
    internal static OverloadStatus Of(OverloadWatch overload) =>
        new(
            Math.Round(overload.Level, 2),
            overload.Reason is { } reason ? ResourceUse.KeyOf(reason) : null,
            [.. overload.Uses.Select(ResourceStatus.Of)]
        );
}

/// <summary>The use of a resource of the gateway.</summary>
/// <param name="Resource">The resource, named as its key in <c>overload</c>.</param>
/// <param name="Value">What was measured last: a percentage, or milliseconds.</param>
/// <param name="Limit">The limit, in the same unit.</param>
/// <param name="Pressure">The value relative to the limit; above 1 the level rises.</param>
internal sealed record ResourceStatus(string Resource, double Value, double Limit, double Pressure)
{
    internal static ResourceStatus Of(ResourceUse use) =>
        new(ResourceUse.KeyOf(use.Resource), Math.Round(use.Value, 2), use.Limit, Math.Round(use.Pressure, 3));
}
