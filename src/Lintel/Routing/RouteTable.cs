using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;

namespace Lintel.Routing;

/// <summary>The position of a parameter's value in the normalized path.</summary>
internal readonly record struct Capture(int Start, int Length);

/// <summary>The captures of one match, in template order.</summary>
[InlineArray(PathTemplate.MaxParameters)]
internal struct Captures
{
    private Capture _first;
}

/// <summary>The outcome of a look-up.</summary>
internal enum RouteOutcome
{
    NotFound,
    MethodNotAllowed,
    Found,
}

/// <summary>The result of a look-up.</summary>
internal ref struct RouteLookup<TRoute>
    where TRoute : class
{
    public RouteOutcome Outcome;
    public Candidate<TRoute>? Candidate;
    public Captures Captures;

    /// <summary>The methods of the routes at this path, if none of them allows that of the request.</summary>
    public SortedSet<string>? Allowed;
}

/// <summary>A route at one of its paths.</summary>
internal sealed class Candidate<TRoute>(
    TRoute route,
    string name,
    TemplateVariant variant,
    IReadOnlyList<string> parameters,
    string[] methods,
    Condition[] conditions
)
    where TRoute : class
{
    public TRoute Route { get; } = route;

    public string Name { get; } = name;

    /// <summary>The names of the route's parameters.</summary>
    public IReadOnlyList<string> Parameters { get; } = parameters;

    /// <summary>Upper case; empty for any.</summary>
    public string[] Methods { get; } = methods;

    public Condition[] Conditions { get; } = conditions;

    /// <summary>The path of the candidate; for <see cref="RouteExplanation"/> only, not for look-ups.</summary>
    public TemplateVariant Variant { get; } = variant;

    /// <summary>For each of the route's parameters the index of its capture; -1 if this path omits it.</summary>
    public int[] Slots { get; } =
    [.. parameters.Select(p => variant.Parameters.ToList().FindIndex(v => v.Equals(p, StringComparison.OrdinalIgnoreCase)))];

    /// <summary>For each of the route's parameters its value if this path omits it.</summary>
    public string?[] Defaults { get; } = [.. parameters.Select(p => variant.Defaults.GetValueOrDefault(p))];

    public int Count(ConditionPlace place) => Conditions.Count(c => c.Place == place);

    public bool TakesMethod(string method) => Methods.Length == 0 || Lists(method);

    /// <summary>Whether the route names this method; a route without methods names none.</summary>
    public bool Lists(string method)
    {
        foreach (var own in Methods)
        {
            if (HttpMethods.Equals(own, method))
                return true;
        }

        return false;
    }

    public bool ConditionsHold(in RoutedRequest request)
    {
        foreach (var condition in Conditions)
        {
            if (!condition.Holds(request))
                return false;
        }

        return true;
    }
}

/// <summary>All routes, organized so that the cost of a look-up depends on the path's length and not on the number of routes.</summary>
/// <remarks>
/// Precedence follows the Kubernetes Gateway API: exact host, longest wildcard host, any host; then the most specific path, segment by
/// segment from the left (text, text with parameters, constrained parameter, parameter, constrained catch-all, catch-all); then a method;
/// then listeners, a scheme, more headers, more query parameters, more cookies. It does not depend on the order in files. Immutable: safe
/// from any thread.
/// </remarks>
internal sealed class RouteTable<TRoute>
    where TRoute : class
{
    private readonly Dictionary<string, PathNode<TRoute>>.AlternateLookup<ReadOnlySpan<char>> _exactHosts;
    private readonly (string Suffix, PathNode<TRoute> Paths)[] _wildcardHosts;
    private readonly PathNode<TRoute>? _anyHost;
    private readonly bool _hasExactHosts;

    internal RouteTable(
        Dictionary<string, PathNode<TRoute>> exactHosts,
        (string Suffix, PathNode<TRoute> Paths)[] wildcardHosts,
        PathNode<TRoute>? anyHost
    )
    {
        _exactHosts = exactHosts.GetAlternateLookup<ReadOnlySpan<char>>();
        _hasExactHosts = exactHosts.Count > 0;
        _wildcardHosts = wildcardHosts;
        _anyHost = anyHost;
    }

    /// <summary>Every route at each of its hosts and paths; hosts as written, empty for any. Not for the request path.</summary>
    public IEnumerable<(string Host, Candidate<TRoute> Candidate)> All =>
        _exactHosts
            .Dictionary.Select(h => (Host: h.Key, Paths: h.Value))
            .Concat(_wildcardHosts.Select(h => (Host: "*" + h.Suffix, h.Paths)))
            .Concat(_anyHost is null ? [] : [(Host: "", Paths: _anyHost)])
            .SelectMany(h => h.Paths.All().SelectMany(n => n.Candidates).Select(c => (h.Host, c)));

    /// <summary>Finds the route of a request.</summary>
    /// <param name="request">The request, for method, host and conditions.</param>
    /// <param name="path">The normalized path.</param>
    /// <param name="lookup">The result.</param>
    public void Find(in RoutedRequest request, string path, ref RouteLookup<TRoute> lookup) =>
        Find(request, path, request.Request.Method, ref lookup);

    /// <summary>Finds the route of a request as if it had another method.</summary>
    /// <param name="request">The request, for host and conditions.</param>
    /// <param name="path">The normalized path.</param>
    /// <param name="method">Upper case.</param>
    /// <param name="lookup">The result.</param>
    public void Find(in RoutedRequest request, string path, string method, ref RouteLookup<TRoute> lookup)
    {
        FindOnHosts(request, path, method, ref lookup);
        if (lookup.Outcome == RouteOutcome.MethodNotAllowed && lookup.Allowed!.Contains(HttpMethods.Get))
            lookup.Allowed.Add(HttpMethods.Head);
    }

    private void FindOnHosts(in RoutedRequest request, string path, string method, ref RouteLookup<TRoute> lookup)
    {
        if (_hasExactHosts || _wildcardHosts.Length > 0)
        {
            var host = HostName(request.Host);
            if (_hasExactHosts && _exactHosts.TryGetValue(host, out var exact) && exact.Find(request, path, method, ref lookup))
                return;
            foreach (var (suffix, paths) in _wildcardHosts)
            {
                if (
                    host.Length > suffix.Length
                    && host.EndsWith(suffix, StringComparison.OrdinalIgnoreCase)
                    && paths.Find(request, path, method, ref lookup)
                )
                    return;
            }
        }

        _anyHost?.Find(request, path, method, ref lookup);
    }

    /// <summary>The host without its port and without the trailing dot of a fully qualified name.</summary>
    internal static ReadOnlySpan<char> HostName(ReadOnlySpan<char> host)
    {
        host = RequestHost.WithoutPort(host);
        return host.EndsWith('.') ? host[..^1] : host;
    }
}
