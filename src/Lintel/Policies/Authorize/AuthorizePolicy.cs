using Lintel.Errors;
using Lintel.Pipeline;

namespace Lintel.Policies.Authorize;

/// <summary>Phase 2, after authentication: refuses callers that do not meet a rule.</summary>
internal sealed class AuthorizePolicy(AuthorizeConfig config) : Policy, IAdmitting, IReadingParameters
{
    private readonly Rule _rule = Rule.Create(config.Rule ?? new RuleConfig());

    /// <summary>The rule, for <c>explain</c>.</summary>
    public Rule Rule => _rule;

    public IEnumerable<string> Parameters => _rule.Parameters;

    public ValueTask<GatewayError?> AdmitAsync(Exchange exchange) => new(_rule.IsMet(exchange) ? null : Refuse(exchange));

    private GatewayError Refuse(Exchange exchange)
    {
        var unmet = _rule.FirstUnmet(exchange);
        return new GatewayError(GatewayErrorKind.Forbidden)
        {
            LogDetail = exchange.Caller is null ? "the caller is anonymous" : "the rule is not met: " + unmet,
            Challenges = unmet is ScopeRule scope && exchange.Caller is not null ? [scope.Challenge] : [],
        };
    }
}
