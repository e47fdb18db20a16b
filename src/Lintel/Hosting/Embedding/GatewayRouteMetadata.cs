using Lintel.Config;
using Lintel.Runtime;

namespace Lintel.Hosting.Embedding;

/// <inheritdoc />
internal sealed class GatewayRouteMetadata(string name, RouteConfig config) : IGatewayRouteMetadata
{
    public string Name { get; } = name;

    public RouteConfig Config { get; } = config;

    public IReadOnlyList<string> Services { get; } = [.. RouteReferences.Services(config).Distinct(StringComparer.Ordinal)];
}
