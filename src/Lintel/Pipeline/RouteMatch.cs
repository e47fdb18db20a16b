using Lintel.Errors;
using Lintel.Routing;

namespace Lintel.Pipeline;

/// <summary>
/// Finds the route of a request, considering every way in which services may read its path. Used for requests and for explanations alike.
/// </summary>
internal static class RouteMatch
{
    /// <summary>
    /// Finds the route and sets it on the exchange. A CORS preflight matches the route of its requested method, if that route responds to
    /// preflights.
    /// </summary>
    /// <param name="exchange">The request, with its target parsed.</param>
    /// <param name="method">The method, case-sensitive (RFC 9110 section 9.1).</param>
    /// <param name="lookup">The result.</param>
    /// <returns>Why the request is refused.</returns>
    public static GatewayError? Find(Exchange exchange, string method, ref RouteLookup<Route> lookup)
    {
        if (!exchange.Snapshot.AnswersPreflights || Preflight.MethodAskedAbout(exchange, method) is not { } asked)
            return FindFor(exchange, method, ref lookup);
        if (FindFor(exchange, asked, ref lookup) is null && exchange.Route!.Policies.Preflight is not null)
        {
            exchange.IsPreflight = true;
            return null;
        }

        lookup = default;
        exchange.Matched(ref lookup);
        return FindFor(exchange, method, ref lookup);
    }

    private static GatewayError? FindFor(Exchange exchange, string method, ref RouteLookup<Route> lookup)
    {
        var target = exchange.RequestTarget;
        var most = exchange.Listener?.Limits.QueryParameters ?? Config.ListenerLimitsConfig.DefaultQueryParameters;
        if (target.Query.Length > most && QueryValues.Count(target.Query) > most)
            return new GatewayError(GatewayErrorKind.BadTarget, $"the query has more than {most} parameters");

        var routed = exchange.Routed;
        exchange.Snapshot.Routes.Find(routed, target.Path, method, ref lookup);
        switch (lookup.Outcome)
        {
            case RouteOutcome.NotFound:
                return target.Traits.HasFlag(PathTraits.RawBytes)
                    ? NotAllowed(PathTraits.RawBytes)
                    : new GatewayError(GatewayErrorKind.RouteNotFound);
            case RouteOutcome.MethodNotAllowed:
                return NotAllowed(lookup.Allowed!);
        }

        var error = target.Traits == PathTraits.None && target.Unmerged is null ? null : Settle(exchange, in routed, method, ref lookup);
        exchange.Matched(ref lookup);
        return error;
    }

    /// <summary>The error for a method that is not supported, with those that are (RFC 9110 section 10.2.1).</summary>
    public static GatewayError NotAllowed(params IEnumerable<string> methods) =>
        new(GatewayErrorKind.MethodNotAllowed) { Headers = [new("Allow", string.Join(", ", methods))] };

    /// <summary>The error for a path with traits that the route would have to allow, in words fit for the client.</summary>
    public static GatewayError NotAllowed(PathTraits traits) =>
        new(
            GatewayErrorKind.BadTarget,
            traits.HasFlag(PathTraits.RawBytes) ? "the percent-encoding of the path is not valid UTF-8"
                : traits.HasFlag(PathTraits.EncodedSlash) ? "encoded slashes are not allowed in this path"
                : "semicolons are not allowed in this path"
        );

    /// <summary>Resolves a path that services read in different ways: each reading must match a route that allows it, or none.</summary>
    private static GatewayError? Settle(Exchange exchange, in RoutedRequest routed, string method, ref RouteLookup<Route> lookup)
    {
        var target = exchange.RequestTarget;
        var route = lookup.Candidate!.Route;
        var traits = target.Traits & PathTraits.Refused;
        if ((traits & ~route.Allowed) is not PathTraits.None and var refused)
            return NotAllowed(refused);
        foreach (var reading in traits == PathTraits.None ? [] : target.OtherReadings())
        {
            var other = default(RouteLookup<Route>);
            exchange.Snapshot.Routes.Find(routed, reading, method, ref other);
            if (
                other.Outcome == RouteOutcome.MethodNotAllowed
                || (other.Candidate is { } candidate && candidate.Route != route && (traits & ~candidate.Route.Allowed) != PathTraits.None)
            )
                return new GatewayError(
                    GatewayErrorKind.BadTarget,
                    "services may interpret this path as another one, whose route does not allow that"
                );
        }

        if (target.Unmerged is { } whole && route.Allowed.HasFlag(PathTraits.EmptySegment))
            KeepEmptySegments(exchange, whole, in routed, method, ref lookup);
        return null;
    }

    /// <summary>
    /// Keeps empty segments only if they do not affect the choice of the route: an additional slash must not bypass a rule.
    /// </summary>
    private static void KeepEmptySegments(
        Exchange exchange,
        string whole,
        in RoutedRequest routed,
        string method,
        ref RouteLookup<Route> lookup
    )
    {
        var other = default(RouteLookup<Route>);
        exchange.Snapshot.Routes.Find(routed, whole, method, ref other);
        if (other.Candidate?.Route != lookup.Candidate!.Route)
            return;
        lookup = other;
        exchange.RequestTarget = exchange.RequestTarget with { Path = whole };
    }
}
