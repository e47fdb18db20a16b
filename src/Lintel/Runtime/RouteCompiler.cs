using Lintel.Answering;
using Lintel.Composition;
using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Forwarding;
using Lintel.Pipeline;
using Lintel.Routing;
using Lintel.Services;
using Lintel.State;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Lintel.Runtime;

/// <summary>The dependencies of targets.</summary>
internal sealed record RouteParts(ForwardParts Forwarding, CompositionParts Compositions, Random Random)
{
    /// <summary>The policies that the application has registered.</summary>
    public ApplicationPolicies Application { get; init; } = ApplicationPolicies.None;

    /// <summary>Whether requests arrive at the gateway's own listeners, and not at those of another host.</summary>
    public bool OwnsListeners { get; init; } = true;

    /// <summary>The log of policies.</summary>
    public ILogger PolicyLog { get; init; } = NullLogger.Instance;

    /// <summary>What policies keep between requests, across reloads; <see langword="null"/> for a store of its own.</summary>
    public ExpiringStore? State { get; init; }

    /// <summary>Protects what policies leave with clients.</summary>
    public Lazy<IDataProtectionProvider> Protection { get; init; } = new(static () => new EphemeralDataProtectionProvider());
}

/// <summary>Compiles routes one by one. A route with a problem is dropped and does not affect the others.</summary>
internal sealed class RouteCompiler(CompileScope scope, RouteParts parts)
{
    private readonly ConditionCompiler _conditions = new(scope);

    public RouteEntry<Route>? Compile(string name, RouteConfig config, PolicySet policies)
    {
        var path = KeyPath.Root["routes"][name];
        var templates = ParsePaths(config.Match, path["match"]);
        var conditions = _conditions.Compile(config.Match, path["match"]);
        if (templates is null)
            return null;

        var everywhere = templates.Select(t => t.Parameters.Keys).Aggregate(Enumerable.Intersect).ToList();
        var parameters = new RouteParameters(everywhere, [.. everywhere.Select(p => templates.Any(t => t.Parameters[p]))]);
        var allowed = config.Match.Allow.Aggregate(PathTraits.None, (all, one) => all
            | one switch
            {
                PathAllowance.EncodedSlashes => PathTraits.EncodedSlash,
                PathAllowance.Semicolons => PathTraits.Semicolon,
                PathAllowance.EmptySegments => PathTraits.EmptySegment,
                _ => PathTraits.RawBytes,
            });
        CheckParameters(name, policies, everywhere, path["policies"]);
        var compile = new Templates(scope.Problems, parameters);
        Target? target = config switch
        {
            { Forward: { } forward } => CompileForward(forward, config, allowed, compile, path),
            { Compose: { } compose } => CompileComposition(name, compose, parameters, allowed),
            { Redirect: { } redirect } => CompileRedirect(redirect, config.Match, compile, path["redirect"]),
            { Respond: { } respond } => new RespondTarget(respond, compile.Values(respond.Headers, path["respond"]["headers"])),
            _ => null,
        };
        if (config.Forward is null && config.Transform.Request != RequestTransformConfig.None)
            scope.Problems.Add(
                "conflict",
                path["transform"]["request"],
                "`transform.request` changes forwarded requests, and this route does not forward",
                "remove it; `transform.response` applies to every response"
            );
        var response = config.Transform.Response;
        var responseHeaders = CompileHeaders(
            response.SetHeaders,
            response.AddHeaders,
            response.RemoveHeaders,
            compile,
            path["transform"]["response"]
        );
        if (config.Forward is null && config.Upgrades is not null)
            scope.Problems.Add(
                "conflict",
                path["upgrades"],
                "`upgrades` applies to forwarded requests, and this route does not forward",
                "remove it"
            );
        if (target is null || conditions is null)
            return null;
        var route = new Route(name, templates[0].Text, allowed, config.Limits.Body, target)
        {
            ResponseHeaders = responseHeaders,
            Policies = policies,
            Priority = config.Priority ?? scope.Config.Defaults.Priority,
        };
        return new RouteEntry<Route>(name, route, config.Match.Hosts, templates, parameters.Names, [.. config.Match.Methods], conditions);
    }

    private List<PathTemplate>? ParsePaths(MatchConfig match, KeyPath path)
    {
        var templates = new List<PathTemplate>();
        var index = scope.Problems.IsWritten(path["path"]) ? -1 : 0; // `path` precedes `paths`
        foreach (var text in match.Paths)
        {
            var at = index < 0 ? path["path"] : path["paths"][index];
            index++;
            if (PathTemplate.Parse(text, out var problem, out var hint) is { } template)
                templates.Add(template);
            else
                scope.Problems.Add("bad-path", at, problem!, hint);
        }

        return templates.Count == match.Paths.Count && templates.Count > 0 ? templates : null;
    }

    private ForwardTarget? CompileForward(ForwardConfig config, RouteConfig owner, PathTraits allowed, Templates compile, KeyPath route)
    {
        var (path, transform) = (route["forward"], owner.Transform);
        var names = config.Service is { } single ? [KeyValuePair.Create(single, 1)] : config.Split.AsEnumerable();
        var shares = new List<(Service Service, int Share)>();
        var all = true;
        foreach (var (name, share) in names)
        {
            if (FindService(name, config.Service is null ? path["split"][name] : path["service"]) is { } service)
                shares.Add((service, share));
            else
                all = false;
        }

        var written = config.Path ?? transform.Request.Path;
        if (config.Path is not null && transform.Request.Path is not null)
            scope.Problems.Add(
                "conflict",
                route["transform"]["request"]["path"],
                "the path is set by both `forward` and `transform`",
                "keep one of them"
            );
        var upstream = written is null
            ? null
            : compile.Path(written, allowed, config.Path is not null ? path["path"] : route["transform"]["request"]["path"]);
        var request = transform.Request;
        var requestPath = route["transform"]["request"];
        var query = new QueryChanges(
            request.RemoveQuery.Concat(request.SetQuery.Keys),
            compile.Values(request.SetQuery, requestPath["setQuery"])
        );
        var requestHeaders = CompileHeaders(
            request.SetHeaders,
            request.AddHeaders,
            request.RemoveHeaders,
            compile,
            requestPath,
            foldsUnderscores: true
        );
        var mirror =
            config.Mirror is { } m && FindService(m.Service, path["mirror"]["service"]) is { } target
                ? new Mirror(target, m.Percent, parts.Random, parts.Forwarding)
                : null;
        var upgrades = CompileUpgrades(owner.Upgrades, shares, route["upgrades"]);
        if (!all || shares.Sum(s => (long)s.Share) == 0)
            return null;
        var plan = new ForwardPlan(new ServiceChoice(shares, config.Sticky, parts.Random), upstream, query, requestHeaders, mirror)
        {
            Upgrades = upgrades,
            IsIdempotent = owner.Idempotent,
        };
        return new ForwardTarget(plan, parts.Forwarding);
    }

    /// <summary>Compiles the upgrades. HTTP/2 supports only WebSocket (RFC 8441) of the protocols that HTTP/1.1 can switch to.</summary>
    private UpgradeSet CompileUpgrades(ValueList<string>? config, List<(Service Service, int Share)> shares, KeyPath path)
    {
        var upgrades = config is null ? UpgradeSet.Default : new UpgradeSet(config);
        if (upgrades.Others is { } other && shares.Find(s => s.Service.Config.Protocol == ServiceProtocol.Http2).Service is { } service)
            scope.Problems.Add(
                "conflict",
                path,
                $"`{other}` is an HTTP/1.1 upgrade, and the service `{service.Name}` uses HTTP/2",
                "remove it, or remove the service's `protocol: http2`"
            );
        return upgrades;
    }

    private static HeaderChanges CompileHeaders(
        ValueMap<string> set,
        ValueMap<string> add,
        ValueList<string> remove,
        Templates compile,
        KeyPath path,
        bool foldsUnderscores = false
    ) =>
        new(
            remove.Concat(set.Keys),
            [.. compile.Values(set, path["setHeaders"]), .. compile.Values(add, path["addHeaders"])],
            foldsUnderscores
        );

    private RedirectTarget? CompileRedirect(RedirectConfig config, MatchConfig match, Templates compile, KeyPath path)
    {
        if (config.Scheme is { } scheme)
        {
            if (match.Scheme is null && match.Listeners.Count == 0)
                scope.Problems.Warn(
                    "redirect-loop",
                    path["scheme"],
                    $"requests that already use `{scheme}` are redirected to themselves",
                    $"add `match.scheme: {(scheme == "https" ? "http" : "https")}`"
                );
            return new RedirectTarget(Location.Of(scheme), config.Status);
        }

        if (config.To is null)
            return null; // reported when it was read
        if (Location.Parse(config.To, compile.Parameters, out var problem, out var hint) is { } location)
            return new RedirectTarget(location, config.Status);
        scope.Problems.Add("bad-template", path["to"], problem!, hint);
        return null;
    }

    /// <summary>Reports parameters that a policy reads and the route does not always have: the policy could not decide.</summary>
    private void CheckParameters(string name, PolicySet policies, List<string> everywhere, KeyPath path)
    {
        var read = policies.All.OfType<IReadingParameters>().SelectMany(p => p.Parameters);
        foreach (var missing in read.Except(everywhere, StringComparer.OrdinalIgnoreCase))
            scope.Problems.Add(
                "unknown-parameter",
                path,
                $"a policy of the route `{name}` refers to `{{{missing}}}`, which is not a parameter of each of its paths",
                Suggestion.For(missing, everywhere)
            );
    }

    private ComposeTarget? CompileComposition(string name, ComposeConfig config, RouteParameters parameters, PathTraits allowed) =>
        new CompositionCompiler(scope, _conditions, FindService).Compile(name, config, parameters, allowed) is { } plan
            ? new ComposeTarget(plan, parts.Compositions)
            : null;

    private Service? FindService(string name, KeyPath path)
    {
        if (scope.Services.TryGetValue(name, out var service))
            return service;
        if (!scope.Problems.IsWritten("services", name))
            scope.Problems.Add(
                "unknown-service",
                path,
                $"there is no service named `{name}`",
                Suggestion.For(name, scope.Config.Services.Keys)
            );
        return null;
    }

    /// <summary>Compiles a route's templates and reports those that do not compile.</summary>
    private sealed class Templates(ProblemSink problems, RouteParameters parameters)
    {
        public RouteParameters Parameters => parameters;

        public (string Name, Template Value)[] Values(ValueMap<string> written, KeyPath path)
        {
            var result = new List<(string, Template)>();
            foreach (var (name, text) in written)
            {
                if (Template.Parse(text, parameters, out var problem, out var hint) is { } template)
                    result.Add((name, template));
                else
                    problems.Add("bad-template", path[name], problem!, hint);
            }

            return [.. result];
        }

        public UpstreamPath? Path(string text, PathTraits allowed, KeyPath path)
        {
            if (UpstreamPath.Parse(text, parameters, allowed, out var problem, out var hint) is { } compiled)
                return compiled;
            problems.Add("bad-template", path, problem!, hint);
            return null;
        }
    }
}
