using Microsoft.AspNetCore.Builder;

namespace Lintel.Hosting.Embedding;

/// <summary>
/// Conventions that the application adds to the gateway's endpoints: to all, or to those of a route. They are applied to those of every
/// later configuration too.
/// </summary>
internal sealed class GatewayConventions : IEndpointConventionBuilder
{
    private readonly List<Action<EndpointBuilder>> _conventions = [];
    private readonly List<Action<EndpointBuilder>> _finally = [];
    private readonly HashSet<string> _routes = new(StringComparer.Ordinal);

    /// <summary>The routes with conventions of their own.</summary>
    public IReadOnlyCollection<string> Routes => _routes;

    public void Add(Action<EndpointBuilder> convention) => _conventions.Add(convention);

    public void Finally(Action<EndpointBuilder> finallyConvention) => _finally.Add(finallyConvention);

    public IEndpointConventionBuilder ForRoute(string name)
    {
        _routes.Add(name);
        return new OfRoute(this, name);
    }

    public void Apply(EndpointBuilder builder)
    {
        foreach (var convention in _conventions)
            convention(builder);
        foreach (var convention in Enumerable.Reverse(_finally))
            convention(builder);
    }

    private sealed class OfRoute(GatewayConventions all, string name) : IEndpointConventionBuilder
    {
        public void Add(Action<EndpointBuilder> convention) => all.Add(Only(convention));

        public void Finally(Action<EndpointBuilder> finallyConvention) => all.Finally(Only(finallyConvention));

        private Action<EndpointBuilder> Only(Action<EndpointBuilder> convention) =>
            builder =>
            {
                if (builder.Metadata.OfType<GatewayRouteMetadata>().Any(r => r.Name == name))
                    convention(builder);
            };
    }
}
