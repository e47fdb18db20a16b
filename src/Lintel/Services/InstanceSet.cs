using Lintel.Config;
using Lintel.Services.Balancing;

namespace Lintel.Services;

/// <summary>A service's instances and their balancer. Immutable: a service replaces it as a whole.</summary>
internal sealed class InstanceSet
{
    private readonly Balancer? _balancer;

    public InstanceSet(Instance[] instances, BalancingKind balancing, Random random)
    {
        All = instances;
        _balancer = instances.Length == 0 ? null : Balancer.Create(balancing, instances, random);
    }

    public Instance[] All { get; }

    /// <summary>Chooses an instance for a request; <see langword="null"/> if there is none.</summary>
    public Instance? Pick() => _balancer?.Pick();

    /// <summary>Chooses an instance that was not tried yet; <see langword="null"/> if all were tried.</summary>
    public Instance? PickOther(List<Instance> tried) => _balancer?.PickOther(tried);
}
