using Lintel.Config;

namespace Lintel.Hosting;

/// <summary>
/// A route of the gateway, in the metadata of its endpoint: for conventions and middleware of the application that embeds the gateway.
/// </summary>
public interface IGatewayRouteMetadata
{
    /// <summary>The route's name in the configuration.</summary>
    public string Name { get; }

    /// <summary>The route's configuration.</summary>
    public RouteConfig Config { get; }

    /// <summary>
    /// The names of the services that it forwards to or calls, each once, mirrors included; empty if the gateway answers itself.
    /// </summary>
    public IReadOnlyList<string> Services { get; }
}
