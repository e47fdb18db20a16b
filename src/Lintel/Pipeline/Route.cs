using Lintel.Routing;

namespace Lintel.Pipeline;

/// <summary>A compiled route.</summary>
/// <param name="Name">Its name in the configuration.</param>
/// <param name="Template">Its first path as it was written: <c>http.route</c> of metrics.</param>
/// <param name="Allowed">Path spellings it allows.</param>
/// <param name="Target">What it does.</param>
internal sealed record Route(string Name, string Template, PathTraits Allowed, Target Target);
