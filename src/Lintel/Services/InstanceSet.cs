using Lintel.Config;
using Lintel.Services.Balancing;

namespace Lintel.Services;

/// <summary>
/// A service's instances and the balancer of those that are available. Immutable: a service replaces it as a whole whenever an instance is
/// added, removed, or changes its availability.
/// </summary>
internal sealed class InstanceSet
{
    private readonly Balancer? _balancer;

    /// <param name="instances">The instances of the service.</param>
    /// <param name="balancing">The load-balancing algorithm.</param>
    /// <param name="panic">
    /// The share of available instances in percent below which all are used: most instances hardly fail at once, and the rest would break
    /// under the load of all.
    /// </param>
    /// <param name="random">The source of random choices.</param>
    public InstanceSet(Instance[] instances, BalancingKind balancing, double panic, Random random)
    {
        All = instances;
        var available = Array.FindAll(instances, i => i.Health.IsAvailable);
        IsPanicking = available.Length < instances.Length && 100.0 * available.Length / instances.Length < panic;
        var used = IsPanicking ? instances : available;
        _balancer = used.Length == 0 ? null : Balancer.Create(balancing, used, random);
    }

    public Instance[] All { get; }

    /// <summary>Whether so few instances are available that all of them are used.</summary>
    public bool IsPanicking { get; }

    /// <summary>Chooses an instance for a request; <see langword="null"/> if there is none.</summary>
    public Instance? Pick(RequestKey key) => _balancer?.Pick(key.Hash);

    /// <summary>Chooses an instance that was not tried yet; <see langword="null"/> if all were tried.</summary>
    public Instance? PickOther(List<Instance> tried, RequestKey key) => _balancer?.PickOther(tried, key.Hash);
}
