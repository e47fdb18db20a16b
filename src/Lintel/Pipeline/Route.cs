using Lintel.Observability.Metrics;
using Lintel.Routing;

namespace Lintel.Pipeline;

/// <summary>A compiled route.</summary>
/// <param name="Name">Its name in the configuration.</param>
/// <param name="Template">Its first path as it was written: <c>http.route</c> of metrics.</param>
/// <param name="Allowed">Path spellings it allows.</param>
/// <param name="BodyLimit">The longest body in bytes; <see langword="null"/> for the listener's own limit.</param>
/// <param name="Target">What it does.</param>
internal sealed record Route(string Name, string Template, PathTraits Allowed, long? BodyLimit, Target Target)
{
    /// <summary>Its changes of every response's headers.</summary>
    public HeaderChanges ResponseHeaders { get; init; } = HeaderChanges.None;

    /// <summary>What applies to its requests beside the target.</summary>
    public PolicySet Policies { get; init; } = PolicySet.None;

    /// <summary>The labels of its requests.</summary>
    public LabelMemo<RequestOutcome> Labels { get; } = new();
}
