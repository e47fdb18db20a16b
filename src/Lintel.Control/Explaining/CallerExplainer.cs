using Lintel.Identities;
using Lintel.Pipeline;
using Lintel.Policies.Authorize;

namespace Lintel.Control.Explaining;

/// <summary>Explains what a route demands of its callers, and whether an assumed one may use it. Nothing is sent.</summary>
internal static class CallerExplainer
{
    /// <summary>Makes the caller that the request assumes that of the exchange.</summary>
    public static void Assume(Exchange exchange, ExplainRequest request)
    {
        if (request.Client is null && request.Claims is null)
            return;
        var claims = request.Claims is { } json ? new ClaimSet(json) : ClaimSet.None;
        exchange.Authenticate(new CallerIdentity("explain", claims) { Client = request.Client }, default);
    }

    /// <summary>Explains the route of the exchange; <see langword="null"/> if it demands nothing and no caller is assumed.</summary>
    public static ExplainedCaller? Explain(Exchange exchange)
    {
        var policies = exchange.Route!.Policies.All;
        var credentials = policies
            .OfType<AuthenticationPolicy>()
            .SelectMany(p => p.Challenge(exchange, AuthenticationResult.Absent))
            .Distinct(StringComparer.Ordinal)
            .ToList();
        var isAssumed = exchange.Caller is not null;
        var rules = policies.Select(p => Rule(p, exchange, isAssumed)).OfType<ExplainedRule>().ToList();
        if (credentials.Count + rules.Count == 0 && !isAssumed)
            return null;
        return new ExplainedCaller
        {
            Credentials = credentials,
            IsAssumed = isAssumed,
            Client = exchange.CallingClient,
            Subject = exchange.Caller?.Identity.Subject,
            Rules = rules,
        };
    }

    private static ExplainedRule? Rule(Policy policy, Exchange exchange, bool isAssumed) =>
        policy switch
        {
            AuthorizePolicy authorize => Of(authorize.Rule, isAssumed ? exchange : null),
            DecisionPolicy decision => new ExplainedRule($"asks {decision.Address.GetLeftPart(UriPartial.Path)}", null, []),
            _ => null,
        };

    private static ExplainedRule Of(Rule rule, Exchange? exchange) =>
        new(
            rule.Parts.Count == 0 ? rule.ToString()! : rule.Label,
            exchange is null ? null : rule.IsMet(exchange),
            [.. rule.Parts.Select(p => Of(p, exchange))]
        );
}

/// <summary>What a route demands of its callers, and who is assumed.</summary>
internal sealed record ExplainedCaller
{
    /// <summary>The challenges of a request without a credential; empty if the route does not authenticate.</summary>
    public IReadOnlyList<string> Credentials { get; init; } = [];

    /// <summary>Whether a caller is assumed; otherwise rules are neither met nor unmet.</summary>
    public bool IsAssumed { get; init; }

    /// <summary>The client that the caller is.</summary>
    public string? Client { get; init; }

    /// <summary>The caller's subject.</summary>
    public string? Subject { get; init; }

    /// <summary>The rules of <c>authorize</c>, of which all must be met.</summary>
    public IReadOnlyList<ExplainedRule> Rules { get; init; } = [];

    /// <summary>Of the rules that are not met: the first.</summary>
    internal ExplainedRule? Unmet => Rules.FirstOrDefault(r => r.IsMet == false);
}

/// <summary>A rule of <c>authorize</c>.</summary>
/// <param name="Text">What it says.</param>
/// <param name="IsMet">Whether the assumed caller meets it; <see langword="null"/> if that is not known.</param>
/// <param name="Parts">The rules that it combines.</param>
internal sealed record ExplainedRule(string Text, bool? IsMet, IReadOnlyList<ExplainedRule> Parts);
