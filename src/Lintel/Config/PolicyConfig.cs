using System.Text.Json.Nodes;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;

namespace Lintel.Config;

/// <summary>A policy as it is written. Its type is its kind: <c>access</c> becomes an <c>AccessConfig</c>.</summary>
public abstract record PolicyConfig
{
    /// <summary>The kinds that a configuration may name, those that are not available yet included.</summary>
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

    /// <summary>The key by which a configuration names the kind.</summary>
    internal abstract string Kind { get; }

    /// <summary>
    /// What is wrong with a policy that code has made, and what to do about it; <see langword="null"/> for nothing. What a configuration's
    /// text may say wrong is its grammar's.
    /// </summary>
    internal virtual (string Message, string Hint)? Problem => null;
}

/// <summary>A policy in a route's list: the name of one, or a policy written in place.</summary>
public sealed record PolicyUse
{
    private PolicyUse(string? name, PolicyConfig? policy) => (Name, Policy) = (name, policy);

    /// <summary>The name of a policy of the configuration; <see langword="null"/> where the policy is written in place.</summary>
    public string? Name { get; }

    /// <summary>The policy that is written in place; <see langword="null"/> for a name.</summary>
    public PolicyConfig? Policy { get; }

    /// <summary>The name, or for a policy in place its kind.</summary>
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

/// <summary>Reads a name or a policy in place.</summary>
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
