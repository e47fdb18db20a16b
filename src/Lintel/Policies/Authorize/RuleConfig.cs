using System.Text.Json.Nodes;
using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;
using Lintel.Pipeline;
using Lintel.Routing;

namespace Lintel.Policies.Authorize;

/// <summary>A rule on the caller and its request: one condition, or a combination of rules. Exactly one of them is set.</summary>
public sealed record RuleConfig
{
    /// <summary>All of these rules are met.</summary>
    public ValueList<RuleConfig> All { get; init; } = [];

    /// <summary>One of these rules is met.</summary>
    public ValueList<RuleConfig> Any { get; init; } = [];

    /// <summary>This rule is not met. It is met, too, where nothing is known of the caller: combine it with what must be known.</summary>
    public RuleConfig? Not { get; init; }

    /// <summary>
    /// The caller has this scope: in the claims <c>scope</c> (separated by spaces) or <c>scp</c>, or by <c>clients.NAME.scopes</c>.
    /// </summary>
    public string? Scope { get; init; }

    /// <summary>The caller has this role: in the claims <c>roles</c> or <c>role</c>. For other places use <see cref="Claim"/>.</summary>
    public string? Role { get; init; }

    /// <summary>
    /// The caller has this claim, and one of its values is as <see cref="EqualTo"/>, <see cref="OneOf"/> or <see cref="Matches"/> says. A
    /// dotted name leads into objects: <c>realm_access.roles</c>. Objects and their lists have no value.
    /// </summary>
    public string? Claim { get; init; }

    /// <summary>
    /// With <see cref="Claim"/>: a value equals this text, in which placeholders stand for values of the request:
    /// <c>{ claim: sub, equals: "{userId}" }</c>. A placeholder without a value is not equal to anything.
    /// </summary>
    public string? EqualTo { get; init; }

    /// <summary>With <see cref="Claim"/>: a value equals one of these texts.</summary>
    public ValueList<string> OneOf { get; init; } = [];

    /// <summary>
    /// With <see cref="Claim"/>: a value as a whole matches this .NET regular expression, evaluated in time linear in its length
    /// (<c>NonBacktracking</c>: no lookarounds, no backreferences).
    /// </summary>
    public string? Matches { get; init; }

    /// <summary>The caller is this configured client, by its credential.</summary>
    public string? Client { get; init; }

    /// <summary>
    /// The caller's certificate (<c>clientCertificate</c>) has a name like this: a DNS name with <c>*.</c> for one label, a URI with
    /// <c>*</c> for one segment and a final <c>**</c> for any number, an email address with <c>*@</c> for anyone.
    /// </summary>
    public string? Certificate { get; init; }

    /// <summary>The request has one of these methods.</summary>
    public ValueList<string> Methods { get; init; } = [];

    internal const string OneHint =
        "write one condition: `scope`, `role`, `claim`, `client`, `certificate`, `methods`, or combine rules with `all`, `any`, `not`";

    /// <summary>The keys of which a rule has exactly one.</summary>
    internal static readonly string[] Keys = ["all", "any", "not", "scope", "role", "claim", "client", "certificate", "methods"];

    internal static Grammar<RuleConfig> Grammar { get; } = new LateGrammar();

    internal int Conditions =>
        (All.Count > 0 ? 1 : 0)
        + (Any.Count > 0 ? 1 : 0)
        + (Methods.Count > 0 ? 1 : 0)
        + new object?[] { Not, Scope, Role, Claim, Client, Certificate }.Count(c => c is not null);

    internal int ClaimTests => (OneOf.Count > 0 ? 1 : 0) + (EqualTo is null ? 0 : 1) + (Matches is null ? 0 : 1);

    /// <summary>The problem of a rule; <see langword="null"/> for none.</summary>
    internal (string Message, string Hint)? Problem
    {
        get
        {
            if (Conditions != 1)
                return ($"a rule has exactly one condition, and this one has {(Conditions == 0 ? "none" : Conditions)}", OneHint);
            if (ClaimTests > 0 && Claim is null)
                return ("`equals`, `oneOf` and `matches` need the name of a claim", "add `claim: NAME`");
            if (ClaimTests > 1)
                return ("a claim has at most one of `equals`, `oneOf` and `matches`", "combine two rules with `all` or `any`");
            if (Certificate is not null && !CertificatePattern.TryParse(Certificate, out _))
                return ($"`{Certificate}` is not a name of certificates", "write `*.example.com`, `spiffe://example.com/**` or such");
            return All.Concat(Any).Append(Not).OfType<RuleConfig>().Select(r => r.Problem).FirstOrDefault(p => p is not null);
        }
    }

    /// <summary>Reads the keys of a rule.</summary>
    internal static RuleConfig Read(RecordFields f) =>
        new()
        {
            All = f.FilledList("all", Grammar, OneHint),
            Any = f.FilledList("any", Grammar, OneHint),
            Not = f.Find("not", Grammar),
            Scope = f.Find("scope", ClientConfig.ScopeGrammar),
            Role = f.Find("role", Some),
            Claim = f.Find("claim", Some),
            EqualTo = f.Find("equals", TextGrammar),
            OneOf = f.FilledList("oneOf", Scalars.Text, OneHint),
            Matches = f.Find("matches", PatternGrammar),
            Client = f.Find("client", Scalars.Name),
            Certificate = f.Find("certificate", CertificatePattern.Grammar),
            Methods = f.FilledList("methods", MatchConfig.MethodGrammar, OneHint, allowSingle: true),
        };

    /// <summary>Reports what is wrong between the keys of a rule.</summary>
    internal static void Check(RecordFields f, RuleConfig rule)
    {
        if (f.IsReading && !Array.Exists(Keys, f.HasFailed) && rule.Problem is { } problem)
            f.Report("conflict", null, problem.Message, problem.Hint);
    }

    private static Grammar<string> Some { get; } =
        new ScalarGrammar<string>("text of at least one character", null, static (string text, out string value) =>
        {
            value = text;
            return text.Length > 0;
        });

    private static Grammar<string> TextGrammar { get; } =
        new CheckedText(
            static (string text, out string? hint) =>
            {
                _ = Template.Parse(text, RouteParameters.Late, out var problem, out hint);
                return problem;
            }
        );

    private static Grammar<string> PatternGrammar { get; } =
        new CheckedText(
            static (string text, out string? hint) =>
            {
                hint = null;
                return LinearRegex.TryCreate(text, out _, out var problem) ? null : $"the regular expression does not compile: {problem}";
            }
        );

    private static Grammar<RuleConfig> Full { get; } =
        new RecordGrammar<RuleConfig>(static f =>
        {
            var rule = Read(f);
            Check(f, rule);
            return rule;
        });

    private delegate string? FindProblem(string text, out string? hint);

    /// <summary>A text with a syntax of its own.</summary>
    private sealed class CheckedText(FindProblem find) : Grammar<string>
    {
        public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out string value)
        {
            if (!Scalars.Text.TryRead(node, path, report, out value))
                return false;
            if (find(value, out var hint) is not { } problem)
                return true;
            report.Add("bad-value", node, path, problem, hint);
            return false;
        }

        public override JsonObject Describe(SchemaDefinitions definitions) => Scalars.Text.Describe(definitions);
    }

    /// <summary>Rules nest: the grammar refers to itself.</summary>
    private sealed class LateGrammar : Grammar<RuleConfig>
    {
        public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out RuleConfig value) =>
            Full.TryRead(node, path, report, out value);

        public override JsonObject Describe(SchemaDefinitions definitions) => Full.Describe(definitions);
    }
}
