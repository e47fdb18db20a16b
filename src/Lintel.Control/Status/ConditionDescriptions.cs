using Lintel.Config;
using Lintel.Observability;

namespace Lintel.Control.Status;

/// <summary>Describes a route's conditions in words: <c>header X-Beta is "on"</c>. Values of credentials are hidden.</summary>
internal static class ConditionDescriptions
{
    /// <summary>Describes the conditions of a match, then those of its client.</summary>
    public static IEnumerable<string> Of(MatchConfig match, GatewayConfig config)
    {
        var own = Origin(match).Concat(Of(match.Headers, match.Query, match.Cookies));
        if (match.Client is not { } name || !config.Clients.TryGetValue(name, out var client))
            return own;
        return own.Concat(Of(client.When.Headers, client.When.Query, client.When.Cookies).Select(w => $"{w} (client {name})"));
    }

    private static IEnumerable<string> Origin(MatchConfig match)
    {
        if (match.Listeners.Count > 0)
            yield return "listener is "
                + (match.Listeners.Count == 1 ? match.Listeners[0] : "one of " + string.Join(", ", match.Listeners));
        if (match.Scheme is { } scheme)
            yield return $"scheme is {scheme}";
    }

    private static IEnumerable<string> Of(
        ValueMap<ConditionConfig> headers,
        ValueMap<ConditionConfig> query,
        ValueMap<ConditionConfig> cookies
    ) =>
        headers
            .Select(c => $"header {c.Key} {Words(c.Value, Secrets.IsSecret(c.Key), isNegated: false)}")
            .Concat(query.Select(c => $"query parameter {c.Key} {Words(c.Value, Secrets.IsSecret(c.Key), isNegated: false)}"))
            .Concat(cookies.Select(c => $"cookie {c.Key} {Words(c.Value, Secrets.IsSecret(c.Key), isNegated: false)}"));

    private static string Words(ConditionConfig condition, bool isHidden, bool isNegated)
    {
        var (verb, not) = isNegated ? ("is not", "does not ") : ("is", "");
        return condition switch
        {
            { Not: { } inner } => Words(inner, isHidden, !isNegated),
            { Present: { } present } => present == isNegated ? "is absent" : "is present",
            { Exact: { } text } => $"{verb} {Value(text, isHidden)}",
            { OneOf: { } texts } => $"{verb} one of "
                + (isHidden ? $"{texts.Count} hidden values" : string.Join(", ", texts.Select(t => Value(t, isHidden: false)))),
            { Prefix: { } text } => $"{not}{(isNegated ? "begin" : "begins")} with {Value(text, isHidden)}",
            { Regex: { } text } => $"{not}{(isNegated ? "match" : "matches")} {Value(text, isHidden)}",
            _ => "holds",
        };
    }

    private static string Value(string text, bool isHidden) => isHidden ? "a hidden value" : $"\"{text}\"";
}
