using System.Collections.Frozen;
using Lintel.Config;
using Lintel.Pipeline;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Primitives;

namespace Lintel.Hosting.Embedding;

/// <summary>
/// The endpoints of one <c>MapLintel</c>: one that accepts every request, and one for each route, which <see cref="GatewayMatcherPolicy"/>
/// selects in its place.
/// </summary>
/// <remarks>
/// The gateway's own router decides (by hosts, headers, query and cookies too), so that the endpoints of routes take no part in the
/// application's matching. They carry what conventions add to them, for the application's authorization, CORS, rate limits. Thread rule:
/// the endpoints are created and replaced under the lock.
/// </remarks>
internal sealed class GatewayEndpoints : EndpointDataSource, IDisposable
{
    private readonly Lock _lock = new();
    private readonly Gateway _gateway;
    private readonly RequestDelegate _handle;
    private readonly IServiceProvider _services;
    private readonly GatewayConventions _conventions = new();
    private CancellationTokenSource _changes = new();
    private GatewayConfig? _config;
    private GatewayConfig? _announced;
    private IReadOnlyList<Endpoint>? _endpoints;
    private volatile Index? _index;

    public GatewayEndpoints(Gateway gateway, IServiceProvider services)
    {
        _gateway = gateway;
        _services = services;
        Func<HttpContext, string, bool> permits = Permits;
        _handle = context => gateway.HandleAsync(context, permits);
        gateway.Applying += CheckAsync;
        gateway.Applied += _ =>
        {
            Refresh();
            return Task.CompletedTask;
        };
    }

    public IEndpointConventionBuilder Conventions => _conventions;

    public override IReadOnlyList<Endpoint> Endpoints
    {
        get
        {
            lock (_lock)
            {
                if (_endpoints is null || _config != _gateway.Config)
                {
                    _config = _gateway.Config;
                    _endpoints = [Build(null, _config), .. _config?.Routes.Keys.Select(name => Build(name, _config)) ?? []];
                }

                return _endpoints;
            }
        }
    }

    public override IChangeToken GetChangeToken()
    {
        lock (_lock)
            return new CancellationChangeToken(_changes.Token);
    }

    /// <summary>Called by the application's container.</summary>
    public void Dispose() => _changes.Dispose();

    /// <summary>Notifies consumers of the endpoints that a configuration went live.</summary>
    public void Refresh()
    {
        CancellationTokenSource before;
        lock (_lock)
        {
            if (_announced == _gateway.Config)
                return;
            _announced = _gateway.Config;
            (before, _changes) = (_changes, new CancellationTokenSource());
        }

        before.Cancel();
    }

    /// <summary>
    /// Returns the endpoint of a route as the application has it, including what its groups have added; <see langword="null"/> if there is
    /// none.
    /// </summary>
    public Endpoint? Find(HttpContext context, string route)
    {
        var all = context.RequestServices.GetRequiredService<EndpointDataSource>();
        if (IndexOf(all.Endpoints).Routes.GetValueOrDefault(route) is { } found)
            return found;
        Refresh(); // a request between a configuration and its notification
        return IndexOf(all.Endpoints).Routes.GetValueOrDefault(route);
    }

    /// <summary>
    /// Whether the application's requirements for a route have been applied to the request: middleware may change a request after the
    /// application's routing.
    /// </summary>
    private bool Permits(HttpContext context, string route)
    {
        if (context.GetEndpoint() is not { } selected || selected.Metadata.GetMetadata<GatewayEndpoints>() != this)
            return false;
        if (PolicyEndpoint.IsNameOfOne(route))
            return RouteOf(selected) is null; // it has no endpoint of its own: the requirements for all requests apply
        return RouteOf(selected) == route || (Find(context, route) is { } expected && HaveSameMetadata(selected, expected));
    }

    /// <summary>Returns the index of the endpoints. The application creates a new list when an endpoint changes.</summary>
    private Index IndexOf(IReadOnlyList<Endpoint> all)
    {
        if (_index is not { } index || index.All != all)
        {
            var own = all.Where(e => e.Metadata.GetMetadata<GatewayEndpoints>() == this && RouteOf(e) is not null);
            _index = index = new Index(all, own.ToFrozenDictionary(e => RouteOf(e)!));
        }

        return index;
    }

    /// <summary>Returns the route of an endpoint; <see langword="null"/> for the one that accepts every request.</summary>
    private static string? RouteOf(Endpoint endpoint) => endpoint.Metadata.GetMetadata<GatewayRouteMetadata>()?.Name;

    /// <summary>Whether two endpoints of the gateway have the same requirements: conventions have added the same to both.</summary>
    private static bool HaveSameMetadata(Endpoint one, Endpoint other) =>
        one.Metadata.Where(IsAdded).SequenceEqual(other.Metadata.Where(IsAdded));

    private static bool IsAdded(object item) =>
        item is not (GatewayEndpoints or GatewayRouteMetadata or Template or SuppressMatchingMetadata or SuppressLinkGenerationMetadata);

    private Endpoint Build(string? name, GatewayConfig? config)
    {
        var route = name is null ? null : new GatewayRouteMetadata(name, config!.Routes[name]);
        var builder = new RouteEndpointBuilder(
            _handle,
            route is null ? RoutePatternFactory.Parse("/{**path}") : PatternOf(route.Config.Match.Paths[0]),
            int.MaxValue
        )
        {
            DisplayName = name is null ? "Lintel" : "Lintel: " + name,
            ApplicationServices = _services,
        };
        builder.Metadata.Add(this);
        builder.Metadata.Add(new SuppressLinkGenerationMetadata());
        if (route is not null)
        {
            builder.Metadata.Add(route);
            builder.Metadata.Add(new Template(route.Config.Match.Paths[0]));
            builder.Metadata.Add(new SuppressMatchingMetadata());
        }

        _conventions.Apply(builder);
        return builder.Build();
    }

    /// <summary>
    /// Returns the pattern for display: it is not used for matching. A template that ASP.NET Core cannot express is shown as any path.
    /// </summary>
    private static RoutePattern PatternOf(string template)
    {
        try
        {
            return RoutePatternFactory.Parse(template);
        }
        catch (RoutePatternException)
        {
            return RoutePatternFactory.Parse("/{**path}");
        }
    }

    /// <summary>
    /// Refuses a configuration without a route that has conventions: a renamed route would lose the application's requirements.
    /// </summary>
    private Task CheckAsync(ConfigChange change, CancellationToken cancellation)
    {
        foreach (var name in _conventions.Routes.Where(r => !change.Config.Routes.ContainsKey(r)))
            change.Refuse(
                "unknown-route",
                ["routes"],
                $"the application configures a route `{name}` (`MapLintel().ForRoute`), and there is no route with this name",
                "keep the name, or change the application too"
            );
        return Task.CompletedTask;
    }

    private sealed record Index(IReadOnlyList<Endpoint> All, FrozenDictionary<string, Endpoint> Routes);

    /// <summary>The path template as configured, for the application's own metrics and traces.</summary>
    private sealed class Template(string text) : IRouteDiagnosticsMetadata
    {
        public string Route { get; } = text;
    }
}
