using Lintel.Config;
using Lintel.Pipeline;
using Lintel.Policies;
using Lintel.Routing;

namespace Lintel.Runtime;

/// <summary>
/// Owns the running policies and their state across reloads: a policy exists as long as a snapshot uses it, and an equal configuration at
/// the same place reuses it.
/// </summary>
/// <remarks>Thread rule: every member takes the lock; none is on the request path.</remarks>
/// <param name="parts">The dependencies of policies.</param>
internal sealed class PolicyRegistry(PolicyParts parts)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(string Place, PolicyConfig Config), (Policy Policy, int Uses)> _policies = [];

    /// <summary>
    /// Returns the policy of this place and configuration, with one more reference. Each call is paired with one <see cref="Release"/>.
    /// </summary>
    /// <param name="place">Where it is written.</param>
    /// <param name="config">Its configuration.</param>
    /// <param name="conditions">The compiled conditions of the configuration.</param>
    public Policy Acquire(string place, PolicyConfig config, Condition[] conditions)
    {
        lock (_lock)
        {
            var (policy, uses) = _policies.GetValueOrDefault((place, config));
            policy ??= PolicyCatalog.Of(config).Kind.Create(config, parts with { Conditions = conditions });
            _policies[(place, config)] = (policy, uses + 1);
            return policy;
        }
    }

    /// <summary>Removes one reference. The last one disposes the policy.</summary>
    public void Release(string place, PolicyConfig config)
    {
        lock (_lock)
        {
            var (policy, uses) = _policies[(place, config)];
            if (uses > 1)
            {
                _policies[(place, config)] = (policy, uses - 1);
                return;
            }

            _policies.Remove((place, config));
            (policy as IDisposable)?.Dispose();
        }
    }
}
