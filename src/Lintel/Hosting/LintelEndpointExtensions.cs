using Lintel.Hosting;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Puts the gateway into an application's endpoints.</summary>
public static class LintelEndpointExtensions
{
    /// <summary>Hands every request that none of the application's own endpoints takes to the gateway.</summary>
    /// <param name="endpoints">The application.</param>
    /// <returns>The endpoint, for conventions such as <c>RequireAuthorization</c>.</returns>
    public static IEndpointConventionBuilder MapLintel(this IEndpointRouteBuilder endpoints)
    {
        var gateway = endpoints.ServiceProvider.GetRequiredService<Gateway>();
        return endpoints.MapFallback("/{**path}", gateway.HandleAsync).WithDisplayName("Lintel");
    }
}
