using Lintel.Config;
using Lintel.Policies;

namespace Lintel.Control.Status;

/// <summary>The action of a route.</summary>
internal enum RouteAction
{
    /// <summary>Sends the request to a service.</summary>
    Forward,

    /// <summary>Composes an answer from several calls to services.</summary>
    Compose,

    /// <summary>Redirects the client.</summary>
    Redirect,

    /// <summary>Answers itself.</summary>
    Respond,
}

/// <summary>The status of a route.</summary>
internal sealed record RouteStatus
{
    /// <summary>The route's name in the configuration.</summary>
    public required string Name { get; init; }

    /// <summary>The path templates, as configured.</summary>
    public required IReadOnlyList<string> Paths { get; init; }

    /// <summary>Host names, exact or beginning with <c>*.</c>; empty for any.</summary>
    public required IReadOnlyList<string> Hosts { get; init; }

    /// <summary>Methods in upper case; empty for any.</summary>
    public required IReadOnlyList<string> Methods { get; init; }

    /// <summary>The named client that the request must come from; <see langword="null"/> for any.</summary>
    public string? Client { get; init; }

    /// <summary>Further conditions in words, including those of the client. Values of credentials are hidden.</summary>
    public required IReadOnlyList<string> Conditions { get; init; }

    /// <summary>What the route does: <c>forward</c>, <c>compose</c>, <c>redirect</c> or <c>respond</c>.</summary>
    public required RouteAction Action { get; init; }

    /// <summary>
    /// The template of the path that the service sees, or of the location that the client is redirected to; <see langword="null"/> if the
    /// request's own path is passed on or the route answers itself.
    /// </summary>
    public string? To { get; init; }

    /// <summary>The status code of a redirect or a fixed answer; <see langword="null"/> if a service decides.</summary>
    public int? Status { get; init; }

    /// <summary>
    /// The services that requests are sent to, with their shares, or that the composition calls, each once; empty if the route answers
    /// itself.
    /// </summary>
    public required IReadOnlyList<RouteServiceStatus> Services { get; init; }

    /// <summary>The service that receives copies of requests; <see langword="null"/> for none.</summary>
    public RouteServiceStatus? Mirror { get; init; }

    /// <summary>
    /// The names of the policies that apply, in the order of their execution, including those of <c>defaults.policies</c>; for a policy
    /// without a name its kind.
    /// </summary>
    public required IReadOnlyList<string> Policies { get; init; }

    /// <summary>Which requests are shed first while the gateway is overloaded: <c>low</c>, <c>normal</c>, then <c>high</c>.</summary>
    public required RoutePriority Priority { get; init; }

    internal static RouteStatus Of(string name, RouteConfig route, GatewayConfig config) =>
        new()
        {
            Name = name,
            Paths = route.Match.Paths,
            Hosts = route.Match.Hosts,
            Methods = route.Match.Methods,
            Client = route.Match.Client,
            Conditions = [.. ConditionDescriptions.Of(route.Match, config)],
            Action = ActionOf(route),
            To = route.Redirect?.To
                ?? (route.Redirect?.Scheme is { } scheme ? scheme + "://{host}" : null)
                ?? route.Forward?.Path
                ?? route.Transform.Request.Path,
            Status = route.Redirect?.Status ?? route.Respond?.Status,
            Services = route.Forward is { } forward
                ? Shares(forward)
                :
                [
                    .. (route.Compose?.Calls.Values ?? [])
                        .Select(c => c.Request.Service)
                        .Distinct()
                        .Select(s => new RouteServiceStatus(s, 100)),
                ],
            Mirror = route.Forward?.Mirror is { } mirror ? new RouteServiceStatus(mirror.Service, mirror.Percent) : null,
            Priority = route.Priority ?? config.Defaults.Priority,
            Policies = PolicyCatalog.LabelsOf(route.Policies ?? config.Defaults.Policies, config),
        };

    internal static RouteAction ActionOf(RouteConfig route) =>
        route switch
        {
            { Forward: not null } => RouteAction.Forward,
            { Compose: not null } => RouteAction.Compose,
            { Redirect: not null } => RouteAction.Redirect,
            _ => RouteAction.Respond,
        };

    private static List<RouteServiceStatus> Shares(ForwardConfig forward)
    {
        if (forward.Service is { } single)
            return [new RouteServiceStatus(single, 100)];
        var total = forward.Split.Values.Sum(s => (double)s);
        return [.. forward.Split.Select(s => new RouteServiceStatus(s.Key, Math.Round(100 * s.Value / total, 3)))];
    }
}

/// <summary>A service of a route.</summary>
/// <param name="Name">The service's name.</param>
/// <param name="Percent">The share of the route's requests that it receives, from 0 to 100; for a composition 100 each.</param>
internal sealed record RouteServiceStatus(string Name, double Percent);
