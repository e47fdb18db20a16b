using Lintel.Hosting;
using Lintel.Hosting.Embedding;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Adds the gateway to an application's endpoints.</summary>
public static class LintelEndpointExtensions
{
    /// <summary>Passes every request that matches none of the application's own endpoints to the gateway.</summary>
    /// <remarks>
    /// Each route of the gateway is an endpoint, with an <see cref="IGatewayRouteMetadata"/> in its metadata. The endpoints are created
    /// again for each configuration, and conventions are applied to them again.
    /// </remarks>
    /// <param name="endpoints">The application.</param>
    /// <returns>All endpoints of the gateway, for conventions such as <c>RequireAuthorization</c>; for those of one route see
    /// <see cref="ForRoute"/>.</returns>
    public static IEndpointConventionBuilder MapLintel(this IEndpointRouteBuilder endpoints)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        if (endpoints.ServiceProvider.GetService<Gateway>() is not { } gateway)
            throw new InvalidOperationException(
                "No gateway is registered in this application: call `builder.Services.AddLintel(…)` first."
            );
        var all = new GatewayEndpoints(gateway, endpoints.ServiceProvider);
        endpoints.DataSources.Add(all);
        return all.Conventions;
    }

    /// <summary>Adds conventions to the endpoint of one route: <c>app.MapLintel().ForRoute("admin").RequireAuthorization()</c>.</summary>
    /// <remarks>A configuration without a route of this name is refused: a renamed route must not lose its requirements.</remarks>
    /// <param name="gateway">The result of <see cref="MapLintel"/>.</param>
    /// <param name="route">The route's name in the configuration.</param>
    /// <returns>The route's endpoint, in this configuration and in later ones.</returns>
    public static IEndpointConventionBuilder ForRoute(this IEndpointConventionBuilder gateway, string route)
    {
        ArgumentException.ThrowIfNullOrEmpty(route);
        return gateway is GatewayConventions all
            ? all.ForRoute(route)
            : throw new ArgumentException("The endpoints were not created by `MapLintel`.", nameof(gateway));
    }
}
