using System.Security.Cryptography;
using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;
using Lintel.Identities.Providers;
using Lintel.Pipeline;
using Lintel.Policies;
using Lintel.Policies.Identity;
using Lintel.Routing;

namespace Lintel.Runtime;

/// <summary>Resolves the policies of routes: names become running policies, in the order of the catalogue.</summary>
internal sealed class PolicyCompiler(PolicyRegistry registry, ApplicationPolicies application, CompileScope scope)
{
    private readonly Dictionary<PolicyKey, UsedPolicy> _acquired = [];
    private readonly Dictionary<string, Condition[]?> _conditions = [];
    private readonly ConditionCompiler _compiler = new(scope);
    private PolicySet? _defaults;

    /// <summary>Whether any route answers CORS preflights.</summary>
    public bool AnswersPreflights { get; private set; }

    /// <summary>The policies of routes without policies of their own.</summary>
    public PolicySet Defaults => _defaults ??= Compile(scope.Config.Defaults.Policies, KeyPath.Root["defaults"]["policies"]);

    /// <summary>The policies in use.</summary>
    public IReadOnlyList<UsedPolicy> Used => [.. _acquired.Values];

    /// <summary>Compiles what routes do not refer to: problems in it are reported, too.</summary>
    public void CompileUnused()
    {
        _ = Defaults;
        foreach (var (name, policy) in scope.Config.Policies)
            ConditionsOf("policies." + name, policy, KeyPath.Root["policies"][name]);
    }

    /// <summary>Returns the policies of a route.</summary>
    public PolicySet Compile(string name, RouteConfig route)
    {
        var set = route.Policies is { } own ? Compile(own, KeyPath.Root["routes"][name]["policies"]) : Defaults;
        AnswersPreflights |= set.Preflight is not null;
        return set;
    }

    /// <summary>The public keys of the tokens that policies sign for services, each once.</summary>
    public IReadOnlyList<PublicKey> PublicKeys =>
        [.. _acquired.Values.Select(u => u.Policy).OfType<IdentityPolicy>().SelectMany(p => p.PublicKeys).DistinctBy(k => k.Id)];

    /// <summary>Starts what policies do on their own, if they do not do it yet.</summary>
    public void Start()
    {
        foreach (var policy in _acquired.Values.Select(u => u.Policy).OfType<IStarting>())
            policy.Start();
    }

    /// <summary>Releases the policies: the compiled snapshot is no longer used, or was refused.</summary>
    public void Release()
    {
        foreach (var key in _acquired.Keys.Reverse()) // a policy before its members
            registry.Release(key);
    }

    private PolicySet Compile(ValueList<PolicyUse> uses, KeyPath path)
    {
        if (uses.Count == 0)
            return PolicySet.None;
        var found = new List<(Policy Policy, int Order)>();
        var met = new Dictionary<PolicyKind, string>();
        for (var i = 0; i < uses.Count; i++)
        {
            if (FindOwn(uses[i], path[i]) is { } own)
            {
                found.Add((own, int.MaxValue)); // after those of the catalogue, in the order of the list
                continue;
            }

            if (Resolve(uses[i], path[i]) is not var (place, written))
                continue;
            var (kind, order) = PolicyCatalog.Of(written);
            if (!met.TryAdd(kind, uses[i].Label) && kind.IsSingle)
                scope.Problems.Add(
                    "conflict",
                    path[i],
                    $"`{met[kind]}` and `{uses[i].Label}` are both of the kind `{kind.Name}`, of which a route can have one",
                    "remove one of them"
                );
            if (Acquire(place, written, path[i]) is { } policy)
                found.Add((policy, order));
        }

        return PolicySet.Of([.. found.OrderBy(f => f.Order).Select(f => f.Policy)]);
    }

    /// <summary>Returns the policy of this name that the application has registered; <see langword="null"/> for none.</summary>
    private Policy? FindOwn(PolicyUse use, KeyPath path)
    {
        if (use.Name is not { } name || application.Find(name) is not { } own)
            return null;
        if (scope.Config.Policies.ContainsKey(name))
            scope.Problems.Add(
                "conflict",
                path,
                $"`{name}` is a policy of the configuration, and one that the application registers",
                "rename one of them"
            );
        return own;
    }

    private (string Place, PolicyConfig Written)? Resolve(PolicyUse use, KeyPath path)
    {
        if (use.Name is not { } name)
            return (path.ToString(), use.Policy!);
        if (scope.Config.Policies.TryGetValue(name, out var named))
            return ("policies." + name, named);
        if (!scope.Problems.IsWritten("policies", name))
            scope.Problems.Add(
                "unknown-policy",
                path,
                $"there is no policy named `{name}`",
                Suggestion.For(name, scope.Config.Policies.Keys.Concat(application.Names))
            );
        return null;
    }

    private Policy? Acquire(string place, PolicyConfig written, KeyPath path)
    {
        if (ConditionsOf(place, written, path) is not { } conditions || Members(written, path) is not { } members)
            return null;
        var files = written.Files.Any() ? ContentFingerprint.OfAll(written.Files, []) : null;
        var key = new PolicyKey(place, written, members, files);
        if (_acquired.TryGetValue(key, out var used))
            return used.Policy;
        Policy policy;
        try
        {
            policy = registry.Acquire(key, conditions);
        }
        catch (Exception e)
            when (e is FormatException or ArgumentException or IOException or UnauthorizedAccessException or CryptographicException)
        {
            scope.Problems.Add("bad-value", path, $"the policy cannot be created: {e.Message}"); // a file, or what code has made
            return null;
        }

        const string Named = "policies.";
        var source = place.StartsWith(Named, StringComparison.Ordinal) ? KeyPath.Root["policies"][place[Named.Length..]] : path;
        _acquired.Add(key, new UsedPolicy(policy, place, source[written.Kind], members));
        return policy;
    }

    /// <summary>Acquires the policies that a policy refers to; <see langword="null"/> if one of them cannot be used there.</summary>
    private ValueList<Policy>? Members(PolicyConfig written, KeyPath path)
    {
        var uses = PolicyCatalog.Of(written).Kind.MembersOf(written);
        var members = new Policy[uses.Count];
        for (var i = 0; i < members.Length; i++)
        {
            var place = path[written.Kind][i];
            if (Resolve(uses[i], place) is not var (where, member))
                return null;
            if (PolicyCatalog.Of(member).Kind.MembersOf(member).Count > 0)
            {
                scope.Problems.Add("conflict", place, $"`{uses[i].Label}` has alternatives itself", "list them here instead");
                return null;
            }

            if (Acquire(where, member, place) is not { } acquired)
                return null;
            if (acquired is not AuthenticationPolicy)
            {
                scope.Problems.Add(
                    "conflict",
                    place,
                    $"`{uses[i].Label}` does not authenticate: it is of the kind `{member.Kind}`",
                    "list it in the `policies` of routes"
                );
                return null;
            }

            members[i] = acquired;
        }

        return [.. members];
    }

    /// <summary>
    /// Compiles the conditions of the policy at a place, once for all routes that refer to it; <see langword="null"/> if one does not
    /// compile.
    /// </summary>
    private Condition[]? ConditionsOf(string place, PolicyConfig written, KeyPath path)
    {
        if (_conditions.TryGetValue(place, out var compiled))
            return compiled;
        var when = PolicyCatalog.Of(written).Kind.WhenOf(written);
        return _conditions[place] = when is null ? [] : _compiler.Compile(when, path[written.Kind]["when"]);
    }
}

/// <summary>A policy that a configuration uses.</summary>
/// <param name="Policy">The running policy.</param>
/// <param name="Place">Where it is written, as text.</param>
/// <param name="Path">Where its settings are.</param>
/// <param name="Members">The policies that it refers to.</param>
internal sealed record UsedPolicy(Policy Policy, string Place, KeyPath Path, ValueList<Policy> Members);
