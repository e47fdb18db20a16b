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
    private readonly Dictionary<PolicyKey, (Policy Policy, int Uses)> _policies = [];

    /// <summary>
    /// Returns the policy of this place and configuration, with one more reference. Each call is paired with one <see cref="Release"/>.
    /// </summary>
    /// <param name="key">What identifies it.</param>
    /// <param name="conditions">The compiled conditions of the configuration.</param>
    public Policy Acquire(PolicyKey key, Condition[] conditions)
    {
        lock (_lock)
        {
            var (policy, uses) = _policies.GetValueOrDefault(key);
            policy ??= PolicyCatalog
                .Of(key.Config)
                .Kind.Create(key.Config, parts with { Place = key.Place, Conditions = conditions, Members = key.Members });
            _policies[key] = (policy, uses + 1);
            return policy;
        }
    }

    /// <summary>Removes one reference. The last one disposes the policy.</summary>
    public void Release(PolicyKey key)
    {
        lock (_lock)
        {
            var (policy, uses) = _policies[key];
            if (uses > 1)
            {
                _policies[key] = (policy, uses - 1);
                return;
            }

            _policies.Remove(key);
            (policy as IDisposable)?.Dispose();
        }
    }
}

/// <summary>What identifies a running policy.</summary>
/// <param name="Place">Where it is written.</param>
/// <param name="Config">Its configuration.</param>
/// <param name="Members">The running policies that it refers to.</param>
/// <param name="Files">What its files hold; <see langword="null"/> if it has none.</param>
internal readonly record struct PolicyKey(string Place, PolicyConfig Config, ValueList<Policy> Members, UInt128? Files);
