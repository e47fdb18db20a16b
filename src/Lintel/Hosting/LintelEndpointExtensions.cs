using Lintel.Hosting;
using Lintel.Hosting.Embedding;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Puts the gateway into an application's endpoints.</summary>
public static class LintelEndpointExtensions
{
    /// <summary>Hands every request that none of the application's own endpoints takes to the gateway.</summary>
    /// <remarks>
    /// Each route of the gateway is an endpoint, whose metadata have a <see cref="IGatewayRouteMetadata"/>. They are made anew with each
    /// configuration, and conventions are applied to them again.
    /// </remarks>
    /// <param name="endpoints">The application.</param>
    /// <returns>All endpoints of the gateway, for conventions such as <c>RequireAuthorization</c>; one route's alone:
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

    /// <summary>
    /// What the application adds to the endpoint of one route: <c>app.MapLintel().ForRoute("admin").RequireAuthorization()</c>.
    /// </summary>
    /// <remarks>
    /// A configuration without a route of this name is refused: a route that is renamed must not lose what is demanded of it.
    /// </remarks>
    /// <param name="gateway">What <see cref="MapLintel"/> has returned.</param>
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
