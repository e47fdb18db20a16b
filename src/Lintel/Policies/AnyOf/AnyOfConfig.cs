using Lintel.Config;
using Lintel.Config.Grammars;

namespace Lintel.Policies.AnyOf;

/// <summary>Admits a request that one of several authentication policies accepts.</summary>
/// <remarks>
/// They are tried in the order of the list until one accepts. If none does, the response has the challenges of all of them; it is a 503 if
/// one of them could not decide, because its identity provider does not respond, for example.
/// </remarks>
public sealed record AnyOfConfig : PolicyConfig
{
    internal const string Key = "anyOf";

    private const string FewHint = "list at least two policies that authenticate: `anyOf: [signed-in, partner-key]`";

    /// <summary>The policies: names, or inline policies, at least two, all of them of kinds that authenticate.</summary>
    public ValueList<PolicyUse> Policies { get; init; } = [];

    /// <summary>The grammar: a list.</summary>
    /// <param name="policies">Reads a policy.</param>
    internal static Grammar<AnyOfConfig> CreateGrammar(Grammar<PolicyConfig> policies) =>
        new ListOf(new ListGrammar<PolicyUse>(new PolicyUseGrammar(policies), minimum: 2, fewHint: FewHint));

    internal override string Kind => Key;

    internal override IEnumerable<string> SecretHeaders => Policies.SelectMany(u => u.Policy?.SecretHeaders ?? []);

    internal override IEnumerable<string> SecretParameters => Policies.SelectMany(u => u.Policy?.SecretParameters ?? []);

    internal override IEnumerable<string> Files => Policies.SelectMany(u => u.Policy?.Files ?? []);

    internal override (string Message, string Hint)? Problem =>
        Policies.Count < 2 ? ("the policy has fewer than two alternatives", FewHint) : null;

    private sealed class ListOf(ListGrammar<PolicyUse> list) : Grammar<AnyOfConfig>
    {
        public override bool TryRead(Config.Reading.ConfigNode node, KeyPath path, ConfigReport report, out AnyOfConfig value)
        {
            var isRead = list.TryRead(node, path, report, out var uses);
            value = new AnyOfConfig { Policies = uses ?? [] };
            return isRead;
        }

        public override System.Text.Json.Nodes.JsonObject Describe(SchemaDefinitions definitions) => list.Describe(definitions);
    }
}
