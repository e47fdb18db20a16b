using Lintel.Config;
using Lintel.Errors;
using Lintel.Services.Balancing;

namespace Lintel.Services;

/// <summary>
/// A service's instances and the balancer of those that take part. Immutable: a service replaces it as a whole whenever an instance is
/// added, removed, or changes its availability, and while a slow start goes on.
/// </summary>
internal sealed class InstanceSet
{
    private readonly Balancer? _balancer;
    private readonly Balancer? _spare;
    private readonly Dictionary<UInt128, Instance>? _pinned;

    /// <param name="members">The instances of the service.</param>
    /// <param name="config">The configuration of the service.</param>
    /// <param name="parts">The dependencies of balancers.</param>
    public InstanceSet(Member[] members, ServiceConfig config, BalancingParts parts)
    {
        Members = members;
        All = [.. members.Select(m => m.Instance)];
        Shares = Shares.Compute(members, config, parts.Time);
        if (config.Affinity is not null)
            _pinned = members
                .Where((m, i) => Shares.Of[i].Reason is not (ShareReason.Unavailable or ShareReason.Held))
                .DistinctBy(m => m.Token)
                .ToDictionary(m => m.Token, m => m.Instance);
        if (Shares.Taking.Length == 0)
            return;
        _balancer = Balancer.Create(config.Balancing, Shares.Taking, parts);
        var idle = members
            .Where((m, i) => Shares.Of[i] is { Fraction: 0, Reason: ShareReason.Priority or ShareReason.Zone })
            .Select(m => new WeightedInstance(m.Instance, m.Config.Weight))
            .ToArray();
        if (idle.Length > 0)
            _spare = Balancer.Create(new BalancingConfig(), idle, parts);
    }

    /// <summary>The instances with their settings, in the order of the configuration.</summary>
    public Member[] Members { get; }

    public Instance[] All { get; }

    /// <summary>How the requests are shared between them.</summary>
    public Shares Shares { get; }

    /// <summary>Whether so few instances are available that all of them are used.</summary>
    public bool IsPanicking => Shares.IsPanicking;

    /// <summary>Why no instance can be chosen.</summary>
    public GatewayError Refusal =>
        new(
            GatewayErrorKind.NoInstance,
            Members.Length > 0 && Shares.Held == Members.Length ? "all instances are drained or ejected by hand" : null
        );

    /// <summary>Chooses an instance for a request, the pinned one if it is available; <see langword="null"/> if there is none.</summary>
    public Instance? Pick(RequestKey key) => Pinned(key) ?? _balancer?.Pick(key.Hash);

    /// <summary>
    /// Chooses an instance that was not tried yet: one of those that take part, then one of another zone or priority; <see
    /// langword="null"/> if all were tried.
    /// </summary>
    public Instance? PickOther(List<Instance> tried, RequestKey key) =>
        Pinned(key) is { } pinned && !tried.Contains(pinned)
            ? pinned
            : _balancer?.PickOther(tried, key.Hash) ?? _spare?.PickOther(tried, key.Hash);

    /// <summary>The available instance that the client is pinned to; <see langword="null"/> for none.</summary>
    public Instance? Pinned(RequestKey key) => key.Pin == 0 ? null : _pinned?.GetValueOrDefault(key.Pin);
}
