using System.Text.Json.Nodes;
using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;
using Lintel.Identities.Providers;
using Lintel.Observability.Metrics;
using Lintel.Pipeline;
using Lintel.Routing;
using Lintel.State;
using Lintel.Transport.Memory;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Lintel.Policies;

/// <summary>The dependencies of policies.</summary>
internal sealed record PolicyParts(TimeProvider Time, Random Random, GatewayMetrics Metrics)
{
    /// <summary>The compiled conditions of the policy's <c>when</c>; empty for none.</summary>
    public Condition[] Conditions { get; init; } = [];

    /// <summary>The memory for bodies that a policy looks into.</summary>
    public MemoryBudget Memory { get; init; } = new(long.MaxValue);

    /// <summary>Where the policy is written, such as <c>policies.signed-in</c>: its name in logs.</summary>
    public string Place { get; init; } = "";

    /// <summary>The log of what policies do on their own: fetching keys, for example. Refused requests are not their business.</summary>
    public ILogger Log { get; init; } = NullLogger.Instance;

    /// <summary>What policies keep between requests. All of them share it, so each begins its keys with what nobody else does.</summary>
    public ExpiringStore State { get; init; } = new(Time);

    /// <summary>
    /// Protects what policies leave with clients: keys of the host, otherwise of the process. Created when it is first used.
    /// </summary>
    public Lazy<IDataProtectionProvider> Protection { get; init; } = new(static () => new EphemeralDataProtectionProvider());

    /// <summary>The policies that the policy refers to (<c>anyOf</c>), in the order of the configuration.</summary>
    public ValueList<Policy> Members { get; init; } = [];

    /// <summary>Creates a policy's client of an identity provider, whose requests are counted.</summary>
    public ProviderClient CreateProviderClient(ProviderConfig config) =>
        new(config.Authorities, config.Timeout, isAnswered => Metrics.ProviderAsked(Place, isAnswered));

    /// <summary>Creates the keys of an issuer.</summary>
    /// <param name="issuer">The issuer.</param>
    /// <param name="location">Where the keys are; <see langword="null"/> if the issuer's metadata says so.</param>
    /// <param name="client">Fetches them.</param>
    /// <exception cref="FormatException">A file's keys cannot be used.</exception>
    public KeySource CreateKeySource(string issuer, KeySetLocation? location, ProviderClient client)
    {
        var log = new KeySourceLog(Log, Place, issuer);
        var keys = location switch
        {
            { File: { } file } => KeySource.OfFile(file, Time),
            { Address: { } address } => KeySource.OfAddress(address, client, Time, log),
            _ => KeySource.OfProvider(new OpenIdProvider(issuer, client, Time), Time, log),
        };
        keys.Watched = Metrics.WatchKeys(Place, issuer, () => keys.Age);
        return keys;
    }
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

    /// <summary>Other policies that a policy refers to.</summary>
    public abstract ValueList<PolicyUse> MembersOf(PolicyConfig config);

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

    /// <summary>Returns the policies that a policy refers to, if the kind has any.</summary>
    public Func<TConfig, ValueList<PolicyUse>>? Members { get; init; }

    public override ValueList<PolicyUse> MembersOf(PolicyConfig config) => Members?.Invoke((TConfig)config) ?? [];

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
