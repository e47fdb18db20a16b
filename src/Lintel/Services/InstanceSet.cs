using Lintel.Config;
using Lintel.Services.Balancing;

namespace Lintel.Services;

/// <summary>A service's instances and what chooses among them. Immutable: a service exchanges it as a whole.</summary>
internal sealed class InstanceSet
{
    private readonly Balancer? _balancer;

    public InstanceSet(Instance[] instances, BalancingKind balancing, Random random)
    {
        All = instances;
        _balancer = instances.Length == 0 ? null : Balancer.Create(balancing, instances, random);
    }

    public Instance[] All { get; }

    /// <summary>Chooses an instance for a request; <see langword="null"/> where there is none.</summary>
    public Instance? Pick() => _balancer?.Pick();

    /// <summary>Chooses an instance that was not tried yet; <see langword="null"/> where all were.</summary>
    public Instance? PickOther(List<Instance> tried) => _balancer?.PickOther(tried);
}
