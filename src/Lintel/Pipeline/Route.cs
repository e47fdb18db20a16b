using Lintel.Config;
using Lintel.Observability.Metrics;
using Lintel.Routing;

namespace Lintel.Pipeline;

/// <summary>A compiled route.</summary>
/// <param name="Name">Its name in the configuration.</param>
/// <param name="Template">Its first path as written in the configuration: <c>http.route</c> of metrics.</param>
/// <param name="Allowed">The path traits that it allows.</param>
/// <param name="BodyLimit">The maximum body length in bytes; <see langword="null"/> for the listener's own limit.</param>
/// <param name="Target">Its target.</param>
internal sealed record Route(string Name, string Template, PathTraits Allowed, long? BodyLimit, Target Target)
{
    /// <summary>Its changes to the headers of every response.</summary>
    public HeaderChanges ResponseHeaders { get; init; } = HeaderChanges.None;

    /// <summary>The policies that apply to its requests.</summary>
    public PolicySet Policies { get; init; } = PolicySet.None;

    /// <summary>Which requests are shed first.</summary>
    public RoutePriority Priority { get; init; } = RoutePriority.Normal;

    /// <summary>The metric labels of its requests.</summary>
    public LabelMemo<RequestOutcome> Labels { get; } = new();
}
