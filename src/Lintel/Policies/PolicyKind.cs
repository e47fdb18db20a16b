using System.Text.Json.Nodes;
using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;
using Lintel.Observability.Metrics;
using Lintel.Pipeline;
using Lintel.Routing;

namespace Lintel.Policies;

/// <summary>The dependencies of policies.</summary>
internal sealed record PolicyParts(TimeProvider Time, Random Random, GatewayMetrics Metrics)
{
    /// <summary>The compiled conditions of the policy's <c>when</c>; empty for none.</summary>
    public Condition[] Conditions { get; init; } = [];
}

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

    /// <summary>The requests that a policy is limited to (<c>when</c>); <see langword="null"/> for all of its routes.</summary>
    public abstract WhenConfig? WhenOf(PolicyConfig config);

    /// <summary>Creates the policy.</summary>
    public abstract Policy Create(PolicyConfig config, PolicyParts parts);
}

/// <inheritdoc/>
/// <typeparam name="TConfig">The record of the settings.</typeparam>
internal sealed class PolicyKind<TConfig>(Grammar<TConfig> grammar, Func<TConfig, PolicyParts, Policy> create) : PolicyKind
    where TConfig : PolicyConfig
{
    /// <summary>Returns a policy's <c>when</c>, if the kind has that key.</summary>
    public Func<TConfig, WhenConfig?>? When { get; init; }

    public override WhenConfig? WhenOf(PolicyConfig config) => When?.Invoke((TConfig)config);

    public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out PolicyConfig value)
    {
        var isRead = grammar.TryRead(node, path, report, out var config);
        value = config;
        return isRead;
    }

    public override JsonObject Describe(SchemaDefinitions definitions) => grammar.Describe(definitions);

    public override Policy Create(PolicyConfig config, PolicyParts parts) => create((TConfig)config, parts);
}
