using Lintel.Config;
using Lintel.Config.Grammars;

namespace Lintel.Policies.Authorize;

/// <summary>Admits callers that meet a rule; all others are refused with 403 (<c>forbidden</c>).</summary>
/// <remarks>
/// The caller is known from the route's authentication policies, and inside another host from the application's. The keys of the rule are
/// written at once: <c>authorize: { scope: orders.read }</c>. Several <c>authorize</c> policies on a route must all admit.
/// </remarks>
public sealed record AuthorizeConfig : PolicyConfig
{
    internal const string Key = "authorize";

    /// <summary>The rule.</summary>
    public required RuleConfig Rule { get; init; }

    internal static Grammar<AuthorizeConfig> Grammar { get; } = new RecordGrammar<AuthorizeConfig>(Read);

    internal override string Kind => Key;

    internal override (string Message, string Hint)? Problem => Rule.Problem;

    private static AuthorizeConfig Read(RecordFields f)
    {
        var rule = f.ReadAs(RuleConfig.Read);
        RuleConfig.Check(f, rule);
        return new AuthorizeConfig { Rule = rule };
    }
}
