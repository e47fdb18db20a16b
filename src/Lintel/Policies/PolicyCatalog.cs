using System.Text.Json.Nodes;
using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;
using Lintel.Policies.Access;
using Lintel.Policies.AnyOf;
using Lintel.Policies.ApiKey;
using Lintel.Policies.Authorize;
using Lintel.Policies.Basic;
using Lintel.Policies.ClientCertificate;
using Lintel.Policies.Cors;
using Lintel.Policies.Fault;
using Lintel.Policies.Identity;
using Lintel.Policies.Introspection;
using Lintel.Policies.Jwt;
using Lintel.Policies.SecurityHeaders;
using Lintel.Policies.Session;
using Lintel.Policies.Validate;

namespace Lintel.Policies;

/// <summary>All kinds of policies, in the order in which a phase calls those of a route.</summary>
internal static class PolicyCatalog
{
    /// <summary>The grammar of a policy: a map with one key, its kind. Policies refer to each other, so it precedes them.</summary>
    public static Grammar<PolicyConfig> PolicyGrammar { get; } = new RecordGrammar<PolicyConfig>(Read);

    public static IReadOnlyList<PolicyKind> Kinds { get; } =
    [
        new PolicyKind<CorsConfig>(CorsConfig.Grammar, static (c, _) => new CorsPolicy(c)) { Name = CorsConfig.Key, IsSingle = true },
        new PolicyKind<AccessConfig>(AccessConfig.Grammar, static (c, _) => new AccessPolicy(c)) { Name = AccessConfig.Key },
        new PolicyKind<ClientCertificateConfig>(ClientCertificateConfig.Grammar, static (c, parts) => new ClientCertificatePolicy(c, parts))
        {
            Name = ClientCertificateConfig.Key,
        },
        new PolicyKind<JwtConfig>(JwtConfig.Grammar, static (c, parts) => new JwtPolicy(c, parts)) { Name = JwtConfig.Key },
        new PolicyKind<IntrospectionConfig>(IntrospectionConfig.Grammar, static (c, parts) => new IntrospectionPolicy(c, parts))
        {
            Name = IntrospectionConfig.Key,
        },
        new PolicyKind<ApiKeyConfig>(ApiKeyConfig.Grammar, static (c, parts) => new ApiKeyPolicy(c, parts)) { Name = ApiKeyConfig.Key },
        new PolicyKind<BasicConfig>(BasicConfig.Grammar, static (c, parts) => new BasicPolicy(c, parts)) { Name = BasicConfig.Key },
        new PolicyKind<SessionConfig>(SessionConfig.Grammar, static (c, parts) => new SessionPolicy(c, parts)) { Name = SessionConfig.Key },
        new PolicyKind<AnyOfConfig>(AnyOfConfig.CreateGrammar(PolicyGrammar), static (_, parts) => new AnyOfPolicy(parts))
        {
            Name = AnyOfConfig.Key,
            Members = static c => c.Policies,
        },
        new PolicyKind<AuthorizeConfig>(AuthorizeConfig.Grammar, static (c, parts) =>
            c.Http is null ? new AuthorizePolicy(c) : new DecisionPolicy(c, parts)
        )
        {
            Name = AuthorizeConfig.Key,
        },
        new PolicyKind<ValidateConfig>(ValidateConfig.Grammar, static (c, parts) => new ValidatePolicy(c, parts))
        {
            Name = ValidateConfig.Key,
        },
        new PolicyKind<IdentityConfig>(IdentityConfig.Grammar, static (c, parts) => new IdentityPolicy(c, parts))
        {
            Name = IdentityConfig.Key,
            IsSingle = true,
        },
        new PolicyKind<SecurityHeadersConfig>(SecurityHeadersConfig.Grammar, static (c, _) => new SecurityHeadersPolicy(c))
        {
            Name = SecurityHeadersConfig.Key,
            IsSingle = true,
        },
        new PolicyKind<FaultConfig>(FaultConfig.Grammar, static (c, parts) => new FaultPolicy(c, parts))
        {
            Name = FaultConfig.Key,
            When = static c => c.When,
        },
    ];

    /// <summary>The grammar of a whole configuration.</summary>
    public static Grammar<GatewayConfig> Grammar { get; } = GatewayConfig.CreateGrammar(PolicyGrammar);

    /// <summary>The kind of a policy, with its position in the order.</summary>
    public static (PolicyKind Kind, int Order) Of(PolicyConfig config)
    {
        for (var i = 0; i < Kinds.Count; i++)
        {
            if (Kinds[i].Name == config.Kind)
                return (Kinds[i], i);
        }

        throw new ArgumentException($"There is no policy kind named {config.Kind}.", nameof(config));
    }

    /// <summary>Names of policies, or their kinds if they have none, in the order in which they are called.</summary>
    public static IReadOnlyList<string> LabelsOf(ValueList<PolicyUse> uses, GatewayConfig config) =>
        [
            .. uses.OrderBy(u => (u.Policy ?? config.Policies.GetValueOrDefault(u.Name!)) is { } written ? Of(written).Order : int.MaxValue)
                .Select(u => u.Label),
        ];

    private static PolicyConfig Read(RecordFields f)
    {
        f.NotYet([.. PolicyConfig.Kinds.Except(Kinds.Select(k => k.Name))]);
        PolicyConfig? policy = null;
        PolicyKind? first = null;
        foreach (var kind in Kinds)
        {
            var isWritten = f.Has(kind.Name);
            if (isWritten && first is not null)
                f.Report(
                    "conflict",
                    kind.Name,
                    $"a policy has exactly one kind, and this one has `{first.Name}` and `{kind.Name}`",
                    "split it into two policies: a route can refer to both"
                );
            policy = f.Find(kind.Name, new KindGrammar(kind)) ?? policy;
            first ??= isWritten ? kind : null;
        }

        if (f.IsReading && f.IsEmpty)
            f.Report(
                "missing-key",
                null,
                "the policy has no kind, and routes that use it would be unprotected",
                "set its kind, or remove it here and from the routes"
            );
        f.IsUnusable |= policy is null;
        return policy!;
    }

    private sealed class KindGrammar(PolicyKind kind) : Grammar<PolicyConfig>
    {
        public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out PolicyConfig value) =>
            kind.TryRead(node, path, report, out value);

        public override JsonObject Describe(SchemaDefinitions definitions) => kind.Describe(definitions);
    }
}
