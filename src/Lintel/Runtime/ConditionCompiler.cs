using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Pipeline;
using Lintel.Routing;

namespace Lintel.Runtime;

/// <summary>Compiles the conditions of matches, clients and policies.</summary>
internal sealed class ConditionCompiler(CompileScope scope)
{
    /// <summary>Compiles a match's conditions, including those of its client; <see langword="null"/> if one does not compile.</summary>
    public Condition[]? Compile(MatchConfig match, KeyPath path)
    {
        var result = new List<Condition>();
        var valid = AddListeners(match.Listeners, path["listeners"], result);
        if (match.Scheme is { } scheme)
            result.Add(new Condition(ConditionPlace.Scheme, "", new OneOfTest([scheme])));
        valid &=
            Add(match.Headers, ConditionPlace.Header, path["headers"], result)
            & Add(match.Query, ConditionPlace.Query, path["query"], result)
            & Add(match.Cookies, ConditionPlace.Cookie, path["cookies"], result);
        if (match.Client is { } name)
            valid &= AddClient(name, path["client"], result);
        return valid ? [.. result] : null;
    }

    /// <summary>
    /// Compiles the conditions of a client; <see langword="null"/> if there is no such client, or a condition does not compile.
    /// </summary>
    public Condition[]? OfClient(string name, KeyPath path)
    {
        var result = new List<Condition>();
        return AddClient(name, path, result) ? [.. result] : null;
    }

    /// <summary>Compiles the conditions of a policy; <see langword="null"/> if one does not compile.</summary>
    public Condition[]? Compile(WhenConfig when, KeyPath path)
    {
        var result = new List<Condition>();
        return Add(when, path, result) ? [.. result] : null;
    }

    private bool AddListeners(ValueList<string> names, KeyPath path, List<Condition> result)
    {
        var valid = true;
        var all = scope.Config.EffectiveListeners;
        for (var i = 0; i < names.Count; i++)
        {
            if (all.ContainsKey(names[i]) || scope.Problems.IsWritten("listeners", names[i]))
                continue;
            valid = false;
            scope.Problems.Add("unknown-listener", path[i], $"there is no listener named `{names[i]}`", Suggestion.For(names[i], all.Keys));
        }

        if (names.Count > 0)
            result.Add(new Condition(ConditionPlace.Listener, "", new OneOfTest(names)));
        return valid;
    }

    private bool AddClient(string name, KeyPath path, List<Condition> result)
    {
        if (!scope.Config.Clients.TryGetValue(name, out var client))
        {
            if (!scope.Problems.IsWritten("clients", name))
                scope.Problems.Add(
                    "unknown-client",
                    path,
                    $"there is no client named `{name}`",
                    Suggestion.For(name, scope.Config.Clients.Keys)
                );
            return false;
        }

        if (!client.When.IsEmpty)
            return Add(client.When, KeyPath.Root["clients"][name]["when"], result);
        scope.Problems.Add(
            "conflict",
            path,
            $"the client `{name}` is recognized by its credential, which is verified after the route is chosen",
            $"give `clients.{name}` a `when`, or protect the route with `authorize: {{ client: {name} }}`"
        );
        return false;
    }

    /// <summary>Compiles a client's conditions on claims; those that do not compile are reported and missing.</summary>
    public IEnumerable<ClaimTest> CompileClaims(string client, ClientConfig config)
    {
        foreach (var (claim, condition) in config.Claims)
        {
            if (Compile(condition, ConditionPlace.Query, KeyPath.Root["clients"][client]["claims"][claim]) is { } test)
                yield return new ClaimTest(claim, test);
        }
    }

    private bool Add(WhenConfig when, KeyPath path, List<Condition> result) =>
        Add(when.Headers, ConditionPlace.Header, path["headers"], result)
        & Add(when.Query, ConditionPlace.Query, path["query"], result)
        & Add(when.Cookies, ConditionPlace.Cookie, path["cookies"], result);

    private bool Add(ValueMap<ConditionConfig> written, ConditionPlace place, KeyPath path, List<Condition> result)
    {
        var valid = true;
        foreach (var (name, config) in written)
        {
            if (Compile(config, place, path[name]) is { } test)
                result.Add(new Condition(place, name, test));
            else
                valid = false;
        }

        return valid;
    }

    private ValueTest? Compile(ConditionConfig config, ConditionPlace place, KeyPath path)
    {
        // Fields are bytes: configured text is compared as its UTF-8.
        var isOfBytes = place is ConditionPlace.Header or ConditionPlace.Cookie;
        switch (config)
        {
            case { Exact: { } exact }:
                return new OneOfTest([Text(exact)]);
            case { Prefix: { } prefix }:
                return new PrefixTest(Text(prefix));
            case { OneOf: { } texts }:
                return new OneOfTest([.. texts.Select(Text)]);
            case { Present: { } present }:
                return new PresentTest(present);
            case { Not: { } inner }:
                return Compile(inner, place, path["not"]) is { } test ? new NotTest(test) : null;
            case { Regex: { } pattern }:
                if (LinearRegex.TryCreate(pattern, out var regex, out var problem))
                    return new RegexTest(regex, isOfBytes);
                scope.Problems.Add("bad-regex", path["regex"], $"the regular expression does not compile: {problem}");
                return null;
            default:
                return null; // reported when it was read
        }

        string Text(string written) => isOfBytes ? FieldText.ToBytes(written) : written;
    }
}
