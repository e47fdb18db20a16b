using System.Text.RegularExpressions;
using Lintel.Config;
using Lintel.Identities;
using Lintel.Pipeline;
using Lintel.Routing;

namespace Lintel.Policies.Authorize;

/// <summary>A compiled rule. Its text describes it for logs and <c>explain</c>.</summary>
internal abstract class Rule
{
    /// <summary>Whether the request meets the rule.</summary>
    public abstract bool IsMet(Exchange exchange);

    /// <summary>Of a rule that is not met: the first part that is responsible.</summary>
    public virtual Rule FirstUnmet(Exchange exchange) => this;

    /// <summary>The rules that it combines.</summary>
    public virtual IReadOnlyList<Rule> Parts => [];

    /// <summary>Of a combination: how it combines its parts.</summary>
    public virtual string Label => "";

    /// <summary>The parameters of the route that the rule refers to.</summary>
    public virtual IEnumerable<string> Parameters => [];

    public static Rule Create(RuleConfig config) =>
        config switch
        {
            { All.Count: > 0 } => new AllRule([.. config.All.Select(Create)]),
            { Any.Count: > 0 } => new AnyRule([.. config.Any.Select(Create)]),
            { Not: { } inner } => new NotRule(Create(inner)),
            { Scope: { } scope } => new ScopeRule(scope),
            { Role: { } role } => new RoleRule(role),
            { Claim: { } claim, EqualTo: { } text } => new ClaimEqualsRule(claim, text),
            { Claim: { } claim } => new ClaimRule(claim, config),
            { Client: { } client } => new ClientRule(client),
            { Certificate: { } name } => new CertificateRule(name),
            _ => new MethodRule(config.Methods),
        };

    /// <summary>Whether a value of a claim, of any of the caller's identities, passes a test.</summary>
    protected static bool AnyValue(Exchange exchange, string claim, Predicate<string> test)
    {
        for (var caller = exchange.Caller; caller is not null; caller = caller.Earlier)
        {
            if (caller.Identity.Claims.TryFind(claim, out var value) && ClaimSet.Texts(value).Any(t => test(t)))
                return true;
        }

        return false;
    }
}

internal sealed class AllRule(Rule[] rules) : Rule
{
    public override bool IsMet(Exchange exchange) => Array.TrueForAll(rules, r => r.IsMet(exchange));

    public override Rule FirstUnmet(Exchange exchange) => Array.Find(rules, r => !r.IsMet(exchange))!.FirstUnmet(exchange);

    public override IReadOnlyList<Rule> Parts => rules;

    public override string Label => "all of";

    public override IEnumerable<string> Parameters => rules.SelectMany(r => r.Parameters);

    public override string ToString() => "all of (" + string.Join("; ", rules.AsEnumerable()) + ")";
}

internal sealed class AnyRule(Rule[] rules) : Rule
{
    public override bool IsMet(Exchange exchange) => Array.Exists(rules, r => r.IsMet(exchange));

    public override IReadOnlyList<Rule> Parts => rules;

    public override string Label => "any of";

    public override IEnumerable<string> Parameters => rules.SelectMany(r => r.Parameters);

    public override string ToString() => "any of (" + string.Join("; ", rules.AsEnumerable()) + ")";
}

internal sealed class NotRule(Rule rule) : Rule
{
    public override bool IsMet(Exchange exchange) => !rule.IsMet(exchange);

    public override IReadOnlyList<Rule> Parts => [rule];

    public override string Label => "not";

    public override IEnumerable<string> Parameters => rule.Parameters;

    public override string ToString() => $"not ({rule})";
}

internal sealed class ScopeRule(string scope) : Rule
{
    /// <summary>RFC 6750 section 3.1.</summary>
    public string Challenge { get; } = $"Bearer error=\"insufficient_scope\", scope=\"{scope}\"";

    public override bool IsMet(Exchange exchange) => exchange.HasScope(scope);

    public override string ToString() => $"scope {scope}";
}

internal sealed class RoleRule(string role) : Rule
{
    public override bool IsMet(Exchange exchange) => AnyValue(exchange, "roles", Is) || AnyValue(exchange, "role", Is);

    public override string ToString() => $"role {role}";

    private bool Is(string value) => value == role;
}

/// <summary>Compares a claim with values of the request.</summary>
internal sealed class ClaimEqualsRule(string claim, string text) : Rule
{
    private readonly Template _text = Template.Parse(text, RouteParameters.Late, out var problem, out _)
        ?? throw new FormatException(problem);

    public override bool IsMet(Exchange exchange) =>
        _text.RenderText(exchange) is { } expected && AnyValue(exchange, claim, value => value == expected);

    public override IEnumerable<string> Parameters => _text.Pieces.Select(p => p.Placeholder.Parameter).OfType<string>();

    public override string ToString() => $"claim {claim} equals {text}";
}

internal sealed class ClaimRule : Rule
{
    private readonly string _claim;
    private readonly HashSet<string>? _oneOf;
    private readonly Regex? _pattern;

    public ClaimRule(string claim, RuleConfig config)
    {
        _claim = claim;
        _oneOf = config.OneOf.Count > 0 ? config.OneOf.ToHashSet(StringComparer.Ordinal) : null;
        if (config.Matches is not { } pattern)
            return;
        if (!LinearRegex.TryCreate(pattern, out _, out var problem)) // alone: it must not end the group around it
            throw new FormatException(problem);
        LinearRegex.TryCreate($@"\A(?:{pattern})\z", out _pattern, out _);
    }

    public override bool IsMet(Exchange exchange) =>
        AnyValue(exchange, _claim, v => _oneOf?.Contains(v) ?? _pattern?.IsMatch(v) ?? true)
        || (_oneOf is null && _pattern is null && HasClaim(exchange));

    public override string ToString() =>
        _oneOf is not null ? $"claim {_claim} is one of {string.Join(", ", _oneOf)}"
        : _pattern is not null ? $"claim {_claim} matches {_pattern}"
        : $"claim {_claim}";

    /// <summary>Whether the claim exists, as an object, too.</summary>
    private bool HasClaim(Exchange exchange)
    {
        for (var caller = exchange.Caller; caller is not null; caller = caller.Earlier)
        {
            if (caller.Identity.Claims.TryFind(_claim, out _))
                return true;
        }

        return false;
    }
}

internal sealed class ClientRule(string client) : Rule
{
    public override bool IsMet(Exchange exchange) => exchange.CallingClient == client;

    public override string ToString() => $"client {client}";
}

internal sealed class CertificateRule(string name) : Rule
{
    private readonly CertificatePattern _name = CertificatePattern.TryParse(name, out var pattern)
        ? pattern
        : throw new FormatException($"`{name}` is not a name of certificates");

    public override bool IsMet(Exchange exchange)
    {
        for (var caller = exchange.Caller; caller is not null; caller = caller.Earlier)
        {
            if (caller.Identity.CertificateNames?.Find(_name) is not null)
                return true;
        }

        return false;
    }

    public override string ToString() => $"certificate {name}";
}

internal sealed class MethodRule(IReadOnlyList<string> methods) : Rule
{
    public override bool IsMet(Exchange exchange) => methods.Contains(exchange.Request.Method);

    public override string ToString() => $"method {string.Join(", ", methods)}";
}
