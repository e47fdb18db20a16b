using Lintel.Config;

namespace Lintel.Hosting;

/// <summary>
/// A route of the gateway, in the metadata of its endpoint: for conventions and middleware of an application that the gateway runs in.
/// </summary>
public interface IGatewayRouteMetadata
{
    /// <summary>The route's name in the configuration.</summary>
    public string Name { get; }

    /// <summary>The route as it is configured.</summary>
    public RouteConfig Config { get; }

    /// <summary>
    /// The names of the services that it forwards to or calls, each once, mirrors included; empty where the gateway answers by itself.
    /// </summary>
    public IReadOnlyList<string> Services { get; }
}
