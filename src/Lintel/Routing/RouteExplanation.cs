using Microsoft.AspNetCore.Http;

namespace Lintel.Routing;

/// <summary>Why a route was not chosen for a request.</summary>
/// <param name="Name">The route's name.</param>
/// <param name="Path">The route's best matching path.</param>
/// <param name="Segments">The number of its segments that match the request's path.</param>
/// <param name="FitsPath">Whether all of them match.</param>
/// <param name="Reasons">The reasons in words, that of the path first. The reason of a condition is empty and listed in
/// <paramref name="FailedConditions"/>.</param>
/// <param name="FailedConditions">The indexes of the route's conditions that do not hold.</param>
internal sealed record RouteLoss(string Name, string Path, int Segments, bool FitsPath, List<string> Reasons, List<int> FailedConditions);

/// <summary>
/// Explains for every route why a request does not match it. It visits all routes one by one, which
/// <see cref="RouteTable{TRoute}.Find(in RoutedRequest, string, ref RouteLookup{TRoute})"/> never does.
/// </summary>
internal static class RouteExplanation
{
    /// <summary>The reason of a route that would match without the chosen route.</summary>
    public const string Fitting = "it matches too";

    /// <summary>One loss for each route except the chosen one, the best match first.</summary>
    /// <param name="table">All routes.</param>
    /// <param name="request">The request, for host and conditions.</param>
    /// <param name="path">The normalized path.</param>
    /// <param name="winner">The result of the look-up; <see langword="null"/> if no route matched.</param>
    public static List<RouteLoss> Losses<TRoute>(RouteTable<TRoute> table, in RoutedRequest request, string path, Candidate<TRoute>? winner)
        where TRoute : class
    {
        var host = RouteTable<TRoute>.HostName(request.Host).ToString();
        var routed = request;
        var all = table.All.ToList();
        var won = all.Find(c => c.Candidate == winner);
        return
        [
            .. all.Where(c => c.Candidate.Name != winner?.Name)
                .Select(c => Explain(c, routed, host, path, won))
                .GroupBy(l => l.Name, StringComparer.Ordinal)
                .Select(g =>
                    g.OrderByDescending(l => l.FitsPath)
                        .ThenBy(l => l.Reasons.Count + l.FailedConditions.Count)
                        .ThenByDescending(l => l.Segments)
                        .First()
                )
                .OrderByDescending(l => l.FitsPath)
                .ThenByDescending(l => l.Segments)
                .ThenBy(l => l.Name, StringComparer.Ordinal),
        ];
    }

    private static RouteLoss Explain<TRoute>(
        (string Host, Candidate<TRoute> Candidate) route,
        in RoutedRequest request,
        string host,
        string path,
        (string Host, Candidate<TRoute>? Candidate) winner
    )
        where TRoute : class
    {
        var candidate = route.Candidate;
        var loss = new RouteLoss(
            candidate.Name,
            "/" + string.Join('/', candidate.Variant.Segments.Select(s => s.ToString())),
            0,
            true,
            [],
            []
        );
        if (PathMismatch(candidate.Variant.Segments, path, out var fitting) is { } other)
            return loss with { Segments = fitting, FitsPath = false, Reasons = [other] };

        loss = loss with { Segments = fitting };
        if (!FitsHost(route.Host, host))
            loss.Reasons.Add($"the host `{host}` is not `{route.Host}`");
        if (
            !candidate.TakesMethod(request.Request.Method)
            && !(HttpMethods.IsHead(request.Request.Method) && candidate.TakesMethod(HttpMethods.Get))
        )
            loss.Reasons.Add($"the method {request.Request.Method} is not {string.Join(" or ", candidate.Methods)}");
        for (var i = 0; i < candidate.Conditions.Length; i++)
        {
            if (!candidate.Conditions[i].Holds(request))
                loss.FailedConditions.Add(i);
        }

        if (loss.Reasons.Count == 0 && loss.FailedConditions.Count == 0)
            loss.Reasons.Add(
                winner.Candidate is null ? Fitting : $"{Fitting}, and {Rank(route, winner.Candidate, winner.Host, request.Request.Method)}"
            );
        return loss;
    }

    private static bool FitsHost(string written, string host) =>
        written.Length == 0
        || written.Equals(host, StringComparison.OrdinalIgnoreCase)
        || (written[0] == '*' && host.Length > written.Length - 1 && host.EndsWith(written[1..], StringComparison.OrdinalIgnoreCase));

    /// <summary>Finds the first segment that does not match.</summary>
    private static string? PathMismatch(TemplateSegment[] segments, string path, out int fitting)
    {
        var at = 1;
        for (fitting = 0; fitting < segments.Length; fitting++)
        {
            var segment = segments[fitting];
            if (segment.IsCatchAll)
                return SegmentMatcher.Accepts(segment.Parts[^1].Constraints, path.AsSpan(at))
                    ? null
                    : $"other path: the rest `{path[at..]}` does not match `{segment}`";
            if (at >= path.Length)
                return $"other path: it continues with `{string.Join('/', segments.Skip(fitting).Select(s => s.ToString()))}` where "
                    + $"the request path ends";
            var slash = path.IndexOf('/', at);
            var text = path[at..(slash < 0 ? path.Length : slash)];
            if (!Fits(segment, text))
                return $"other path: segment {fitting + 1}, `{text}`, {(segment.IsLiteral ? "is not" : "does not match")} `{segment}`";
            at = Math.Min(path.Length, at + text.Length + 1);
        }

        return at >= path.Length ? null : $"other path: the request path continues with `{path[at..]}`";
    }

    private static bool Fits(TemplateSegment segment, string text)
    {
        if (segment.IsLiteral)
            return PathFold.Equals(segment.Parts[0].Literal!, text);
        return segment.IsParameter
            ? text.Length > 0 && SegmentMatcher.Accepts(segment.Parts[0].Constraints, text)
            : SegmentMatcher.TryCaptureFolded(segment, text, 0, new Capture[PathTemplate.MaxParameters]) >= 0;
    }

    /// <summary>
    /// Why the chosen route takes precedence over another matching route, in the order of <see cref="RouteTable{TRoute}"/>.
    /// </summary>
    private static string Rank<TRoute>(
        (string Host, Candidate<TRoute> Candidate) route,
        Candidate<TRoute> better,
        string host,
        string method
    )
        where TRoute : class
    {
        var own = route.Candidate;
        if (!route.Host.Equals(host, StringComparison.OrdinalIgnoreCase))
            return $"its host {(route.Host.Length == 0 ? "(any)" : $"`{route.Host}`")} is less specific than `{host}`";
        for (var i = 0; i < Math.Min(own.Variant.Segments.Length, better.Variant.Segments.Length); i++)
        {
            var (mine, theirs) = (own.Variant.Segments[i], better.Variant.Segments[i]);
            if (mine.Shape != theirs.Shape)
                return $"its path is less specific: segment {i + 1} is `{mine}`, the winner has `{theirs}`";
        }

        if (own.Variant.Segments.Length != better.Variant.Segments.Length)
            return "its path is less specific: the winner has no catch-all";
        if (HttpMethods.IsHead(method) && better.Lists(method) && !own.Lists(method))
            return "the winner lists HEAD explicitly";
        if (own.Methods.Length == 0 && better.Methods.Length > 0)
            return "it accepts any method, the winner lists this one";
        foreach (
            var place in (ConditionPlace[])
                [ConditionPlace.Listener, ConditionPlace.Scheme, ConditionPlace.Header, ConditionPlace.Query, ConditionPlace.Cookie]
        )
        {
            if (own.Count(place) != better.Count(place))
                return $"it has fewer {place.ToString().ToLowerInvariant()} conditions ({own.Count(place)}) than the winner "
                    + $"({better.Count(place)})";
        }

        return "it ranks equally"; // the builder refuses such routes if one request can match both
    }
}
