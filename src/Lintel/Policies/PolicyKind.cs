using System.Text.Json.Nodes;
using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;
using Lintel.Pipeline;

namespace Lintel.Policies;

/// <summary>A kind of policy: its configuration grammar and its implementation.</summary>
internal abstract class PolicyKind
{
    /// <summary>The key of the kind in a configuration.</summary>
    public required string Name { get; init; }

    /// <summary>Whether a route may have at most one.</summary>
    public bool IsSingle { get; init; }

    /// <summary>Parses the settings under the kind's key.</summary>
    public abstract bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out PolicyConfig value);

    /// <summary>The JSON Schema of the settings.</summary>
    public abstract JsonObject Describe(SchemaDefinitions definitions);

    /// <summary>Creates the policy.</summary>
    public abstract Policy Create(PolicyConfig config);
}

/// <inheritdoc/>
/// <typeparam name="TConfig">The record of the settings.</typeparam>
internal sealed class PolicyKind<TConfig>(Grammar<TConfig> grammar, Func<TConfig, Policy> create) : PolicyKind
    where TConfig : PolicyConfig
{
    public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out PolicyConfig value)
    {
        var isRead = grammar.TryRead(node, path, report, out var config);
        value = config;
        return isRead;
    }

    public override JsonObject Describe(SchemaDefinitions definitions) => grammar.Describe(definitions);

    public override Policy Create(PolicyConfig config) => create((TConfig)config);
}
