using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Policies;

namespace Lintel.Runtime;

/// <summary>
/// Rejects values of a configuration made in code that the grammar rejects in files: values that would silently match everything, or
/// nothing.
/// </summary>
internal sealed class CodeCheck(ProblemSink problems)
{
    public void Check(GatewayConfig config)
    {
        foreach (var (name, policy) in Made("policies", config.Policies))
            Check(policy, KeyPath.Root["policies"][name]);
        Check(config.Defaults.Policies, KeyPath.Root["defaults"]["policies"]);

        foreach (var (name, client) in Made("clients", config.Clients))
        {
            var path = KeyPath.Root["clients"][name];
            if (client.HasNoSign)
                problems.Add("missing-key", path, ClientConfig.NoSign, "set `When`, `ApiKeys`, `Claims` or `Certificates`");
            if (!client.When.IsEmpty)
                Check(client.When, path["when"]);
            Check(client.Claims, path["claims"]);
            for (var i = 0; i < client.Certificates.Count; i++)
            {
                if (!CertificatePattern.TryParse(client.Certificates[i], out _))
                    problems.Add("bad-value", path["certificates"][i], $"`{client.Certificates[i]}` is not a name of certificates");
            }

            for (var i = 0; i < client.ApiKeys.Count; i++)
            {
                if (!ApiKeyHashConfig.IsHash(client.ApiKeys[i].Hash))
                    problems.Add("bad-value", path["apiKeys"][i], "the hash is not `sha256:` and 64 hexadecimal digits");
            }
        }

        foreach (var (name, service) in Made("services", config.Services))
        {
            var path = KeyPath.Root["services"][name];
            if (service.Instances.Count == 0 && service.Discover is null)
                problems.Add("out-of-range", path["instances"], "at least 1 item is expected");
            if (service.Instances.Count > 0 && service.Discover is not null)
                problems.Add("conflict", path["discover"], "a service has either `Instances` or `Discover`", "remove one of them");
            if (service.Discover is { Sources: not 1 })
                problems.Add(
                    "conflict",
                    path["discover"],
                    "`Discover` requires exactly one of `Dns`, `DnsSrv`, `Consul`, `File` and `Host`",
                    "set one of them"
                );
            Check(service, path);
        }

        foreach (var (name, route) in Made("routes", config.Routes))
            Check(route, KeyPath.Root["routes"][name]);
    }

    private void Check(ServiceConfig service, KeyPath path)
    {
        if (service.Balancing.Kind == BalancingKind.ConsistentHash && (service.Balancing.ConsistentHash ?? new()).Problem is { } problem)
            problems.Add("bad-value", path["balancing"], problem.Message, problem.Hint);
        if (service.Limits is { } limits)
        {
            if (limits.Concurrent is < 1 or > 1_000_000)
                problems.Add("out-of-range", path["limits"]["concurrent"], "the limit is not from 1 to 1000000");
            else if (limits.Problem is { } conflict)
                problems.Add("conflict", path["limits"]["concurrent"], conflict.Message, conflict.Hint);
        }

        if (service.Affinity is { } affinity && !HeaderGrammar.IsToken(affinity.Cookie))
            problems.Add("bad-value", path["affinity"]["cookie"], "the name of the cookie is not a token");
        if (service.Affinity?.Key is { Length: < AffinityConfig.LeastKey })
            problems.Add("out-of-range", path["affinity"]["key"], $"the key has fewer than {AffinityConfig.LeastKey} characters");
    }

    private void Check(RouteConfig route, KeyPath path)
    {
        object?[] actions = [route.Forward, route.Compose, route.Redirect, route.Respond];
        if (actions.Count(a => a is not null) != 1)
            problems.Add(
                "conflict",
                path,
                $"a route has exactly one action, and this one has {(actions.Any(a => a is not null) ? "several" : "none")}",
                "set one of `Forward`, `Compose`, `Redirect` and `Respond`"
            );
        if (route.Match.Paths.Count == 0)
            problems.Add("missing-key", path["match"], "the path is missing", "add one to `Paths`; `/{**rest}` matches every path");
        if (route.Forward is { } forward && forward.Service is null == (forward.Split.Count == 0))
            problems.Add("conflict", path["forward"], "`Forward` requires exactly one of `Service` and `Split`", "set one of them");
        if (route.Forward is { Split.Count: > 0 } split && split.Split.Values.Sum(s => (long)s) <= 0)
            problems.Add("out-of-range", path["forward"]["split"], "all shares are 0", "set the share of at least one service");
        if (route.Redirect is { } redirect && redirect.To is null == redirect.Scheme is null)
            problems.Add("conflict", path["redirect"], "`Redirect` requires exactly one of `To` and `Scheme`", "set one of them");
        if (route.Redirect?.Scheme is not (null or "http" or "https") || route.Match.Scheme is not (null or "http" or "https"))
            problems.Add("bad-value", path, "a scheme is neither `http` nor `https`");
        Check(route.Policies ?? [], path["policies"]);
        Check(route.Match.Headers, path["match"]["headers"]);
        Check(route.Match.Query, path["match"]["query"]);
        Check(route.Match.Cookies, path["match"]["cookies"]);
    }

    private void Check(ValueList<PolicyUse> uses, KeyPath path)
    {
        for (var i = 0; i < uses.Count; i++)
        {
            if (uses[i].Policy is { } policy && !problems.IsWritten(path[i]))
                Check(policy, path[i]);
        }
    }

    private void Check(PolicyConfig policy, KeyPath path)
    {
        if (policy.Problem is { } problem)
            problems.Add("bad-value", path, problem.Message, problem.Hint);
        if (PolicyCatalog.Of(policy).Kind.WhenOf(policy) is { } when)
            Check(when, path[policy.Kind]["when"]);
    }

    private void Check(WhenConfig when, KeyPath path)
    {
        if (when.IsEmpty)
            problems.Add("missing-key", path, WhenConfig.EmptyProblem, "add conditions: `Headers`, `Query` or `Cookies`");
        Check(when.Headers, path["headers"]);
        Check(when.Query, path["query"]);
        Check(when.Cookies, path["cookies"]);
    }

    private void Check(ValueMap<ConditionConfig> conditions, KeyPath path)
    {
        foreach (var (name, condition) in conditions)
            Check(condition, path[name]);
    }

    private void Check(ConditionConfig condition, KeyPath path)
    {
        object?[] parts = [condition.Exact, condition.Prefix, condition.Regex, condition.OneOf, condition.Present, condition.Not];
        if (parts.Count(p => p is not null) != 1)
            problems.Add(
                "conflict",
                path,
                "a condition has exactly one of `Exact`, `Prefix`, `Regex`, `OneOf`, `Present`, `Not`",
                "set `Exact` to match a value exactly"
            );
        else if (condition is { Prefix: "" } or { Regex: "" } or { OneOf.Count: 0 })
            problems.Add("bad-value", path, "the condition matches every value, or none", "to match any value set `Present`");
        else if (condition.Not is { } inner)
            Check(inner, path["not"]);
    }

    /// <summary>Returns the entries that are not in a file.</summary>
    private IEnumerable<KeyValuePair<string, T>> Made<T>(string section, ValueMap<T> entries) =>
        entries.Where(e => !problems.IsWritten(section, e.Key));
}
