using System.Text.Json.Nodes;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;

namespace Lintel.Config;

/// <summary>A policy as written. Its type is its kind: <c>access</c> becomes an <c>AccessConfig</c>.</summary>
public abstract record PolicyConfig
{
    /// <summary>The kinds that a configuration may use, including those that are not available yet.</summary>
    internal static readonly string[] Kinds =
    [
        "access",
        "anyOf",
        "apiKey",
        "authorize",
        "basic",
        "cache",
        "clientCertificate",
        "compress",
        "cors",
        "fault",
        "identity",
        "introspection",
        "jwt",
        "quota",
        "rateLimit",
        "securityHeaders",
        "session",
        "validate",
    ];

    private protected PolicyConfig() { }

    /// <summary>The key of the kind in a configuration.</summary>
    internal abstract string Kind { get; }

    /// <summary>
    /// The problem of a policy created in code and its remedy; <see langword="null"/> for none. The text of a configuration is checked by
    /// the grammar.
    /// </summary>
    internal virtual (string Message, string Hint)? Problem => null;

    /// <summary>Headers in which clients send credentials because the policy says so: logs do not show their values.</summary>
    internal virtual IEnumerable<string> SecretHeaders => [];

    /// <summary>Query parameters in which clients send credentials because the policy says so.</summary>
    internal virtual IEnumerable<string> SecretParameters => [];

    /// <summary>Files whose content is part of the policy: full paths.</summary>
    internal virtual IEnumerable<string> Files => [];
}

/// <summary>A policy in a route's list: the name of a policy, or an inline policy.</summary>
public sealed record PolicyUse
{
    private PolicyUse(string? name, PolicyConfig? policy) => (Name, Policy) = (name, policy);

    /// <summary>The name of a policy of the configuration; <see langword="null"/> for an inline policy.</summary>
    public string? Name { get; }

    /// <summary>The inline policy; <see langword="null"/> for a name.</summary>
    public PolicyConfig? Policy { get; }

    /// <summary>The name, or for an inline policy its kind.</summary>
    internal string Label => Name ?? Policy!.Kind;

    /// <summary>Uses the policy of this name.</summary>
    public static PolicyUse FromString(string name) => new(name ?? throw new ArgumentNullException(nameof(name)), null);

    /// <summary>Uses this policy.</summary>
    public static PolicyUse FromPolicyConfig(PolicyConfig policy) => new(null, policy ?? throw new ArgumentNullException(nameof(policy)));

    /// <summary>Uses the policy of this name.</summary>
    public static implicit operator PolicyUse(string name) => FromString(name);

    /// <summary>Uses this policy.</summary>
    public static implicit operator PolicyUse(PolicyConfig policy) => FromPolicyConfig(policy);
}

/// <summary>Reads a name or an inline policy.</summary>
internal sealed class PolicyUseGrammar(Grammar<PolicyConfig> policies) : Grammar<PolicyUse>
{
    public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out PolicyUse value)
    {
        if (node is MapNode && policies.TryRead(node, path, report, out var policy))
        {
            value = policy;
            return true;
        }

        if (node is not MapNode && Scalars.Name.TryRead(node, path, report, out var name))
        {
            value = name;
            return true;
        }

        return Fail(out value);
    }

    public override JsonObject Describe(SchemaDefinitions definitions) =>
        SchemaDefinitions.AnyOf(Scalars.Name.Describe(definitions), policies.Describe(definitions));
}
